"""Unhandled exceptions in the background of a test, and coroutines that are never awaited.

Exceptions reach the exception handler of a loop, or `sys.unraisablehook` if they are raised in a `__del__` or in the
callback of a weak reference. For a coroutine that was never awaited, Python issues a RuntimeWarning, which names the
line that called the coroutine function. Does not describe findings (`descriptions` does), and does not decide whether
a test fails for them.

Invariants:
1. If no test is being watched, a failure goes to the handler that was installed before.
2. A loop that already has an exception handler keeps it.
3. A failure that is noticed during an automatic garbage collection may belong to any earlier test, so the finding is
   marked as late.
4. Nothing is imported while failures are searched for or noted. The garbage collector may run while Python compiles a
   module, and in Python 3.11 a second compilation inside the first one fails.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO, final

from looprig.runtime.clock import is_in_ringer
from looprig.watch.descriptions import Finding, of_context, of_unraisable, of_warning

if TYPE_CHECKING:
    from looprig.watch.garbage import Garbage

__all__ = ["NOTED", "Background", "Notebook"]

NOTED: Final = "__looprig_noted__"
"""The attribute of an exception that is noted while its task is still alive."""


class Notebook(Protocol):
    """The object in which a watchdog notes its findings."""

    @property
    def is_open(self) -> bool:
        """Whether a test is being watched."""
        ...

    def note(self, finding: Finding, /) -> None:
        """Note a finding about the test that is being watched."""


@final
class Background:
    """The watchdog for background failures. It watches from `start` until `stop`."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._garbage: Garbage | None = None
        self._collector = 0
        self._is_searching = False
        self._depth = 0
        self._thread: Final = threading.get_ident()
        self._unraisable: Callable[[Any], Any] | None = None
        # Each access to a bound method creates a new object, but these are compared by identity.
        self._own_hook: Final = self._handle_unraisable
        self._own_show: Final = self._handle_warning
        self._show: Any = None

    # What it watches

    def start(self) -> None:
        """Watch for exceptions that Python itself ignores, and for coroutines that are never awaited."""
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._own_hook
        self._depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(self._depth, 1))
        gc.callbacks.append(self._note_collector)

    def stop(self) -> None:
        """Restore all hooks, unless something else has replaced them since."""
        if self._unraisable is None:
            return
        if sys.unraisablehook is self._own_hook:
            sys.unraisablehook = self._unraisable
        self._unraisable = None
        if warnings.showwarning is self._own_show:
            warnings.showwarning = self._show
        sys.set_coroutine_origin_tracking_depth(self._depth)
        gc.callbacks.remove(self._note_collector)
        if self._garbage is not None:
            self._garbage.close()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a loop that has just been opened."""
        if loop.get_exception_handler() is None:
            loop.set_exception_handler(self._handle)

    def begin_test(self) -> None:
        """Watch the warnings of a test. pytest replaces `warnings.showwarning` for each test."""
        if warnings.showwarning is not self._own_show:
            self._show, warnings.showwarning = warnings.showwarning, self._own_show

    def collect(self, loop: asyncio.AbstractEventLoop) -> None:
        """Find failed tasks in reference cycles. Call it at the end of a test that started tasks on `loop`."""
        if self._garbage is None:
            from looprig.watch.garbage import Garbage  # noqa: PLC0415 - if a test starts tasks; before the search

            self._garbage = Garbage(of_finalizers=False)
            self._garbage.begin()
        self._is_searching = True
        try:
            self._garbage.collect([loop])
        finally:
            self._is_searching = False

    def _note_collector(self, phase: str, _info: dict[str, int]) -> None:
        """Remember which thread collects garbage automatically, since that thread runs the finalizers."""
        thread = threading.get_ident()
        if phase == "start" and not (self._is_searching and thread == self._thread):
            self._collector = thread
        elif phase == "stop" and thread == self._collector:
            self._collector = 0

    def _is_late(self) -> bool:
        """Return whether an earlier test may have caused what fails now.

        True for what an automatic garbage collection frees, and for what the thread of the patrol frees, since that
        may be the last one to drop a frame.
        """
        return threading.get_ident() == self._collector or is_in_ringer()

    # What it finds

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._notebook.is_open and not (_is_harmless(context) or _is_noted(context)):
            self._notebook.note(of_context(context, is_late=self._is_late()))
        loop.default_exception_handler(context)  # log it, as if there were no handler

    def _handle_unraisable(self, unraisable: Any) -> None:
        if self._notebook.is_open and isinstance(unraisable.exc_value, Exception):
            self._notebook.note(of_unraisable(unraisable, is_late=self._is_late()))
        elif (hook := self._unraisable) is not None:
            hook(unraisable)

    def _handle_warning(  # noqa: PLR0917 - the signature of `warnings.showwarning`
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if self._notebook.is_open and isinstance(message, RuntimeWarning):
            found = of_warning(message, is_late=self._is_late())
            if found is not None:
                self._notebook.note(found)
                return
        if self._show is not None:
            self._show(message, category, filename, lineno, file, line)


def _is_noted(context: dict[str, Any]) -> bool:
    """Return whether the failure of a task was noted before the task was freed."""
    return NOTED in getattr(context.get("exception"), "__dict__", ())


def _is_harmless(context: dict[str, Any]) -> bool:
    """Return whether nothing failed, or what failed has an error of its own."""
    exception = context.get("exception")
    # In Python 3.11, asyncio calls `exception()` of a connection's task even if the task was cancelled.
    is_cancellation = isinstance(exception, asyncio.CancelledError)
    is_of_stuck_generator = "asyncgen" in context and "already running" in str(exception)
    return is_cancellation or is_of_stuck_generator
