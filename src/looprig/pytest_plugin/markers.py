"""The markers of looprig, and how they are read.

Does not act on `catch_loop_exceptions` and `forbid_get_event_loop`: `watching` does.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar, cast

import pytest

from looprig.declare.checks import is_duration
from looprig.exceptions import DeclarationError
from looprig.location import caller_location

__all__ = ["CATCH", "FORBID", "MARKERS", "has_watched_markers", "timeout", "timeout_of"]

T = TypeVar("T")

CATCH: Final = "catch_loop_exceptions"
FORBID: Final = "forbid_get_event_loop"

MARKERS: Final = (
    "loop_timeout(seconds): limit for each of the test's set-up, call and teardown; @looprig.timeout is the typed form",
    "catch_loop_exceptions: the test fails if an exception reaches its loop's exception handler",
    "forbid_get_event_loop: the test fails if asyncio.get_event_loop is called during it",
)


def timeout_of(item: pytest.Item) -> float | None:
    """The time limit that an item's nearest marker sets, in seconds.

    Raises:
        pytest.UsageError: the marker has no positive number.
    """
    marker = item.get_closest_marker("loop_timeout")
    if marker is None:
        return None
    seconds = marker.args[0] if marker.args else marker.kwargs.get("seconds")
    if isinstance(seconds, int | float) and seconds > 0:
        return float(seconds)
    raise pytest.UsageError(f"{item.nodeid}: loop_timeout needs a number of seconds above 0, and got {seconds!r}.")


def has_watched_markers(items: Iterable[pytest.Item]) -> bool:
    """Whether any test has one of the markers. Looks once at each class and module."""
    parents: dict[object, bool] = {}
    for item in items:
        for node in item.iter_parents():
            known = parents.get(node)
            if known is None:
                known = any(mark.name in {CATCH, FORBID} for mark in node.own_markers)
                if node is not item:
                    parents[node] = known
            elif not known:
                break  # all above it has been looked at
            if known:
                return True
    return False


def timeout(seconds: float) -> Callable[[T], T]:
    """Limits each of a test's set-up, call and teardown on its loop to `seconds`.

    Over a test or a test class:

        @timeout(5)
        async def test_answers_soon(api: TestClient[Rest]) -> None: ...

    Raises:
        DeclarationError: the number is not above 0.
    """
    if not is_duration(seconds):
        raise DeclarationError(
            f"timeout was given {seconds!r}: a test cannot end in that time.",
            [("timeout", caller_location())],
            "Give a number of seconds above 0: @timeout(5).",
        )

    def mark(test: T) -> T:
        marked: T = cast("Any", pytest.mark.loop_timeout(seconds))(test)
        return marked

    return mark
