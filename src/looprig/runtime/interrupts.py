"""Ctrl-C and SIGTERM while a loop runs: cancel what runs, then let teardown run, then stop.

Installed once per session, not once per run of a loop: that is what makes `asyncio.Runner` slow per call.
Does not touch handlers that the user or another plugin installed, and does nothing outside the main thread.

Invariants:
1. The first signal cancels the innermost running operation, which then raises the signal's exception.
2. A second signal, or one that comes while no loop runs, raises the exception where the program stands.
"""

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final, final

from looprig.runtime.operation import Operation

__all__ = ["Interrupts", "running"]

running: Final[list[tuple[Any, Operation]]] = []
"""The loops that run right now in the main thread, with what for; the innermost last."""


_MAIN_THREAD: Final = threading.main_thread().ident
_DEFAULTS: Final = (signal.SIG_DFL, signal.default_int_handler)
# `signal.getsignal` tries to make an enum member of the answer of this one, which takes ten times as long.
_current_handler: Final[Callable[[int], Any]] = sys.modules.get("_signal", signal).getsignal


@final
class Interrupts:
    """Turns signals into exceptions that first cancel what runs.

    `raised` gives the exception for each signal; `default` is what a signal's handler must be for us to take it.
    """

    def __init__(self, raised: Mapping[signal.Signals, Callable[[], BaseException]]) -> None:
        self._raised = raised
        self._previous: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Takes over each signal that has its default handler. Cheap when already installed."""
        if threading.get_ident() != _MAIN_THREAD:
            return
        for number in self._raised:
            handler = _current_handler(number)
            if handler in _DEFAULTS:
                self._previous.setdefault(number, handler)
                signal.signal(number, self._handle)

    def uninstall(self) -> None:
        """Gives back each signal that is still ours."""
        for number, handler in self._previous.items():
            # Bound methods are made anew at each access, hence the comparison by value.
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        error = self._raised[signal.Signals(number)]()
        if running:
            loop, operation = running[-1]
            if not operation.interrupted and not loop.is_closed():
                # The loop may be busy and come to it late, or never: then the next signal is the second.
                operation.interrupted = True
                loop.call_soon_threadsafe(operation.cancel, error)
                return
        raise error
