"""Signals that have arrived but that Python has not handled yet. They are sent to the main thread again.

Python runs a signal handler between two bytecode instructions. If a signal arrives just before a blocking call, such as
`time.sleep` or the `select` of a loop, the handler runs only when the call returns, which may be never. So a thread
reads the number of each arriving signal from a socket, to which the interpreter writes it (`signal.set_wakeup_fd`).

Does nothing on Windows, or if somebody else uses the wakeup descriptor. uvloop uses it itself while it runs.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final, final
from weakref import WeakSet

from looprig.runtime.clock import Alarm, now

__all__ = ["Arrivals"]

_PATIENCE: Final = 0.5
"""Seconds to wait before an arrived signal counts as not handled."""
_MARGIN: Final = 1.0
"""Seconds by which a handler's run may precede the arrival that the thread sees, and still count as handling it."""


@final
class Arrivals:
    """A watcher for signals with the given numbers, from `listen` to `close`. The collection may change later."""

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = numbers
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        self._handled: float = -_MARGIN
        self.is_paused: bool = False
        """Whether the wakeup descriptor is currently left to other code."""

    def listen(self) -> None:
        """Start watching, or go on after a pause. Must be called in the main thread."""
        is_paused, self.is_paused = self.is_paused, False
        if self._sockets is not None:
            if (
                is_paused
                and (before := signal.set_wakeup_fd(self._sockets[0].fileno(), warn_on_full_buffer=False)) != -1
            ):
                signal.set_wakeup_fd(before)
            return
        if not hasattr(signal, "pthread_kill"):
            return
        written, read = socket.socketpair()
        written.setblocking(False)
        before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before)
            written.close()
            read.close()
            return
        self._sockets = written, read
        _listening.add(self)
        _thread.start_new_thread(self._read, (read,))

    def pause(self) -> None:
        """Leave the wakeup descriptor to other code, until `listen` is called. Must be called in the main thread."""
        if self._sockets is None or self.is_paused:
            return
        self.is_paused = True
        if (current := signal.set_wakeup_fd(-1)) not in {-1, self._sockets[0].fileno()}:
            signal.set_wakeup_fd(current)

    def handled(self) -> None:
        """Record that a signal is being handled now."""
        self._handled = now()

    def close(self) -> None:
        """Stop watching. Must be called in the main thread."""
        if self._sockets is None:
            return
        written, read = self._sockets
        self._sockets = None
        _listening.discard(self)
        current = signal.set_wakeup_fd(-1)
        if current not in {-1, written.fileno()}:
            signal.set_wakeup_fd(current)
        with suppress(OSError):
            read.shutdown(socket.SHUT_RDWR)  # this ends the thread
        written.close()
        read.close()

    def _read(self, read: socket.socket) -> None:
        with suppress(OSError):
            while numbers := read.recv(64):
                for number in tuple(self._numbers):
                    if number in numbers:
                        Alarm(now() + _PATIENCE, partial(self._insist, number, now()))

    def _insist(self, number: int, came: float) -> None:
        main = threading.main_thread().ident
        is_watched = self._sockets is not None and number in self._numbers
        if is_watched and self._handled < came - _MARGIN and main is not None:
            signal.pthread_kill(main, number)

    def forget(self) -> None:
        """Stop watching in a forked child, whose signals must not be reported to the parent process."""
        self._sockets = None
        with suppress(ValueError):  # forked by another thread
            signal.set_wakeup_fd(-1)


_listening: Final[WeakSet[Arrivals]] = WeakSet()


def _forget_all() -> None:
    for arrivals in list(_listening):
        arrivals.forget()
    _listening.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
