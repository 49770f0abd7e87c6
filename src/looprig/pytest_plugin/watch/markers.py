"""The markers `loop_watchdogs` and `loop_allow_background`: the decorators that create them, and how they are read.

Does not report invalid markers: `checks.markers` does.

Invariant: dotted names of classes are imported when the tests are checked, not when a failure is noted. They may be
names of the very module in which they are written.
"""

import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import pytest

from looprig.declare.values import shown
from looprig.declare.watchdogs import DEFAULTS, GROUPS, POLICIES, Allowed, Kind, Policy, allowed_from, checked, of_all
from looprig.exceptions import DeclarationError
from looprig.location import caller_location
from looprig.pytest_plugin.markers import arguments_of, over_tests
from looprig.pytest_plugin.options import WATCHDOGS

__all__ = ["WATCHDOGS_TAKES", "allow_background", "allowed_by", "fix_of", "imported", "policies_of", "watchdogs"]

T = TypeVar("T", bound=Callable[..., Any])

WATCHDOGS_TAKES: Final = (
    f"Give one policy for all kinds, or policies by kind: {', '.join(POLICIES)} for {', '.join((*GROUPS, *DEFAULTS))}."
)
ALLOW_TAKES: Final = (
    "Give classes of exceptions, a regular expression, or both: "
    '@looprig.allow_background(ConnectionResetError, match="lost").'
)


def policies_of(marker: pytest.Mark) -> dict[Kind, Policy] | None:
    """Return the policies that a `loop_watchdogs` marker sets, or `None` if it is invalid."""
    match marker.args:
        case ():
            return checked(marker.kwargs) if marker.kwargs else None
        case (policy,) if policy in POLICIES:
            rest = checked(marker.kwargs)
            return None if rest is None else {**of_all(policy), **rest}
        case _:
            return None


def watchdogs(policy: Policy | None = None, **kinds: Policy) -> Callable[[T], T]:
    """Set the policy for findings of watchdogs: they fail the test, are shown at the end of the run, or are ignored.

    Put it on a test or a test class. For a module, set `pytestmark = pytest.mark.loop_watchdogs("warn")`.

        @watchdogs(background="warn")
        async def test_drops_its_clients(server: Server) -> None: ...

    Args:
        policy: "error", "warn" or "off", for all kinds.
        kinds: the policy of one kind, by name. `leaks` stands for all kinds of leaks.

    Raises:
        DeclarationError: a kind or policy doesn't exist, or the decorator is on something that isn't a test.
    """
    given = pytest.mark.loop_watchdogs(*(() if policy is None else (policy,)), **kinds)
    if policies_of(given.mark) is None:
        what = f"watchdogs was called with ({arguments_of(given.mark)})."
        raise DeclarationError(what, [("watchdogs", caller_location())], WATCHDOGS_TAKES)
    return over_tests("watchdogs", given)


def fix_of(marker: pytest.Mark) -> str:
    """Return how to write one of these markers, or "" if it is valid."""
    if marker.name == WATCHDOGS:
        return WATCHDOGS_TAKES if policies_of(marker) is None else ""
    wrong = allowed_by(marker)
    return f"{wrong[0].upper()}{wrong[1:]}. {ALLOW_TAKES}" if isinstance(wrong, str) else ""


def allowed_by(marker: pytest.Mark) -> Allowed | str:
    """Return the failures that a `loop_allow_background` marker allows, or what is wrong with it."""
    types = imported(marker.args)
    return types if isinstance(types, str) else _allowed(marker, types)


def _allowed(marker: pytest.Mark, types: Iterable[Any]) -> Allowed | str:
    if set(marker.kwargs) - {"match"}:
        return f"it has no argument {next(iter(set(marker.kwargs) - {'match'}))}"
    return allowed_from(types, marker.kwargs.get("match"))


def imported(types: Iterable[Any]) -> list[Any] | str:
    """Return types, with the class behind each dotted name, or a text that says which name can't be imported."""
    found: list[Any] = []
    for each in types:
        found.append(each)
        if isinstance(each, str) and "." in each and "<locals>" not in each:
            try:
                found.append(pkgutil.resolve_name(each))
            except Exception as error:  # noqa: BLE001 - a module of the suite's may raise anything
                return f"{shown(each)} can't be imported: {error}"
    return found


def allow_background(*types: type[BaseException], match: str | None = None) -> Callable[[T], T]:
    """Allow exceptions that nothing handles, and coroutines that are never awaited (RuntimeWarning).

    Put it on a test or a test class. For a module, set `pytestmark = pytest.mark.loop_allow_background("OSError")`.

        @allow_background(ConnectionResetError, match="lost")
        async def test_survives(server: Server) -> None: ...

    Args:
        types: classes of exceptions; their subclasses are allowed too. If there are none, all exceptions are allowed.
        match: a regular expression to search for in the text of the exception.

    Raises:
        DeclarationError: an argument is invalid, or the decorator is on something that isn't a test.
    """
    # If a marker is called with only a class, pytest puts it on that class. `with_args` never does so.
    given = pytest.mark.loop_allow_background.with_args(*types, **({} if match is None else {"match": match}))
    if isinstance(wrong := _allowed(given.mark, types), str):
        raise DeclarationError(
            f"allow_background can't be used like this: {wrong}.",
            [("allow_background", caller_location())],
            ALLOW_TAKES,
        )
    return over_tests("allow_background", given)
