"""The proxy's port: whether it accepts, refuses or drops clients.

Does not read or write, and connects to no service. POSIX only: it waits for clients with the loop's `add_reader`.

Invariants:
1. The port is bound before it is known, and stays bound until `close`, even while nothing listens on it.
2. On Linux, this is the same socket all the time: `shutdown` ends its LISTEN state but leaves it bound, since it was
   bound to a port by number (tcp_disconnect in the kernel). So no other program can bind the port in between.
3. A state that was set for a `with` block ends with the block. Nested blocks add up.
"""

import asyncio
import errno
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, cast, final

from looprig.exceptions import LooprigError
from looprig.net.ports import localhost
from looprig.net.tcp.sockets import reset_socket, tune
from looprig.runtime.clock import now

__all__ = ["Listener", "can_watch_sockets"]

_AT_ONCE: Final = 64
"""Maximum number of clients that are accepted in one round of the loop."""

_BACKLOG: Final = 1024
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REST: Final = 1.0
"""Seconds to pause after the system could not accept another client, as asyncio's servers do."""
_FILLED_WITHIN: Final = 0.05
"""Seconds after which a loopback connection that isn't established yet must have been dropped."""
_PORT_WAIT: Final = 5.0
"""Seconds to wait for another program that bound the port for a moment."""

State = Literal["down", "unreachable", "paused"]


