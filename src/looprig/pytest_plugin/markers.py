"""The marker `loop_timeout`: the decorator that applies it, and the functions that read it.

Does not report markers with wrong arguments (`checks.markers` does).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from looprig.declare.values import DURATION, check_values, shown
from looprig.exceptions import DeclarationError
from looprig.location import caller_location

__all__ = ["seconds_of", "timeout", "timeout_of"]

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


def timeout(seconds: float) -> Callable[[T], T]:
    """Limit each of a test's set-up, call and teardown on its loop to `seconds`.

    Put it on a test or a test class:

        @timeout(5)
        async def test_answers_soon(api: TestClient[Rest]) -> None: ...

    Raises:
        DeclarationError: the number is not above 0, or it is put on something that isn't a test.
    """
    check_values("timeout", [("seconds", seconds, DURATION)])

    def mark(test: T) -> T:
        if not callable(cast("object", test)):
            at = [("timeout", caller_location())]
            raise DeclarationError(f"timeout was put on {shown(test)}.", at, "Put it on a test or a test class.")
        marked: T = cast("Any", pytest.mark.loop_timeout(seconds))(test)
        return marked

    return mark
