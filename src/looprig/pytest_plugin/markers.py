"""The marker `loop_timeout`: how it is written, and how it is read. Those of watchdogs are in `watch.markers`.

Does not report markers with wrong arguments (`checks.markers` does).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from looprig.declare.values import DURATION, check_values, shown
from looprig.exceptions import DeclarationError
from looprig.location import caller_location

__all__ = ["arguments_of", "fix_of_timeout", "over_tests", "seconds_of", "timeout", "timeout_of"]

T = TypeVar("T", bound=Callable[..., Any])


def seconds_of(marker: pytest.Mark) -> float | None:
    """Return the seconds that a `loop_timeout` marker sets, or `None` if its arguments are wrong."""
    match marker.args, marker.kwargs:
        case ((seconds,), given) if not given:
            pass
        case ((), {"seconds": seconds, **others}) if not others:
            pass
        case _:
            return None
    return float(seconds) if DURATION.accepts(seconds) else None


def timeout_of(item: pytest.Item) -> float | None:
    """Return the time limit that an item's nearest marker sets, in seconds."""
    marker = item.get_closest_marker("loop_timeout")
    return None if marker is None else seconds_of(marker)


def fix_of_timeout(marker: pytest.Mark) -> str | None:
    """Return how to fix a `loop_timeout` marker, or `None` if its arguments are right."""
    return f"loop_timeout takes {DURATION.expected}: loop_timeout(5)." if seconds_of(marker) is None else None


def timeout(seconds: float) -> Callable[[T], T]:
    """Limit each of a test's set-up, call and teardown on its loop to `seconds`.

    Put it on a test or a test class:

        @timeout(5)
        async def test_answers_soon(api: TestClient[Rest]) -> None: ...

    Raises:
        DeclarationError: the number is not above 0, or the decorator is on something that isn't a test.
    """
    check_values("timeout", [("seconds", seconds, DURATION)])

    return over_tests("timeout", pytest.mark.loop_timeout(seconds))


def arguments_of(marker: pytest.Mark) -> str:
    """Return the arguments of a marker, for messages."""
    return ", ".join([*map(shown, marker.args), *(f"{name}={shown(value)}" for name, value in marker.kwargs.items())])


def over_tests(name: str, marker: pytest.MarkDecorator) -> Callable[[T], T]:
    """Return a decorator that puts a marker on a test or test class. `name` is how users know the decorator."""

    def mark(test: T) -> T:
        if not callable(cast("object", test)):
            at = [(name, caller_location())]
            raise DeclarationError(f"{name} was put on {shown(test)}.", at, "Put it on a test or a test class.")
        marked: T = cast("Any", marker)(test)
        return marked

    return mark
