"""A thread that runs a host's loop all the time, and what other threads have it do.

Does not know what runs there. A command runs in that thread while the loop is stopped, as the answer to a question of
`ask` does, so that it can drive the loop itself: `LiveFixture` works there as it does on the loops of tests.

Invariants:
1. A caller that is interrupted while it waits ends what it waits for: the innermost operation there is cancelled.
2. Waiting always ends, even if something blocks the thread: such a thread is left behind, and that is reported.
3. An exit such as SystemExit that a task raises ends neither the thread nor its loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Final, TypeVar, final

from looprig.exceptions import LooprigError, StuckTaskError
from looprig.runtime.clock import now
from looprig.runtime.host import EXECUTOR_GRACE, Host
from looprig.runtime.operation import GRACE, ROUNDS, has_more, running
from looprig.runtime.stacks import thread_frames, thread_is_at

__all__ = ["LoopThread", "open_threads"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

T = TypeVar("T")

_PATIENCE: Final = GRACE * ROUNDS + 1.0
"""Seconds in which whatever is cancelled in the thread ends, unless it blocks."""


@final
class _Call:
    """A function that the thread calls, and its outcome."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._done: Final = threading.Event()
        self._error: BaseException | None = None
        self._function: Final = function
        self._value: Any = None

    def make(self) -> None:
        """Call the function. In the thread."""
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001 - raised where the caller waits
            self._error = error
        self._done.set()

    def wait(self, seconds: float | None) -> bool:
        """Wait until the function has been called, and return whether it has."""
        return self._done.wait(seconds)

    def result(self) -> Any:
        """Return the function's value, or raise its error."""
        try:
            if self._error is not None:
                raise self._error
            return self._value
        finally:
            self._error = None  # it refers to this frame


@final
class LoopThread:
    """A running thread with a host, from its creation until `close`."""

    def __init__(self, host: Host, name: str) -> None:
        self.host: Final = host
        self.is_stuck: bool = False
        """Whether something blocks the thread, so that it was left behind."""
        self._closing: Final = host.loop.create_future()
        self._errors: list[BaseException] = []
        # A context of its own: from Python 3.14 on, a thread may begin with a copy of its starter's.
        self._thread: Final = threading.Thread(target=Context().run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        host = self.host
        while not self._closing.done():
            try:
                host.run(self._until_closing(), what="services in a thread")
            except BaseException as exit_:  # noqa: BLE001 - whoever raised it, the others go on
                host.loop.call_exception_handler({"message": "A task raised an exit", "exception": exit_})
        try:
            host.close()
        except BaseException as error:  # noqa: BLE001 - raised by `close`
            self._errors.append(error)

    async def _until_closing(self) -> None:
        await asyncio.wait([self._closing])

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is this one."""
        return threading.current_thread() is self._thread

    def call(self, function: Callable[[], T], what: str, seconds: float | None = None) -> T:
        """Call a function in the thread while its loop is stopped, and return its value. It may drive the loop.

        If the caller is interrupted, or after `seconds`, what the function waits for is cancelled.

        Raises:
            StuckTaskError: something blocks the thread. Whatever the function raises is raised too.
        """
        if self.is_stuck or not self._thread.is_alive():
            raise self._stuck(what)
        call = _Call(function)
        self._in_loop(lambda: running.operations[-1].put(call.make))
        try:
            if call.wait(seconds):
                return call.result()  # type: ignore[no-any-return]
        except BaseException as interrupt:
            if not call.wait(0):
                self._break_off(call, interrupt)
            raise
        stuck = self._stuck(what)
        if self._break_off(call, stuck):
            return call.result()  # type: ignore[no-any-return]
        raise stuck

    def settle(self, seconds: float = 1.0) -> None:
        """Wait until the loop has run what is due on it, for at most `seconds`, as at the end of an operation."""
        done = threading.Event()
        rounds = 0

        def again() -> None:
            nonlocal rounds
            if has_more(self.host.loop, rounds):
                rounds += 1
                self.host.loop.call_soon(again)
            else:
                done.set()

        self._in_loop(again)
        done.wait(seconds)

    def _break_off(self, call: _Call, cause: BaseException) -> bool:
        """Cancel what a call waits for. Return whether it has ended; if not, the thread is left behind."""

        def cancel() -> None:
            if len(running.operations) > 1:  # the first one lasts as long as the thread
                running.operations[-1].cancel(cause)

        self._in_loop(cancel)
        deadline = now() + _PATIENCE
        self.is_stuck = True
        while (left := deadline - now()) > 0 and self.is_stuck:
            with suppress(LooprigError):  # a time limit interrupts several times
                self.is_stuck = not call.wait(left)
        return not self.is_stuck

    def _in_loop(self, function: Callable[[], object]) -> None:
        self.host.loop.call_soon_threadsafe(function)

    def _stuck(self, what: str) -> StuckTaskError:
        return StuckTaskError(
            f"{what} did not end: something blocks the thread of the services, or has blocked it before.",
            (),
            "\n".join(
                (
                    "The thread is at",
                    *self.stands_at(),
                    "Call what blocks with `await asyncio.to_thread(...)`, or limit how long it waits.",
                )
            ),
        )

    def stands_at(self) -> list[str]:
        """Return the lines at which the thread is now, outermost first."""
        return thread_is_at(thread_frames().get(self._thread.ident or 0))

    def close(self) -> None:
        """End what is left on the loop, close it, and wait until the thread has ended.

        Raises:
            StuckTaskError: something did not end.
        """
        if self.is_stuck:
            return  # it was reported

        def close() -> None:
            if not self._closing.done():
                self._closing.set_result(None)

        self._in_loop(close)
        self._thread.join(_PATIENCE + EXECUTOR_GRACE)
        if self._thread.is_alive():
            self.is_stuck = True
            raise self._stuck("Closing the loop")
        if self._errors:
            raise self._errors[0]


open_threads: Final[list[LoopThread]] = []
"""The threads of this process, the innermost run's last: a run of pytest may run pytest."""
