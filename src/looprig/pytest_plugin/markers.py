"""The marker `loop_timeout`: how it is written, and how it is read."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from looprig.declare.checks import is_duration
from looprig.exceptions import DeclarationError
from looprig.location import caller_location

__all__ = ["timeout", "timeout_of"]

T = TypeVar("T", bound=Callable[..., Any])


def timeout_of(item: pytest.Item) -> float | None:
    """Return the time limit that an item's nearest marker sets, in seconds.

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


def timeout(seconds: float) -> Callable[[T], T]:
    """Limit each of a test's set-up, call and teardown on its loop to `seconds`.

    Over a test or a test class:

        @timeout(5)
        async def test_answers_soon(api: TestClient[Rest]) -> None: ...

    Raises:
        DeclarationError: the number is not above 0, or what it is over is no test.
    """
    if not is_duration(seconds):
        raise DeclarationError(
            f"timeout was given {seconds!r}: it must be above 0 seconds.",
            [("timeout", caller_location())],
            "Give a number of seconds above 0: @timeout(5).",
        )

    def mark(test: T) -> T:
        if not callable(test):
            raise DeclarationError(
                f"timeout({seconds!r}) was put over {test!r}, which isn't a test.",
                [("timeout", caller_location())],
                "Put it over a test function or a test class: @timeout(5).",
            )
        marked: T = cast("Any", pytest.mark.loop_timeout(seconds))(test)
        return marked

    return mark
