"""Assertions that come true after a while: tried again until they hold, or their time is up.

Does not limit the time of an attempt that waits: the limit of the test does. Real time counts, whatever a test does to
the clock.

Invariants:
1. There is at least one attempt, and the last one begins when the time is up.
2. The error of the last attempt is raised as it is, so that pytest shows what it shows for any assertion.
3. An error that isn't an assertion is a mistake, and is raised at once, unless it was named.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final, Never, cast, final

from looprig.declare.values import DURATION, Check, check_values
from looprig.exceptions import DeclarationError
from looprig.location import user_location
from looprig.runtime.clock import now, sleep
from looprig.runtime.current import loop_in_use
from looprig.runtime.operation import running

__all__ = ["Attempt", "eventually"]

__tracebackhide__: Final = True  # the traceback of a failure ends at the test's assertion

_FIRST_PAUSE: Final = 0.005
_LAST_PAUSE: Final = 0.2
"""Seconds between two attempts. They grow from the first to the last."""
_GROWTH: Final = 1.5
_SHARE: Final = 0.8
"""Maximum share of the time left to the test, so that it fails with the assertion and not because of its own limit."""

_FORM: Final = """Write it as a loop:
    async for attempt in eventually(timeout=2):
        with attempt:
            assert ..."""

_NEVER: Final = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)


def _are_errors(value: Any) -> bool:
    several = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    return all(
        isinstance(each, type) and issubclass(each, BaseException) and not issubclass(each, _NEVER) for each in several
    )


_ERRORS: Final = Check("a class of exceptions, or a tuple of some", _are_errors)


@final
class eventually:  # noqa: N801 - used like a function
    """Attempts at an assertion, until one succeeds or `timeout` seconds have passed.

        async def test_sends_a_mail(api: TestClient[Rest]) -> None:
            await api.post("/users", json={"name": "ada"}, status=201)
            async for attempt in eventually(timeout=2):
                with attempt:
                    assert api.service.mails == ["ada"]

    An `AssertionError` leads to another attempt, after a pause that grows from 5 to 200 ms, and so do the exceptions in
    `retry_on`. Any other exception is raised at once. If no attempt succeeds, the last one's exception is raised, with
    a note that says how long it was tried and how often. If the test has a time limit of its own, at most 80 % of what
    is left of it are used.

    In a sync test, use `for` in place of `async for`. The pauses then block the thread, so use it only for what happens
    in other threads or processes.
    """

    def __init__(
        self,
        *check: Never,
        timeout: float = 5.0,
        retry_on: type[BaseException] | tuple[type[BaseException], ...] = (),
    ) -> None:
        if check:
            raise DeclarationError("eventually takes no function.", [("eventually", user_location())], _FORM)
        check_values("eventually", [("timeout", timeout, DURATION), ("retry_on", retry_on, _ERRORS)])
        named = retry_on if isinstance(retry_on, tuple) else (retry_on,)
        self._kinds: Final[tuple[type[BaseException], ...]] = (AssertionError, *named)
        self._timeout: Final = timeout

    def __aiter__(self) -> "AsyncIterator[Attempt]":
        return _Attempts(self._timeout, self._kinds)

    def __iter__(self) -> "Iterator[Attempt]":
        if loop_in_use() is not None:
            raise DeclarationError(
                "A `for` over eventually() would block the running loop.", [("eventually", user_location())], _FORM
            )
        return _Attempts(self._timeout, self._kinds)


@final
class Attempt:
    """A block of code that may fail. `number` counts from 1."""

    def __init__(self, number: int, attempts: "_Attempts") -> None:
        self._attempts: Final = attempts
        self.number: Final = number

    def __enter__(self) -> None:
        self._attempts.state = "entered"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return self._attempts.ended(error)


@final
class _Attempts(AsyncIterator[Attempt], Iterator[Attempt]):
    """The attempts of one loop."""

    def __init__(self, timeout: float, kinds: tuple[type[BaseException], ...]) -> None:
        self._begun = now()
        self._deadline = self._begun + min(timeout, _SHARE * _left_to_the_test())
        self._kinds = kinds
        self._number = 0
        self._pause = _FIRST_PAUSE
        self.state: str = ""
        """That of the last attempt: made, entered, failed, or succeeded."""

    def ended(self, error: BaseException | None) -> bool:
        """Record the end of an attempt, and return whether its error is swallowed."""
        if error is None:
            self.state = "succeeded"
            return False
        self.state = "failed"
        if not _is_only(error, self._kinds):
            return False
        if now() < self._deadline:
            return True
        attempts = f"{self._number} attempts" if self._number > 1 else "1 attempt"
        error.add_note(f"It did not hold within {now() - self._begun:.3g} s, in {attempts}.")
        return False

    def _next(self) -> Attempt | None:
        if self.state == "made":
            raise DeclarationError(
                "An attempt of eventually() was not used, so it cannot succeed.",
                [("eventually", user_location())],
                _FORM,
            )
        if self.state == "succeeded":
            return None
        self.state = "made"
        self._number += 1
        return Attempt(self._number, self)

    def _pauses(self) -> float:
        pause, self._pause = self._pause, min(self._pause * _GROWTH, _LAST_PAUSE)
        return max(min(pause, self._deadline - now()), 0)

    async def __anext__(self) -> Attempt:
        if self.state == "failed":
            await sleep(self._pauses())
        attempt = self._next()
        if attempt is None:
            raise StopAsyncIteration
        return attempt

    def __next__(self) -> Attempt:
        if self.state == "failed":
            time.sleep(self._pauses())
        attempt = self._next()
        if attempt is None:
            raise StopIteration
        return attempt


def _is_only(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Return whether an error, or each in a group, is of some kinds."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).split(kinds)[1] is None
    return isinstance(error, kinds)


def _left_to_the_test() -> float:
    """Return the seconds until the limit of what runs in this thread, or infinity."""
    return min((operation.time_left for operation in running.operations), default=float("inf"))
