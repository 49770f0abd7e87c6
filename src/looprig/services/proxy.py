"""A proxy in front of a declared service: what `Proxy[Rest]` gives.

Does not carry bytes (`looprig.net.proxy` does). Invariant: it starts after its service and ends before it.
"""

import os
import ssl
import types
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from looprig.declare.lifecycle import lifecycle_of
from looprig.declare.service import START_TIMEOUT, ServiceSpec, snake_case
from looprig.exceptions import LooprigError
from looprig.location import Location
from looprig.net.ports import url_of
from looprig.net.proxy.controls import ProxyControls
from looprig.net.proxy.link import SocketAddress
from looprig.scopes import Scope
from looprig.services.routed import address_of, routed

__all__ = ["HasAddress", "Proxy", "proxy_for", "url_at"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


class HasAddress(Protocol):
    """What a service needs for a proxy to stand in front of it: where it listens, known once it has started."""

    @property
    def address(self) -> tuple[str, int] | str | os.PathLike[str]:
        """Host and port, or the path of a Unix socket."""
        ...


S = TypeVar("S", bound=HasAddress)


@dataclass(kw_only=True, eq=False, repr=False)
class Proxy(ProxyControls, Generic[S]):
    """A TCP proxy in front of a service, to break the network between it and its clients.

        async def test_survives_a_reset(proxy: Proxy[Rest]) -> None:
            with proxy.apply(Reset(after_bytes=100)):
                ...

    A test that asks for `Proxy[Rest]` gets the one that is declared with `proxy_fixture`, or else one of its own.
    `service` is the service, reached directly; `routed` is the same, reached through the proxy.
    """

    service: S

    @property
    def routed(self) -> S:
        """The service as clients are to see it: with the address of the proxy, and all else its own."""
        address = self._running().listener.address
        instead: dict[str, object] = {"address": address, "client_tls": self.client_tls}
        if isinstance(address, tuple):
            instead |= {"address": self.address, "host": self.address.host, "port": self.address.port}
        else:
            instead |= {"path": address}
        if isinstance(address, tuple) and isinstance(getattr(self.service, "url", None), str):
            instead["url"] = self.url
        return routed(self.service, instead)

    @property
    def url(self) -> str:
        """The service's base URL, with the address of the proxy.

        Raises `LooprigError` where the service has none.
        """
        url: object = getattr(self.service, "url", None)
        if not isinstance(url, str):
            name = type(self.service).__qualname__
            raise LooprigError(f"{name} has no url, so its proxy has none: ask `address`.")
        return url_at(url, *self.address)

    @property
    def client_tls(self) -> ssl.SSLContext | None:
        """The context with which a client trusts what it meets at `address`: the proxy, or the service behind it."""
        return super().client_tls or self._client_tls_of_service()

    async def run(self) -> AsyncIterator[None]:
        """Carries until this generator is closed or resumed; it yields once, when clients are accepted."""
        await self._open()
        try:
            yield
        finally:
            await self._close()

    def _client_tls_of_service(self) -> ssl.SSLContext | None:
        context: ssl.SSLContext | None = getattr(self.service, "client_tls", None)
        return context

    def _trusted(self) -> ssl.SSLContext | None:
        return self.upstream_tls or self._client_tls_of_service()

    def _upstream(self) -> SocketAddress:
        return address_of(self.service)


def url_at(url: str, host: str, port: int) -> str:
    """A URL with another host and port."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{url_of('', host, port).removeprefix('://')}"))


def proxy_for(service: ServiceSpec, kind: Any) -> ServiceSpec:
    """A proxy in front of a service for which none of its kind is declared: one for each test."""
    name = f"{kind.__name__}[{service.cls.__qualname__}]"

    def declared_at(_: object) -> Location:
        return service.location

    body: dict[str, Any] = {"_declared_at": declared_at}
    cls = types.new_class(name, (kind[service.cls],), exec_body=lambda namespace: namespace.update(body))
    cls.__module__ = service.cls.__module__
    cls.__doc__ = f"A proxy in front of {service.cls.__qualname__}, for one test."
    return ServiceSpec(
        cls=cls,
        name=f"{service.name}_{snake_case(kind.__name__)}",
        scope=Scope.FUNCTION,
        provides=(),
        autouse=False,
        start_timeout=START_TIMEOUT,
        lifecycle=lifecycle_of(cls),
        location=service.location,
        ordinal=service.ordinal,
    )
