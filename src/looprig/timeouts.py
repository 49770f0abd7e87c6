"""`timeout`: the typed form of the `loop_timeout` marker.

Does not measure anything: the runner reads the marker.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from looprig.exceptions import DeclarationError
from looprig.location import caller_location

__all__ = ["timeout"]

T = TypeVar("T")


def timeout(seconds: float) -> Callable[[T], T]:
    """Limits each of a test's set-up, call and teardown on its loop to `seconds`.

    Over a test or a test class:

        @timeout(5)
        async def test_answers_soon(api: TestClient[Rest]) -> None: ...

    Raises:
        DeclarationError: the number is not above 0.
    """
    if seconds <= 0:
        raise DeclarationError(
            f"timeout({seconds}): a test cannot end in that time.",
            [("timeout", caller_location())],
            "Give a number of seconds above 0.",
        )

    def mark(test: T) -> T:
        import pytest  # noqa: PLC0415 - the declaration itself needs no pytest

        marked: T = cast("Any", pytest.mark.loop_timeout(seconds))(test)
        return marked

    return mark
