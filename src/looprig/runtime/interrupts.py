"""Ctrl-C and SIGTERM while a loop runs: cancel what runs, then let teardown run, then stop.

Installed for the tests that have a loop, and not for each run of a loop: that is what makes `asyncio.Runner` slow.
Does not touch handlers that the user or another plugin installed, and does nothing outside the main thread.

Invariants:
1. The first signal cancels the innermost running operation, which then raises the signal's exception.
2. A second signal, or one that comes while no loop runs, raises the exception where the program stands.
3. Where the loop is blocked and has not come to the cancellation after `GRACE` seconds, the same signal counts as the
   second: whoever ends a run from outside, such as CI, sends one.
4. A signal that comes just before a blocking call counts too (`arrivals`).
"""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final, final

from looprig.runtime.arrivals import Arrivals
from looprig.runtime.clock import Alarm, now, ring_on
from looprig.runtime.operation import GRACE, Operation, running

__all__ = ["Interrupts"]


_MAIN_THREAD: Final = threading.main_thread().ident
_DEFAULTS: Final = (signal.SIG_DFL, signal.default_int_handler)
# `signal.getsignal` tries to make an enum member of the answer of this one, which takes ten times as long.
_current_handler: Final[Callable[[int], Any]] = sys.modules.get("_signal", signal).getsignal


@final
class Interrupts:
    """Turns signals into exceptions that first cancel what runs.

    `raised` gives the exception for each signal. Only a signal that has its default handler is taken over.
    """

    def __init__(self, raised: Mapping[signal.Signals, Callable[[], BaseException]]) -> None:
        self._raised = raised
        self._previous: dict[signal.Signals, Any] = {}
        self._arrivals: Final = Arrivals(self._previous.keys())  # those that are ours at the time
        self._handler: Final = self._handle  # one object, since bound methods are made anew at each access
        self._installed_in: int | None = None

    def install(self) -> None:
        """Take over each signal that has its default handler. Cheap when already installed."""
        if threading.get_ident() != _MAIN_THREAD:
            return
        self._installed_in = os.getpid()
        for number in self._raised:
            handler = _current_handler(number)
            if handler is not self._handler and handler in _DEFAULTS:
                self._previous.setdefault(number, handler)
                signal.signal(number, self._handler)
                self._arrivals.listen()

    def uninstall(self) -> None:
        """Give back each signal that is still ours, and listen for none."""
        self._arrivals.close()
        self.give_back(*self._raised)

    def give_back(self, *numbers: signal.Signals) -> None:
        """Give back those of these signals that are still ours. Cheap when none is."""
        for number in numbers:
            if number in self._previous and threading.get_ident() == _MAIN_THREAD:
                handler = self._previous.pop(number)
                if _current_handler(number) is self._handler:
                    signal.signal(number, handler)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        number = signal.Signals(signum)
        if os.getpid() != self._installed_in:  # a forked child: it ends as it would have ended without us
            previous = self._previous.get(number, signal.SIG_DFL)
            signal.signal(number, previous)
            os.kill(os.getpid(), number)
            return
        self._arrivals.handled()
        error = self._raised[number]()
        if running.operations:
            operation = running.operations[-1]
            if not operation.interrupted and not operation.loop.is_closed():
                operation.interrupted = True
                ring_on(operation.loop, lambda: operation.cancel(error))()
                _insist(operation, number)
                return
        raise error


def _insist(operation: Operation, number: signal.Signals) -> None:
    """Send the signal once more, some times at most, as long as the loop has not come to the cancellation."""

    def send_again() -> None:
        if operation.cause is not None or operation.is_settled:
            return
        _insist(operation, number)
        if _MAIN_THREAD is not None and hasattr(signal, "pthread_kill"):  # it ends a blocking system call as well
            signal.pthread_kill(_MAIN_THREAD, number)
        else:
            _thread.interrupt_main(number)

    if operation.insisted < _TIMES:
        operation.insisted += 1
        operation.keep(Alarm(now() + GRACE, send_again))


_TIMES: Final = 3
