"""The common base of services that speak HTTP: their address and URL.

Does not listen (`address.listen` does) or serve anything.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import TEXT, Check, instance_of
from looprig.net.ports import localhost, url_of
from looprig.services.address import Address, bound_address
from looprig.services.in_flight import InFlight

__all__ = ["Served"]


@dataclass(kw_only=True)
class Served(Configured):
    """An HTTP service. `tls` makes its URL https, and `client_tls` is the context for clients that have to trust it."""

    _checks: ClassVar[Mapping[str, Check]] = {
        "host": TEXT,
        "tls": instance_of("an ssl.SSLContext", ssl.SSLContext).or_none(),
        "client_tls": instance_of("an ssl.SSLContext", ssl.SSLContext).or_none(),
    }

    host: str = config_field(factory=localhost)
    tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    client_tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    _address: Address | None = field(default=None, init=False, repr=False, compare=False)

    _in_flight: InFlight = field(default_factory=InFlight, init=False, repr=False, compare=False)

    async def idle(self, *, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - its error says what it waits for
        """Wait until no request is being handled. Connections that are kept open do not count.

        A request may be handled for longer than it takes to answer it: a FastAPI application tears down dependencies
        and runs background tasks afterwards. Raises `TimeoutError`, which says which requests are still handled and
        where they wait, after `timeout` seconds.
        """
        bound_address(self, self._address)
        await self._in_flight.wait_idle(self, timeout)

    @property
    def address(self) -> Address:
        """The host and port, known from just before `create_app` until the service has stopped."""
        return bound_address(self, self._address)

    @property
    def port(self) -> int:
        """The port that the service listens on."""
        return self.address.port

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return url_of("https" if self.tls else "http", *self.address)
