"""One client's connection: two sockets, and a pipe in each direction.

Does not choose toxics or keep the list of connections (`link` does).

Invariants:
1. An end (FIN) closes only one direction. The connection is over when both have ended.
2. A reset on one side becomes a reset on the other: `SO_LINGER` with 0 seconds makes the kernel send RST, while a plain
   close would send FIN.
3. In the end, both sockets are closed, and `Owner.finished` is called once.
"""

import asyncio
import socket
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, Protocol, cast, final

from looprig.net.faults.events import EventKind
from looprig.net.faults.log import FaultLog
from looprig.net.tcp.line import Stage
from looprig.net.tcp.pipe import Pipe
from looprig.net.tcp.sockets import reset_socket, unsent_bytes
from looprig.toxics.flow import FlowDirection
from looprig.toxics.rule import ConnectionInfo

__all__ = ["Connection", "Owner"]

_LAST_WORDS: Final = 1.0
"""Seconds that a peer has to close its side after everything was sent, including the end of the connection."""

_LOOK_AGAIN: Final = 0.01
"""Seconds between two checks whether the kernel has sent all bytes. It reports that by no event."""

_LAST_LOOKS: Final = round(_LAST_WORDS / _LOOK_AGAIN)

State = Literal["connecting", "open", "closing", "closed"]


class Owner(Protocol):
    """The part of a link that its connections use."""

    @property
    def log(self) -> FaultLog:
        """The record of events and errors."""
        ...

    def given_up(self, connection: "Connection") -> None:
        """Give up making a connection."""

    def progressed(self) -> None:
        """Handle progress of a connection: it was established, or has written held data."""

    def finished(self, connection: "Connection") -> None:
        """Forget a connection whose sockets are closed."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task that ends no later than the link."""
        ...


@final
class Side(asyncio.Protocol):
    """One of the two sockets, with the pipe that it feeds and the pipe that feeds it."""

    def __init__(self, connection: "Connection", name: str, sock: socket.socket, feeds: Pipe, fed_by: Pipe) -> None:
        self._connection = connection
        self.fed_by: Final = fed_by
        self.feeds: Final = feeds
        self.has_ended: bool = False
        self.is_handed: bool = False
        """Whether the socket belongs to a transport, or is about to. If so, only the transport may close it."""
        self.is_lost: bool = False
        self.is_tls: bool = False
        self.name: Final = name
        self.sock: Final = sock
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        pipe = self.feeds
        if pipe.is_fast:
            pipe.passed += len(data)
            pipe.write(data)
        else:
            pipe.feed(data)

    def eof_received(self) -> bool:
        if not self.has_ended:
            self.has_ended = True
            self._connection.side_ended(self)
        return not self.is_tls  # the other direction continues, except with TLS, which can't end one direction alone

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._connection.side_lost(self, exc)

    def pause_writing(self) -> None:
        self.fed_by.blocked()

    def resume_writing(self) -> None:
        self.fed_by.unblocked()
        self._connection.side_flushed(self)

    @property
    def unsent(self) -> int:
        """The number of bytes that the peer's kernel hasn't acknowledged or, if unknown, that the transport holds."""
        if self.is_lost or self.transport is None:
            return 0
        buffered = self.transport.get_write_buffer_size()
        return buffered + (0 if self.sock.family == socket.AF_UNIX else unsent_bytes(self.transport))

    def hold_back(self) -> None:
        """Read nothing until the pipe is opened."""
        if self.transport is not None:
            self.transport.pause_reading()
            self.feeds.is_held_back()

    def close(self) -> None:
        """Close the connection gracefully, after writing what is left."""
        # Only once: if asyncio's TLS transport is closed again it forgets its protocol, and can't even be aborted.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Reset the peer. If the transport is still being created, `Connection.begin` does it later."""
        if self.is_lost:
            return  # in asyncio, it is an error to abort a transport that was closed with unsent bytes
        reset_socket(self.sock)
        if self.transport is not None:
            self.transport.abort()
        elif not self.is_handed:
            self.sock.close()
            self.is_lost = True
        elif self.is_tls:  # otherwise the peer could make the handshake last as long as it likes
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


