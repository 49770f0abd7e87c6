"""Handlers for Ctrl-C and SIGTERM while a loop runs: cancel the running operation, run teardown, then stop.

They are installed once for all tests that have a loop. Installing them for each run of a loop is what makes
`asyncio.Runner` slow. Does not replace handlers of the user or another plugin, and does nothing outside the main
thread.

Invariants:
1. The first signal cancels the innermost running operation, which then raises the signal's exception. The teardown of
   a fixture gets `GRACE` seconds before it is cancelled, so that it can release what it holds.
2. A second signal, or one that arrives while no loop runs, raises the exception right where the program is.
3. If the loop is blocked and has not processed the cancellation after `GRACE` seconds, the signal is sent again and
   counts as the second one: CI systems, for example, send only one.
4. A signal that arrives just before a blocking call is handled too (`arrivals`).
5. Code that blocks the main thread past its time limit is broken off with SIGINT, which then means only that.
6. A forked child has the original handlers, and a signal sent to the child never reaches the parent, even right after
   the fork.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from types import FrameType
from typing import Any, Final, final
from weakref import WeakSet

from looprig.runtime.arrivals import Arrivals
from looprig.runtime.clock import Alarm, now, ring_on
from looprig.runtime.operation import GRACE, Operation, running

__all__ = ["Interrupts"]

__tracebackhide__: Final = True  # so that the traceback of interrupted code ends where it blocked

_MAIN_THREAD: Final = threading.main_thread().ident
_DEFAULTS: Final = (signal.SIG_DFL, signal.default_int_handler)
# `signal.getsignal` also tries to convert the result to an enum member, which takes ten times as long.
_current_handler: Final[Callable[[int], Any]] = sys.modules.get("_signal", signal).getsignal


@final
class Interrupts:
    """Signal handlers that first cancel the running operation and then raise an exception.

    `raised` maps each signal to a function that creates its exception. Only signals with their default handler are
    handled.
    """

    def __init__(self, raised: Mapping[signal.Signals, Callable[[], BaseException]]) -> None:
        self._raised = raised
        self._previous: dict[signal.Signals, Any] = {}
        self._arrivals: Final = Arrivals(self._previous.keys())  # a live view of the signals we handle
        self._late: Callable[[FrameType | None], BaseException | None] | None = None
        self._handler: Final = self._handle  # kept for `is` checks: each access creates a new bound method

    def install(self) -> None:
        """Install the handler for each signal that has its default one. Cheap if already installed."""
        if self._arrivals.is_paused:
            self._arrivals.listen()
        for number in self._raised:
            handler = _current_handler(number)
            if handler is not self._handler and handler in _DEFAULTS and threading.get_ident() == _MAIN_THREAD:
                self._previous.setdefault(number, handler)
                signal.signal(number, self._handler)
                self._arrivals.listen()
                _installed.add(self)

    def uninstall(self) -> None:
        """Restore the handlers of all signals, and stop listening."""
        self._arrivals.close()
        self.give_back(*self._raised)

    def break_off(self, late: Callable[[FrameType | None], BaseException | None]) -> None:
        """Interrupt the main thread from another thread, and raise in it the result of `late` for its current frame.

        Does nothing where SIGINT isn't handled here, and if `late` returns `None`.
        """
        if signal.SIGINT in self._raised and _current_handler(signal.SIGINT) is self._handler:
            self._late = late
            _send(signal.SIGINT)

    @property
    def handled(self) -> Collection[signal.Signals]:
        """The signals that are handled now."""
        return self._previous.keys()

    def leave_to_child(self) -> None:
        """Restore all handlers in a forked child, since its signals don't concern the test run."""
        for number, handler in self._previous.items():  # the forking thread is the main thread of the child
            if _current_handler(number) is self._handler:
                signal.signal(number, handler)
        self._previous.clear()

    def give_back(self, *numbers: signal.Signals) -> None:
        """Restore the previous handlers of these signals, if ours are still installed. Cheap otherwise.

        What runs until the next `install` may have a wakeup descriptor of its own, as trio has.
        """
        if threading.get_ident() != _MAIN_THREAD:
            return
        self._arrivals.pause()
        for number in numbers:
            if number in self._previous:
                handler = self._previous.pop(number)
                if _current_handler(number) is self._handler:
                    signal.signal(number, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        number = signal.Signals(signum)
        self._arrivals.handled()
        if number is signal.SIGINT and self._late is not None:
            late, self._late = self._late(frame), None
            if late is not None:
                raise late
            return
        error = self._raised[number]()
        if running.operations:
            operation = running.operations[-1]
            if not operation.interrupted and not operation.loop.is_closed():
                operation.interrupted = True
                ring_on(operation.loop, lambda: operation.interrupt(error))()
                _insist(operation, number)
                return
        raise error


def _insist(operation: Operation, number: signal.Signals) -> None:
    """Send the signal again, up to `_TIMES` times, until the loop has processed the cancellation."""

    def send_again() -> None:
        if operation.cause is not None or operation.is_settled:
            return
        _insist(operation, number)
        _send(number)

    if operation.insisted < _TIMES:
        operation.insisted += 1
        operation.keep(Alarm(now() + GRACE, send_again))


def _send(number: signal.Signals) -> None:
    if _MAIN_THREAD is not None and hasattr(signal, "pthread_kill"):  # also interrupts a blocking system call
        signal.pthread_kill(_MAIN_THREAD, number)
    else:
        _thread.interrupt_main(number)


_TIMES: Final = 3


_installed: Final[WeakSet[Interrupts]] = WeakSet()
_blocked: Final = threading.local()


def _block() -> None:
    """Hold the signals back while the process forks.

    Python forgets a signal that arrives in a child before the child has been set up. And a handler of the parent's
    that runs in the child reports it to the parent, through the descriptor that they share (`arrivals`).
    """
    numbers = {number for interrupts in list(_installed) for number in interrupts.handled}
    _blocked.before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers) if numbers else None


def _unblock() -> None:
    if (before := getattr(_blocked, "before", None)) is not None:
        _blocked.before = None
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_to_child() -> None:
    for interrupts in list(_installed):
        interrupts.leave_to_child()
    _unblock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_leave_to_child)
