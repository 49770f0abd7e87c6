"""Values that a rig is given in the place of services: another service, or a class, is a mistake."""

from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from looprig import DeclarationError, rig, service_fixture
from tests.declare.test_rig import Life, run


class Reads(Protocol):
    """A protocol that is requested."""

    def read(self) -> str: ...


@service_fixture(scope="session")
class Disk(Life):
    """A dependency."""


@service_fixture
class Larger(Disk):
    """A disk, declared apart."""


@service_fixture
class Queue(Life):
    """Something else."""


@service_fixture(provides=Reads)
class Tape(Life):
    """A service behind a protocol."""

    def read(self) -> str:
        return "tape"


@service_fixture
@dataclass(kw_only=True)
class Rest(Life):
    """A service that depends on others."""

    disk: Disk
    reads: Reads


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"disk": Queue()}, "Rest.disk declares Disk, but the rig was given a Queue."),
        ({"disk": Disk}, "Rest.disk declares Disk, but the rig was given the class Disk."),
        ({"reads": Tape}, "Rest.reads declares Tape, but the rig was given the class Tape."),
    ],
)
def test_another_service_or_a_class_is_an_error(values: dict[str, Any], message: str) -> None:
    async def scenario() -> None:
        with pytest.raises(DeclarationError) as caught:
            async with rig(Rest, **values):
                raise AssertionError
        assert str(caught.value).startswith(message)
        assert "Without a value, the rig starts one." in str(caught.value)

    run(scenario())


@pytest.mark.parametrize("values", [{"disk": Larger()}, {"disk": object()}, {"reads": Queue()}, {"reads": object()}])
def test_a_subclass_or_anything_that_is_no_service_may_stand_in(values: dict[str, Any]) -> None:
    """What provides a Protocol isn't checked: it may be any class that has its methods."""

    async def scenario() -> None:
        async with rig(Rest, **values) as rest:
            [(name, value)] = values.items()
            assert getattr(rest, name) is value

    run(scenario())
