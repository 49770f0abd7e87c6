"""Every error survives pickling, since pytest-xdist passes errors between processes."""

import copy
import inspect
import pickle
import typing

import pytest

from looprig import exceptions
from looprig.location import UNKNOWN, Location

PARTIES = (("Orders", Location("/suite/services.py", 14)), ("Database", Location("/suite/services.py", 31)))
ERRORS = [
    error
    for error in vars(exceptions).values()
    if inspect.isclass(error)
    and issubclass(error, BaseException)
    and error.__module__ in {"looprig", exceptions.__name__}
]


def sample(error: type[BaseException]) -> BaseException:
    """Return an error with a value in every field."""
    values = {"parties": PARTIES}
    names = [
        parameter.name
        for parameter in inspect.signature(error).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    ]
    return error(*(values.get(name, f"the {name}") for name in names))


@pytest.mark.parametrize("error", ERRORS)
def test_is_a_looprig_error_and_public(error: type[BaseException]) -> None:
    assert issubclass(error, exceptions.LooprigError)
    assert error.__name__ in exceptions.__all__


def test_a_party_at_an_unknown_place_is_left_out_of_the_message() -> None:
    parties = (*PARTIES, ("print", UNKNOWN))
    assert "print" not in str(exceptions.LooprigError("what", parties))


@pytest.mark.parametrize("error", ERRORS)
def test_fields_are_positional(error: type[BaseException]) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(error).parameters.values()}
    assert inspect.Parameter.KEYWORD_ONLY not in kinds


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", ERRORS)
def test_survives_pickling(error: type[BaseException], protocol: int) -> None:
    before = sample(error)
    after: BaseException = pickle.loads(pickle.dumps(before, protocol))  # noqa: S301 - our own
    assert type(after) is error
    assert str(after) == str(before)
    assert vars(after) == vars(before)


@pytest.mark.parametrize("error", ERRORS)
def test_survives_copying(error: type[BaseException]) -> None:
    assert str(copy.copy(sample(error))) == str(sample(error))


@pytest.mark.parametrize("error", ERRORS)
def test_type_hints_can_be_read_at_run_time(error: type[BaseException]) -> None:
    assert typing.get_type_hints(error.__init__)
