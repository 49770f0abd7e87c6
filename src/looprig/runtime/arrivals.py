"""Signals that have come and that Python has not handled: they are sent to the main thread once more.

Python runs a signal's handler between two of its instructions. A signal that comes just before a blocking call, such as
`time.sleep` or the `select` of a loop, is only handled once that call has ended, which may be never. The interpreter
can be asked to write the number of each signal to a socket when it comes; a thread reads it here.

Does nothing where somebody else has asked for that, nor on Windows. While uvloop runs, it listens itself.
"""

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
"""Seconds after which a signal that has come must have been handled."""
_MARGIN: Final = 1.0
"""Seconds by which the handler may have been sooner than the thread: then it was this signal that it handled."""


@final
class Arrivals:
    """Watches for signals of these numbers from `listen` to `close`: the collection may change meanwhile."""

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = numbers
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        self._handled: float = -_MARGIN

    def listen(self) -> None:
        """Begin to watch. Must be called in the main thread."""
        if self._sockets is not None or not hasattr(signal, "pthread_kill"):
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

    def handled(self) -> None:
        """Note that a signal is being handled."""
        self._handled = now()

    def close(self) -> None:
        """End watching. Must be called in the main thread."""
        if self._sockets is None:
            return
        written, read = self._sockets
        self._sockets = None
        _listening.discard(self)
        current = signal.set_wakeup_fd(-1)
        if current not in {-1, written.fileno()}:
            signal.set_wakeup_fd(current)
        with suppress(OSError):
            read.shutdown(socket.SHUT_RDWR)  # which ends the thread
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
        """Leave the socket to the parent process, in a forked child: its signals are its own."""
        self._sockets = None
        signal.set_wakeup_fd(-1)


_listening: Final[WeakSet[Arrivals]] = WeakSet()


def _forget_all() -> None:
    for arrivals in list(_listening):
        arrivals.forget()
    _listening.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
