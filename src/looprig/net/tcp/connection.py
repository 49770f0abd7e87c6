"""One client's connection: two sockets, and a pipe each way.

Does not choose toxics or keep the list of connections (`link` does).

Invariants:
1. An end (FIN) closes one direction alone; the connection is over when both have ended.
2. A reset on one side becomes a reset on the other: `SO_LINGER` with 0 seconds makes the kernel send RST where a
   plain close would send FIN.
3. Whatever happens, both sockets get closed, and `Owner.finished` is called once.
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
"""Seconds that a peer has to close its side after all was sent, the end of the connection included."""

_LOOK_AGAIN: Final = 0.01
"""Seconds between two looks at what the kernel still has to send. There is no event for that."""

_LAST_LOOKS: Final = round(_LAST_WORDS / _LOOK_AGAIN)

State = Literal["connecting", "open", "closing", "closed"]


class Owner(Protocol):
    """The link, as its connections see it."""

    @property
    def log(self) -> FaultLog:
        """Where events and errors go."""
        ...

    def given_up(self, connection: "Connection") -> None:
        """Stop making a connection."""

    def progressed(self) -> None:
        """Take note that a connection was made, or has written more of what it held."""

    def finished(self, connection: "Connection") -> None:
        """Let go of a connection whose sockets are closed."""

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task that ends with the link at the latest."""
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
        """Whether the socket belongs to a transport, or is about to: then it is not ours to close."""
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
        return not self.is_tls  # the other direction goes on; TLS has no way to end one alone

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
        """The bytes that its peer's kernel has not taken yet; if that is unknown, those in the transport."""
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
        """Close it in good order, with what is still to be written."""
        # Once: asyncio's TLS forgets its protocol when it is closed again, and then it can't even be aborted.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Reset the peer; while the transport is being made, that waits for `Connection.begin`."""
        if self.is_lost:
            return  # aborting what was closed with bytes unsent is an error in asyncio
        reset_socket(self.sock)
        if self.transport is not None:
            self.transport.abort()
        elif not self.is_handed:
            self.sock.close()
            self.is_lost = True
        elif self.is_tls:  # otherwise a handshake goes on for as long as its peer likes
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


@final
class Connection:
    """A client and, once it is reached, the service."""

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
        """Both pipes, upstream first."""
        return self.upstream, self.downstream

    @property
    def is_flushed(self) -> bool:
        """Whether it is over, or is ending and has sent everything."""
        if self.state == "closing":
            return all(side.is_lost or (side.fed_by.has_finished and not side.unsent) for side in self._sides())
        return self.state == "closed"

    @property
    def takes_toxics(self) -> bool:
        """Whether it is being made, or open."""
        return self.state in {"connecting", "open"}

    # Beginning

    def reached(self, sock: socket.socket) -> Side:
        """Return the protocol for the socket to the service, which has taken the connection."""
        self.service = Side(self, "the service", sock, self.downstream, self.upstream)
        return self.service

    def begin(self) -> None:
        """Start carrying, now that both transports exist, unless the connection was reset in the meantime."""
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
        """Take the end of a peer's direction."""
        if self.state == "closing":
            self._close_those_that_ended()
        else:
            side.feeds.feed_end()

    def side_flushed(self, side: Side) -> None:
        """Take note that a side's transport has written everything to its socket."""
        if self.state == "closing":
            self._owner.progressed()

    def side_lost(self, side: Side, error: Exception | None) -> None:
        """Take note that a socket is closed: by its peer, by an error, or by us."""
        side.fed_by.close()
        if self.takes_toxics and (error is not None or not side.has_ended):
            self.note("reset", side.feeds.direction, "", f"by {side.name}")
            side.feeds.feed_abort()
        self.finish_if_lost()

    # What the pipes and their toxics ask for (`Ends`)

    def direction_ended(self, direction: FlowDirection, by: str) -> None:
        """End a direction, whose end has gone through its pipe."""
        pipe = self._pipe(direction)
        self.note("ended", pipe.direction, by, f"after {pipe.passed} bytes")
        self._ended += 1
        if self._ended == len(self.pipes):
            self._begin_to_close()
        elif not pipe.end_sink():  # TLS can't end one direction alone
            self.close_orderly(by, pipe.direction)

    def close_orderly(self, by: str, direction: FlowDirection | None = None, why: str = "") -> None:
        """Write what is held, then end both directions; what peers still send is dropped."""
        if self.state == "connecting":
            self._to_close = why  # it can't end in good order before it is made
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
        """End the sink of a direction that has written all that it held."""
        pipe = self._pipe(direction)
        for side in self._sides():
            transport = side.transport
            if side.fed_by is pipe and transport is not None and not transport.is_closing() and not pipe.end_sink():
                transport.close()
        self._close_those_that_ended()
        self._owner.progressed()

    def _close_those_that_ended(self) -> None:
        """Close the sides whose peers have ended too: nothing of theirs is left unread, so closing sends no reset."""
        for side in self._sides():
            if side.has_ended and side.fed_by.has_finished:
                side.close()

    def _look(self) -> None:
        """Look at what is unsent: closing a socket too early would lose it if the peer sends something.

        Nothing limits how long a peer may take to read; `disconnect_all` resets the connection after its `grace`.
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
        elif self._last_words > 2 * _LAST_LOOKS:  # TLS waits for its peer to agree
            self.hang_up()

    def hang_up(self) -> None:
        """Close both sockets now. If peers have sent something in the meantime, the kernel may answer with a reset."""
        self.state = "closed"
        for pipe in self.pipes:
            pipe.close()
        for side in self._sides():
            if side.transport is not None and not side.is_lost:
                side.transport.abort()
        self.finish_if_lost()

    def reset(self, by: str, direction: FlowDirection | None = None, why: str = "") -> None:
        """Reset both sides, whatever is held."""
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
        """Report that a toxic raised, and reset: what it would have done with the rest is unknown."""
        toxic = stage.toxic
        self._owner.log.toxic_failed(
            self.info.index, stage.flow.direction, stage.name, toxic.source, error, is_off=stage.is_off
        )
        self.reset(stage.name)

    def reset_by_test(self) -> None:
        """Reset it, as the test wants."""
        self._owner.log.act()
        self.reset("", why="by the test")

    def lost_bytes(self, stage: Stage) -> None:
        """Reset the connection, since bytes are missing from its stream."""
        self.reset(stage.name, why="since bytes are missing")

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """Start a task for what a toxic awaits."""
        return self._owner.spawn(work, name)

    def note(self, kind: EventKind, direction: FlowDirection | None, toxic: str, detail: str = "") -> None:
        """Log an event."""
        self._owner.log.note(kind, self.info.index, direction, toxic, detail)

    # Ending

    def put_on(self, stage: Stage) -> None:
        """Add a toxic to the direction of its stage."""
        self._pipe(stage.flow.direction).put_on(stage)

    def take_off(self, stages: Sequence[Stage]) -> None:
        """Take toxics off. What they held back goes on; if one lost something, the connection is reset."""
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
        """Report that it is over, once both sockets are closed."""
        if not all(side.is_lost for side in self._sides()) or self.state == "connecting":
            return
        self.state = "closed"
        if self._last_look is not None:
            self._last_look.cancel()
            self._last_look = None
        for pipe in self.pipes:
            pipe.close()
        self._owner.finished(self)
