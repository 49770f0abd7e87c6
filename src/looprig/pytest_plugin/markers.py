"""The markers of looprig, and how they are read.

Does not act on `catch_loop_exceptions` and `forbid_get_event_loop`: `watching` does.
"""

from typing import Final

import pytest

__all__ = ["MARKERS", "timeout_of"]

MARKERS: Final = (
    "loop_timeout(seconds): limit for each of the test's set-up, call and teardown; @looprig.timeout is the typed form",
    "catch_loop_exceptions: the test fails if an exception reaches its loop's exception handler",
    "forbid_get_event_loop: the test fails if asyncio.get_event_loop is called during it",
)


def timeout_of(item: pytest.Item, default: float | None) -> float | None:
    """The time limit of an item in seconds: its nearest marker's, or the default.

    Raises:
        pytest.UsageError: the marker has no positive number.
    """
    marker = item.get_closest_marker("loop_timeout")
    if marker is None:
        return default
    seconds = marker.args[0] if marker.args else marker.kwargs.get("seconds")
    if isinstance(seconds, int | float) and seconds > 0:
        return float(seconds)
    raise pytest.UsageError(f"{item.nodeid}: loop_timeout needs a number of seconds above 0, and got {seconds!r}.")