@final
class Listener:
    """A bound port, or with `path` a Unix socket."""

    def __init__(self, host: str | None, path: str | None, accepted: Callable[[socket.socket, str], None]) -> None:
        self._accepted = accepted
        self._fillers: list[socket.socket] = []
        self._is_closed = False
        self._is_listening = False
        self._is_reading = False
        self._kept: list[tuple[socket.socket, str]] = []
        """Clients that had to be accepted while none is served."""
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._rest: asyncio.TimerHandle | None = None
        self._socket = _bound_path(path) if path is not None else _bound_port(host or localhost())
        self._states: list[State] = []
        name = self._socket.getsockname()
        self.address: Final[tuple[str, int] | str] = path if path is not None else (name[0], name[1])
        self._apply()

    # States

    @contextmanager
    def put(self, state: State) -> Generator[None, None, None]:
        """Refuse new clients, drop their packets, or keep them waiting, until the block ends."""
        if state == "unreachable" and (self._path is not None or sys.platform != "linux"):
            raise LooprigError(
                "Only a TCP port on Linux can be made unreachable: elsewhere a full queue refuses or waits.",
                (),
                "Use down() for a service that refuses, or accept_paused() for one that does not answer.",
            )
        self._states.append(state)
        try:
            self._apply()
            yield
        finally:
            self._states.remove(state)
            if not self._is_closed:
                self._apply()

    def _apply(self) -> None:
        is_down = "down" in self._states
        is_unreachable = "unreachable" in self._states and not is_down
        if self._states:
            self._read(on=False)
        if self._fillers and not is_unreachable:
            self._empty()
        if is_down:
            if self._is_listening:
                self._refuse()
        else:
            if not self._is_listening:
                self._listen()
            if is_unreachable and not self._fillers:
                self._fill()
            if not self._states:
                self._read(on=True)
        if "paused" not in self._states:
            self._hand_on()

    def _read(self, *, on: bool) -> None:
        if on is self._is_reading:
            return
        self._is_reading = on
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if on:
            self._loop.add_reader(self._socket, self._take)
        else:
            self._loop.remove_reader(self._socket)

    def _refuse(self) -> None:
        self._take(limit=_BACKLOG)  # clients that are already connected must not be refused
        self._is_listening = False
        if self._path is not None:
            self._socket.close()  # the socket file stays in the folder, and connecting to it is refused
            return
        # Otherwise another program with SO_REUSEADDR could bind the port while this socket does not listen.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # not Linux
            address = self._socket.getsockname()
            self._socket.close()
            self._socket = _bound(self._socket.family, address, has_clients=True)

    def _listen(self) -> None:
        if self._socket.fileno() == -1 and self._path is not None:
            self._socket = _bound_path(self._path)
        self._is_listening = True
        deadline = now() + _PORT_WAIT
        while True:
            try:
                self._socket.listen(_BACKLOG)
            except OSError:
                # Earlier connections, even in TIME_WAIT, prevent binding without SO_REUSEADDR; they have it.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with suppress(OSError):
                    self._socket.listen(_BACKLOG)
                    return
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
                if now() > deadline:
                    raise
                time.sleep(0.001)
            else:
                return

    def _fill(self) -> None:
        """Fill the queue of connections to be accepted, so that the kernel drops the packets of further clients.

        Source: listen(2) and tcp(7) of Linux, with tcp_abort_on_overflow at its default of 0.
        """
        self._take(limit=_BACKLOG)
        self._socket.listen(0)
        address = self._socket.getsockname()
        while True:
            filler = socket.socket(self._socket.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            self._fillers.append(filler)
            filler.connect_ex(address)
            poll = select.poll()
            poll.register(filler, select.POLLOUT)
            if not poll.poll(_FILLED_WITHIN * 1000):
                return

    def _empty(self) -> None:
        """Remove the fillers from the queue again, but not the clients between them."""
        own = {filler.getsockname() for filler in self._fillers}
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._take(limit=_BACKLOG, own=own)
        self._socket.listen(_BACKLOG)

    # Clients

    def _take(self, limit: int = _AT_ONCE, own: Collection[object] = ()) -> None:
        for _ in range(limit):
            try:
                client, address = cast("tuple[socket.socket, object]", self._socket.accept())
            except (BlockingIOError, InterruptedError):
                break
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._take_a_rest(error)
                break
            if address in own:
                client.close()
                continue
            client.setblocking(False)
            tune(client)
            if self._path is None:  # without this option its port can't be listened on again, see `_listen`
                client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._kept.append((client, _shown(address)))
        if "paused" not in self._states:
            self._hand_on()

    def _hand_on(self) -> None:
        while self._kept:
            self._accepted(*self._kept.pop(0))

    def _take_a_rest(self, error: OSError) -> None:
        """Pause accepting, since the process or the system can't accept another client now."""
        self._loop.call_exception_handler({
            "message": f"a proxy cannot accept clients for now: {error}", "exception": error
        })  # fmt: skip
        if self._is_reading and self._rest is None:
            self._loop.remove_reader(self._socket)
            self._rest = self._loop.call_later(_REST, self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        if self._is_reading:
            self._loop.add_reader(self._socket, self._take)

    def take_waiting(self) -> None:
        """Accept all waiting clients, even while none is served."""
        if self._is_listening and not self._fillers:
            self._take(limit=_BACKLOG)
        self._hand_on()

    def close(self) -> None:
        """Release the port. The kernel resets clients that wait to be accepted."""
        self._is_closed = True
        self._read(on=False)
        for client, _ in self._kept:
            reset_socket(client)  # as the kernel does with those in its queue
        for waiting in (*self._fillers, *(client for client, _ in self._kept)):
            waiting.close()
        self._socket.close()
        if self._path is not None:
            with suppress(FileNotFoundError):
                Path(self._path).unlink()


def can_watch_sockets(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop has `add_reader`. Windows' default loop, for example, doesn't have it."""
    one, other = socket.socketpair()
    with one, other:
        try:
            loop.add_reader(one, bool)
        except NotImplementedError:
            return False
        loop.remove_reader(one)
    return True


def _shown(address: object) -> str:
    """Return `host:port`, or "" for a Unix socket, whose clients have no name."""
    if not isinstance(address, tuple):
        return ""
    host, port, *_ = cast("tuple[object, ...]", address)
    return f"{host}:{port}"


def _bound_port(host: str) -> socket.socket:
    """Return a socket that is bound to a port by number, so that it keeps the port when it stops listening."""
    family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
            found = probe.getsockname()
        with suppress(OSError):  # another program got the port in between
            return _bound(family, found)


def _bound(family: int, address: object, *, has_clients: bool = False) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if has_clients:  # whose connections would prevent it. On BSD and macOS, no other program can bind it even so
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        tune(bound)
        bound.bind(address)  # type: ignore[arg-type]
    except BaseException:
        bound.close()
        raise
    return bound


def _bound_path(path: str) -> socket.socket:
    """Return a Unix socket at a path. It replaces an existing one atomically."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        with tempfile.TemporaryDirectory(dir=Path(path).parent, prefix=".") as beside:
            first = Path(beside) / "s"
            bound.bind(str(first))
            first.replace(path)
    except BaseException:
        bound.close()
        raise
    return bound
