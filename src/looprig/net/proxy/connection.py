"""One client's connection: two sockets, and a pipe each way.

Does not choose toxics or keep the list of connections (`link` does).

Invariants:
1. An end (FIN) closes one direction alone; the connection is over when both have ended.
2. A reset on one side becomes a reset on the other: `SO_LINGER` with 0 seconds makes the kernel send RST where a
   plain close would send FIN.
3. Whatever happens, both sockets get closed, and `finished` is told once.
"""

import asyncio
import socket
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, Protocol, cast, final

from looprig.net.proxy.events import EventKind
from looprig.net.proxy.line import Stage
from looprig.net.proxy.pipe import Pipe
from looprig.net.proxy.sockets import reset_socket, unsent_bytes
from looprig.toxics.flow import FlowDirection
from looprig.toxics.rule import ConnectionInfo

__all__ = ["Connection", "Owner"]

_LAST_WORDS: Final = 1.0
"""Seconds that a peer has to close its side after all was sent, and it was told that the connection is over."""

_LOOK_AGAIN: Final = 0.01
"""Seconds between two looks at what the kernel still has to send: it tells nobody."""

_LAST_LOOKS: Final = round(_LAST_WORDS / _LOOK_AGAIN)

State = Literal["connecting", "open", "closing", "closed"]


class Owner(Protocol):
    """The link, as far as connections know it."""

    def given_up(self, connection: "Connection") -> None:
        """It is not to be made any more."""
        ...

    def opened(self, connection: "Connection") -> None:
        """It is made on both sides."""
        ...

    def flushed(self, connection: "Connection") -> None:
        """It is about to end, and has written more of what it still had to."""
        ...

    def finished(self, connection: "Connection") -> None:
        """Both of its sockets are closed."""
        ...

    def toxic_failed(self, connection: "Connection", stage: Stage, error: BaseException) -> None:
        """A toxic on it raised."""
        ...

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """A task that ends with the link at the latest."""
        ...

    def note(
        self,
        kind: EventKind,
        connection: "Connection",
        direction: FlowDirection | None,
        toxic: str,
        detail: str,
    ) -> None:
        """Something for the log."""
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
        """Whether the socket is a transport's, or about to be: then it is not ours to close."""
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
        """Bytes that its peer's kernel has not taken yet; only those in the transport, where that cannot be known."""
        if self.is_lost or self.transport is None:
            return 0
        buffered = self.transport.get_write_buffer_size()
        return buffered + (0 if self.sock.family == socket.AF_UNIX else unsent_bytes(self.transport))

    def hold_back(self) -> None:
        """Reads nothing until the pipe is opened."""
        if self.transport is not None:
            self.transport.pause_reading()
            self.feeds.is_held_back()

    def close(self) -> None:
        """Ends it in good order, with what is still to be written."""
        # Once: asyncio's TLS forgets its protocol when it is closed again, and can then not even be aborted.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Resets the peer; while the transport is being made, that waits for `Connection.begin`."""
        if self.is_lost:
            return  # to abort what is gone is an error in asyncio, if it was closed with bytes unsent
        reset_socket(self.sock)
        if self.transport is not None:
            self.transport.abort()
        elif not self.is_handed:
            self.sock.close()
            self.is_lost = True
        elif self.is_tls:  # a handshake would go on for as long as its peer likes
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


