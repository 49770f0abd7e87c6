"""Exceptions that reach a loop's exception handler.

Invariant: a loop's own handler is restored at the end of the test.
"""

import asyncio
import traceback
from collections.abc import Sequence
from typing import Any, final

from looprig.exceptions import BackgroundError
from looprig.watch.garbage import Garbage
from looprig.watch.watcher import WatchedTest, Watcher

__all__ = ["LoopExceptions"]


@final
class LoopExceptions(Watcher):
    """A watcher of the exception handlers of all loops of a test."""

    def __init__(self) -> None:
        self._attached: list[tuple[asyncio.AbstractEventLoop, Any]] = []
        self._contexts: list[dict[str, Any]] = []
        self._garbage = Garbage()
        self._test: WatchedTest | None = None

    def begin_test(self, test: WatchedTest) -> None:
        """Start collecting."""
        self._garbage.begin()
        self._contexts = []
        self._test = test

    def add_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Replace the loop's exception handler, unless that has been done already."""
        if all(loop is not other for other, _ in self._attached):
            self._attached.append((loop, loop.get_exception_handler()))
            loop.set_exception_handler(self._handle)

    def _handle(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Don't keep the task or future: what it refers to could not be freed, and only freed tasks report errors.
        self._contexts.append({"message": context.get("message", ""), "exception": context.get("exception")})

    def take_errors(self) -> Sequence[BackgroundError]:
        """Return one error for all exceptions that have reached the handlers since the last call."""
        # asyncio reports a failed task that was never awaited only when it is freed.
        self._garbage.collect([loop for loop, _ in self._attached])
        found, self._contexts = self._contexts, []
        if not found or self._test is None:
            return ()
        test = self._test
        shown = [_shown(number, context) for number, context in enumerate(found, 1)]
        error = BackgroundError(
            f"{len(found)} exception(s) reached the loop's exception handler during {test.name}:\n" + "\n".join(shown),
            [(test.name, test.location)],
            "Await the tasks that raised, or handle the exceptions in them.",
        )
        error.__cause__ = next((c["exception"] for c in found if c["exception"] is not None), None)
        return (error,)

    def end_test(self) -> None:
        """Restore the loops' own handlers."""
        while self._attached:
            loop, handler = self._attached.pop()
            if not loop.is_closed():
                loop.set_exception_handler(handler)
        self._test = None

    def close(self) -> None:
        """Stop watching the garbage collector."""
        self._garbage.close()


def _shown(number: int, context: dict[str, Any]) -> str:
    exception = context["exception"]
    text = "".join(traceback.format_exception_only(exception)).strip() if exception is not None else ""
    return f"  {number}. {context['message']}" + (f": {text}" if text else "")