@final
class Connection:
    """A client's connection and, once it is established, that to the service."""

    def __init__(
        self, owner: Owner, info: ConnectionInfo, client: socket.socket, window: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._ended = 0
        self._last_look: asyncio.TimerHandle | None = None
        self._last_words = 0
        self._loop = loop
        self._owner = owner
        self._to_close = ""
        self.info: Final = info
        self.state: State = "connecting"
        self.upstream: Final = Pipe("upstream", self, window, loop)
        self.downstream: Final = Pipe("downstream", self, window, loop)
        self.client: Final = Side(self, "the client", client, self.upstream, self.downstream)
        self.service: Side | None = None

    @property
    def pipes(self) -> tuple[Pipe, Pipe]:
        """The pipes, upstream first."""
        return self.upstream, self.downstream

    @property
    def is_flushed(self) -> bool:
        """Whether the connection is over, or is ending and has sent everything."""
        if self.state == "closing":
            return all(side.is_lost or (side.fed_by.has_finished and not side.unsent) for side in self._sides())
        return self.state == "closed"

    @property
    def takes_toxics(self) -> bool:
        """Whether the connection is open or being established."""
        return self.state in {"connecting", "open"}

    # Beginning

    def reached(self, sock: socket.socket) -> Side:
        """Return the protocol for the socket to the service, after the service accepted the connection."""
        self.service = Side(self, "the service", sock, self.downstream, self.upstream)
        return self.service

    def begin(self) -> None:
        """Start carrying data, now that both transports exist, unless the connection was reset in the meantime."""
        service, client = self.service, self.client
        if self.state == "closed":
            for side in self._sides():
                side.abort()
            self.finish_if_lost()
            return
        assert service is not None
        assert service.transport is not None
        assert client.transport is not None
        self.state = "open"
        self.note("connected", None, "")
        self.upstream.open(client.transport, service.transport)
        self.downstream.open(service.transport, client.transport)
        for pipe in self.pipes:
            pipe.start()
        self._owner.progressed()
        if self._to_close:
            self.close_orderly("", why=self._to_close)

    # What the sockets report

    def side_ended(self, side: Side) -> None:
        """Handle the end of the direction from a peer."""
        if self.state == "closing":
            self._close_those_that_ended()
        else:
            side.feeds.feed_end()

    def side_flushed(self, side: Side) -> None:
        """Handle that a side's transport has written everything to its socket."""
        if self.state == "closing":
            self._owner.progressed()

    def side_lost(self, side: Side, error: Exception | None) -> None:
        """Handle the end of a socket, which its peer, an error, or the proxy closed."""
        side.fed_by.close()
        if self.takes_toxics and (error is not None or not side.has_ended):
            self.note("reset", side.feeds.direction, "", f"by {side.name}")
            side.feeds.feed_abort()
        self.finish_if_lost()

    # Called by the pipes and their toxics (`Ends`)

    def direction_ended(self, direction: FlowDirection, by: str) -> None:
        """End a direction after its end has passed through its pipe."""
        pipe = self._pipe(direction)
        self.note("ended", pipe.direction, by, f"after {pipe.passed} bytes")
        self._ended += 1
        if self._ended == len(self.pipes):
            self._begin_to_close()
        elif not pipe.end_sink():  # TLS can't end one direction alone
            self.close_orderly(by, pipe.direction)

    def close_orderly(self, by: str, direction: FlowDirection | None = None, why: str = "") -> None:
        """Write the held data, then end both directions. Drop what peers still send."""
        if self.state == "connecting":
            self._to_close = why  # it can't end gracefully before it is established
        if self.state != "open":
            return
        self.note("disconnected", direction, by, why)
        self._begin_to_close()

    def _begin_to_close(self) -> None:
        self.state = "closing"
        self._last_look = self._loop.call_later(_LOOK_AGAIN, self._look)
        for pipe in self.pipes:
            pipe.finish()

    def drained(self, direction: FlowDirection) -> None:
        """End the sink of a direction that has written all its held data."""
        pipe = self._pipe(direction)
        for side in self._sides():
            transport = side.transport
            if side.fed_by is pipe and transport is not None and not transport.is_closing() and not pipe.end_sink():
                transport.close()
        self._close_those_that_ended()
        self._owner.progressed()

    def _close_those_that_ended(self) -> None:
        """Close the sides whose peers have ended too. Nothing from them is left unread, so this sends no reset."""
        for side in self._sides():
            if side.has_ended and side.fed_by.has_finished:
                side.close()

    def _look(self) -> None:
        """Check for unsent bytes: they would be lost if a socket were closed too early and the peer sent something.

        A peer may take any time to read. `disconnect_all` resets the connection after its `grace`.
        """
        self._last_look = self._loop.call_later(_LOOK_AGAIN, self._look)
        if not self.is_flushed:
            self._last_words = 0
            return
        self._owner.progressed()
        self._last_words += 1
        if self._last_words == _LAST_LOOKS:
            for side in self._sides():
                side.close()
        elif self._last_words > 2 * _LAST_LOOKS:  # TLS waits for its peer's reply
            self.hang_up()

    def hang_up(self) -> None:
        """Close both sockets now. If peers have sent something in the meantime, the kernel may reply with a reset."""
        self.state = "closed"
        for pipe in self.pipes:
            pipe.close()
        for side in self._sides():
            if side.transport is not None and not side.is_lost:
                side.transport.abort()
        self.finish_if_lost()

    def reset(self, by: str, direction: FlowDirection | None = None, why: str = "") -> None:
        """Reset both sides, and drop the held data."""
        if self.state == "closed":
            return
        self.note("reset", direction, by, why)
        if self.state == "connecting":
            self._owner.given_up(self)
        self.state = "closed"
        for pipe in self.pipes:
            pipe.close()
        for side in self._sides():
            side.abort()
        self.finish_if_lost()

    def toxic_failed(self, stage: Stage, error: BaseException) -> None:
        """Report that a toxic raised, and reset the connection, since the toxic can't handle the rest of the data."""
        toxic = stage.toxic
        self._owner.log.toxic_failed(
            self.info.index, stage.flow.direction, stage.name, toxic.source, error, is_off=stage.is_off
        )
        self.reset(stage.name)

    def reset_by_test(self) -> None:
        """Reset the connection because the test requested it."""
        self._owner.log.act()
        self.reset("", why="by the test")

    def lost_bytes(self, stage: Stage) -> None:
        """Reset the connection, since bytes are missing from its stream."""
        self.reset(stage.name, why="since bytes are missing")

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task for an operation that a toxic awaits."""
        return self._owner.spawn(work, name)

    def note(self, kind: EventKind, direction: FlowDirection | None, toxic: str, detail: str = "") -> None:
        """Log an event."""
        self._owner.log.note(kind, self.info.index, direction, toxic, detail)

    # Ending

    def put_on(self, stage: Stage) -> None:
        """Add a toxic to the direction of its stage."""
        self._pipe(stage.flow.direction).put_on(stage)

    def take_off(self, stages: Sequence[Stage]) -> None:
        """Remove toxics. Data that they held back is sent on. If one lost data, reset the connection."""
        lossy = next((stage for stage in stages if stage.has_dropped), None)
        if lossy is not None:
            self.lost_bytes(lossy)
            return
        for pipe in self.pipes:
            pipe.take_off([stage for stage in stages if stage.flow.direction == pipe.direction])

    def _pipe(self, direction: FlowDirection) -> Pipe:
        return self.upstream if direction == "upstream" else self.downstream

    def _sides(self) -> list[Side]:
        return [self.client] if self.service is None else [self.client, self.service]

    def finish_if_lost(self) -> None:
        """Report that the connection is over, once both sockets are closed."""
        if not all(side.is_lost for side in self._sides()) or self.state == "connecting":
            return
        self.state = "closed"
        if self._last_look is not None:
            self._last_look.cancel()
            self._last_look = None
        for pipe in self.pipes:
            pipe.close()
        self._owner.finished(self)