@final
class Connection:
    """A client and, once it was reached, the service."""

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
        """Upstream, downstream."""
        return self.upstream, self.downstream

    @property
    def is_flushed(self) -> bool:
        """Whether it is over, or about to be and all that it is to send has gone."""
        if self.state == "closing":
            return all(side.is_lost or (side.fed_by.has_finished and not side.unsent) for side in self._sides())
        return self.state == "closed"

    # Beginning

    def reached(self, sock: socket.socket) -> Side:
        """The service has taken the connection: gives the protocol for the socket to it."""
        self.service = Side(self, "the service", sock, self.downstream, self.upstream)
        return self.service

    def begin(self) -> None:
        """Both transports are there: carries from now on, unless it was reset meanwhile."""
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
        self._owner.opened(self)
        if self._to_close:
            self.close_orderly("", why=self._to_close)

    # What the sockets tell

    def side_ended(self, side: Side) -> None:
        """A peer has said that it sends no more."""
        if self.state == "closing":
            self._close_those_that_ended()
        else:
            side.feeds.feed_end()

    def side_flushed(self, side: Side) -> None:
        """All that was to be written to a side is in its socket."""
        if self.state == "closing":
            self._owner.flushed(self)

    def side_lost(self, side: Side, error: Exception | None) -> None:
        """A socket is closed: by its peer, by an error, or by us."""
        side.fed_by.close()
        if self.state in {"connecting", "open"} and (error is not None or not side.has_ended):
            self.note("reset", side.feeds.direction, "", f"by {side.name}")
            side.feeds.feed_abort()
        self.finish_if_lost()

    # What the pipes and their toxics say

    def direction_ended(self, direction: FlowDirection, by: str) -> None:
        """The end of a direction has gone through its pipe."""
        pipe = self._pipe(direction)
        self.note("ended", pipe.direction, by, f"after {pipe.passed} bytes")
        self._ended += 1
        if self._ended == len(self.pipes):
            self._begin_to_close()
        elif not pipe.end_sink():  # TLS cannot end one direction alone
            self.close_orderly(by, pipe.direction)

    def close_orderly(self, by: str, direction: FlowDirection | None = None, why: str = "") -> None:
        """Writes what is held, then ends both directions; what peers still send is not carried."""
        if self.state == "connecting":
            self._to_close = why  # in good order, so not before it is made
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
        """A direction has written what it held: its sink is told that nothing more comes."""
        pipe = self._pipe(direction)
        for side in self._sides():
            transport = side.transport
            if side.fed_by is pipe and transport is not None and not transport.is_closing() and not pipe.end_sink():
                transport.close()
        self._close_those_that_ended()
        self._owner.flushed(self)

    def _close_those_that_ended(self) -> None:
        """Of a peer that has ended too nothing is left unread, so that closing sends no reset."""
        for side in self._sides():
            if side.has_ended and side.fed_by.has_finished:
                side.close()

    def _look(self) -> None:
        """Sees how far it has come. To close a socket of which something is unsent would lose that, if its peer sends.

        Nothing limits how long a peer may take to read: who wants the connection gone resets it (`disconnect_all`).
        """
        self._last_look = self._loop.call_later(_LOOK_AGAIN, self._look)
        if not self.is_flushed:
            self._last_words = 0
            return
        self._owner.flushed(self)
        self._last_words += 1
        if self._last_words == _LAST_LOOKS:
            for side in self._sides():
                side.close()
        elif self._last_words > 2 * _LAST_LOOKS:  # TLS waits for its peer to agree
            self.hang_up()

    def hang_up(self) -> None:
        """Closes both sockets now. What peers have sent meanwhile, they may be told by a reset that it was too late."""
        self.state = "closed"
        for pipe in self.pipes:
            pipe.close()
        for side in self._sides():
            if side.transport is not None and not side.is_lost:
                side.transport.abort()
        self.finish_if_lost()

    def reset(self, by: str, direction: FlowDirection | None = None, why: str = "") -> None:
        """Resets both sides, whatever is held."""
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
        """A toxic raised: what would come after that is not what was meant."""
        self._owner.toxic_failed(self, stage, error)
        self.reset(stage.name)

    def lost_bytes(self, stage: Stage) -> None:
        """A stream with a gap is no stream."""
        self.reset(stage.name, why="since bytes are missing")

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> "asyncio.Task[object]":
        """A task for what a toxic awaits."""
        return self._owner.spawn(work, name)

    def note(self, kind: EventKind, direction: FlowDirection | None, toxic: str, detail: str = "") -> None:
        """For the log."""
        self._owner.note(kind, self, direction, toxic, detail)

    # Ending

    def put_on(self, stage: Stage) -> None:
        """One more toxic on the direction that the stage is for."""
        self._pipe(stage.flow.direction).put_on(stage)

    def take_off(self, stages: Sequence[Stage]) -> None:
        """Toxics are no more. What they held back goes on; where one lost something, the connection is reset."""
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
        """Tells that it is over, once both sockets are closed."""
        if not all(side.is_lost for side in self._sides()) or self.state == "connecting":
            return
        self.state = "closed"
        if self._last_look is not None:
            self._last_look.cancel()
            self._last_look = None
        for pipe in self.pipes:
            pipe.close()
        self._owner.finished(self)
