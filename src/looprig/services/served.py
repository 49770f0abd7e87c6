"""The common base of services that speak HTTP: their URL.

Does not listen (`listening` does) or serve anything.
"""

import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from socket import socket
from typing import ClassVar, Final

from looprig.declare.fields_meta import config_field
from looprig.declare.values import Check, instance_of
from looprig.exceptions import ServiceStartError
from looprig.location import location_of
from looprig.net.address import Address
from looprig.net.ports import url_of
from looprig.net.unix import unix_url
from looprig.services.address import bound_address
from looprig.services.listening import Listening

__all__ = ["Served"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@dataclass(kw_only=True)
class Served(Listening):
    """An HTTP service. `tls` makes its URL https, and `client_tls` is the context for clients that have to trust it."""

    _checks: ClassVar[Mapping[str, Check]] = {
        "client_tls": instance_of("an ssl.SSLContext", ssl.SSLContext).or_none(),
    }

    client_tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash. On a Unix socket it is `http+unix://`, and the path with `%2F`."""
        found = bound_address(self, self._address)
        if isinstance(found, Address):
            return url_of("https" if self.tls else "http", *found)
        return unix_url(found)

    def _bound(self) -> AbstractContextManager[socket]:
        if self.unix_socket is not False and self.tls is not None:
            name = type(self).__qualname__
            raise ServiceStartError(
                f"{name} has both tls and unix_socket, but a TestClient speaks no TLS over a Unix socket.",
                [(name, location_of(type(self)))],
                "Leave one of them out.",
            )
        return super()._bound()
