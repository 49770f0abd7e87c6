"""What is told of a UDP link: the log of events, and the errors that the test is to see.

Does not act on anything. Invariant: an error of the proxy's own is in `errors` until somebody takes it.
"""

import time
from collections.abc import Sequence
from typing import Final, final

from looprig.exceptions import ProxyError
from looprig.location import Location, location_of
from looprig.net.datagrams.proxy.course import Stage, ToxicRaisedError
from looprig.net.datagrams.proxy.exchange import Exchange, Way
from looprig.net.proxy.events import EventKind, EventLog, ProxyEvent, proxy_error
from looprig.toxics.flow import FlowDirection

__all__ = ["DatagramLog"]


@final
class DatagramLog:
    """Of one link; `owner` is the proxy, as errors list it, and `service` where it sends to."""

    __slots__ = ("_began", "_owner", "_service", "errors", "events")

    def __init__(self, owner: tuple[str, Location], service: tuple[str, int]) -> None:
        self._began = time.monotonic()
        self._owner = owner
        self._service = f"{service[0]}:{service[1]}"
        self.errors: Final[list[ProxyError]] = []
        self.events: Final = EventLog()

    def tell(
        self,
        kind: EventKind,
        index: int | None,
        detail: str = "",
        *,
        toxic: str = "",
        direction: FlowDirection | None = None,
    ) -> None:
        """One more event, of the connection of this index."""
        self.events.add(ProxyEvent(time.monotonic() - self._began, kind, index, direction, toxic, detail))

    def fault(self, way: Way, stage: Stage, text: str) -> None:
        """What a toxic did."""
        self._note("fault", way, stage.name, text)

    # What goes wrong

    def not_made(self, index: int, error: OSError) -> None:
        """There is no socket for a client."""
        self.tell("refused", index, str(error))
        self._report(f"Connection #{index} could not be made to {self._service}: {error}", error)

    def refused(self, exchange: Exchange, error: OSError) -> None:
        """The kernel was told by ICMP of a datagram that could not be delivered. That is said once of an exchange."""
        if exchange.is_open and not exchange.has_refused:
            exchange.has_refused = True
            self._note("refused", exchange.upstream, "", str(error))
            self._report(f"Connection #{exchange.info.index} found nobody at {self._service}: {error}", error)

    def port_failed(self, error: OSError) -> None:
        """The socket that clients send to has an error."""
        if not isinstance(error, ConnectionRefusedError):  # a client that has gone is no fault of anyone's
            self.tell("error", None, str(error))
            self._report(f"The port of the proxy failed: {error}", error)

    def not_sent(self, way: Way, data: bytes, error: OSError) -> None:
        """The kernel does not take a datagram."""
        where = self._service if way.direction == "upstream" else way.exchange.info.client
        told = f"a datagram of {len(data)} bytes could not be sent to {where}: {error}"
        self._note("error", way, "", told)
        self._report(f"On connection #{way.exchange.info.index} {told}", error)

    def toxic_failed(self, failure: ToxicRaisedError, way: Way, number: int) -> None:
        """A toxic raised, and the datagram is lost."""
        error, stage = failure.__cause__, failure.stage
        told = f"{type(error).__name__}: {error}"
        self._note("error", way, stage.name, f"lost datagram {number}: {told}")
        kind = type(stage.toxic)
        party = (kind.__qualname__, location_of(kind))
        self._report(f"{stage.name} raised on connection #{way.exchange.info.index}: {told}", error, [party])

    def when_failed(self, index: int, error: Exception) -> None:
        """The `when` of a toxic raised: the connection gets none of those that were applied with it."""
        told = f"{type(error).__name__}: {error}"
        self.tell("error", index, f"when: {told}")
        self._report(f"The `when` of a toxic raised on connection #{index}: {told}", error)

    def _note(self, kind: EventKind, way: Way, toxic: str, detail: str) -> None:
        self.tell(kind, way.exchange.info.index, detail, toxic=toxic, direction=way.direction)

    def _report(self, what: str, cause: BaseException | None, parties: Sequence[tuple[str, Location]] = ()) -> None:
        self.errors.append(proxy_error(what, (*parties, self._owner), cause))
