"""Exceptions that reach a loop's exception handler, so that a test can fail because of them.

Does not decide when to look at them; the plugin does. A loop's own handler is restored.
"""

import asyncio
import traceback
from typing import Any, final

from looprig.exceptions import LoopExceptionsError
from looprig.location import Location
from looprig.watch.garbage import Garbage

__all__ = ["LoopExceptions"]


@final
class LoopExceptions:
    """The calls of the exception handlers of all loops it is attached to."""

    def __init__(self, garbage: Garbage) -> None:
        self._garbage = garbage
        self._attached: list[tuple[asyncio.AbstractEventLoop, Any]] = []
        self.contexts: list[dict[str, Any]] = []

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start collecting from a loop. Attaching twice is the same as once."""
        if all(loop is not other for other, _ in self._attached):
            self._attached.append((loop, loop.get_exception_handler()))
            loop.set_exception_handler(self._handle)

    def _handle(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Don't keep the task or future: everything it refers to could not be freed and reported.
        self.contexts.append({"message": context.get("message", ""), "exception": context.get("exception")})

    def detach(self) -> None:
        """Restore the loops' own handlers."""
        while self._attached:
            loop, handler = self._attached.pop()
            if not loop.is_closed():
                loop.set_exception_handler(handler)

    def take(self, test: tuple[str, Location]) -> LoopExceptionsError | None:
        """Return an error for everything collected so far, or `None` if there was nothing.

        asyncio reports a failed task that was never awaited only when it is freed, so this collects garbage first.
        """
        self._garbage.collect([loop for loop, _ in self._attached])
        found, self.contexts = self.contexts, []
        if not found:
            return None
        shown = [_shown(number, context) for number, context in enumerate(found, 1)]
        error = LoopExceptionsError(
            f"{len(found)} exception(s) reached the loop's exception handler during {test[0]}:\n" + "\n".join(shown),
            [test],
            "Await the tasks that raised, or handle the exceptions in them.",
        )
        error.__cause__ = next((c["exception"] for c in found if c["exception"] is not None), None)
        return error


def _shown(number: int, context: dict[str, Any]) -> str:
    exception = context["exception"]
    text = "".join(traceback.format_exception_only(exception)).strip() if exception is not None else ""
    return f"  {number}. {context['message']}" + (f": {text}" if text else "")
