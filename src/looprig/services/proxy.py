"""A TCP proxy in front of a declared service, requested by `Proxy[Rest]`.

Does not carry bytes (`net.tcp` does). Invariant: a proxy starts after its service and ends before it.
"""

import asyncio
import os
import ssl
import types
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from looprig.declare.lifecycle import lifecycle_of
from looprig.declare.proxy import TCP, ProxyKind
from looprig.declare.service import START_TIMEOUT, ServiceSpec, snake_case
from looprig.exceptions import LooprigError
from looprig.location import Location
from looprig.net.ports import url_of
from looprig.net.tcp.controls import TcpControls
from looprig.net.tcp.link import SocketAddress
from looprig.net.unix import split_unix_url, unix_url
from looprig.runtime.clock import Timeout
from looprig.scopes import Scope
from looprig.services.listening import Listening
from looprig.services.routed import address_of, routed

__all__ = ["HasAddress", "Proxy", "name_at", "name_in", "proxy_for", "url_at", "url_of_service"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_RESOLVED_WITHIN: Final = 2.0
"""Time limit in seconds to resolve a name. A name that this machine can't resolve doesn't lead to a proxy on it."""


class HasAddress(Protocol):
    """A service that a proxy can be put in front of: it has an address once it has started."""

    @property
    def address(self) -> tuple[str, int] | str | os.PathLike[str]:
        """Host and port, or the path of a Unix socket."""
        ...


S = TypeVar("S", bound=HasAddress)


@dataclass(kw_only=True, eq=False, repr=False)
class Proxy(TcpControls, Generic[S]):
    """A TCP proxy in front of a service, to break the network between it and its clients.

        async def test_survives_a_reset(proxy: Proxy[Rest]) -> None:
            with proxy.apply(Reset(after_bytes=100)):
                ...

    A test that requests `Proxy[Rest]` gets the one declared with `proxy_fixture`, or else one of its own. `service` is
    the service, reached directly; `routed` is the same service, reached through the proxy.
    """

    proxy_kind: ClassVar[ProxyKind] = TCP

    service: S
    _name: str = field(default="", init=False)

    @property
    def routed(self) -> S:
        """The service as its clients should see it: with the proxy's address."""
        address = self._running().listener.address
        instead: dict[str, object] = {"address": address, "client_tls": self.client_tls}
        if isinstance(address, tuple):
            where = f"the proxy at {self.address.host}:{self.address.port}"
            name = type(self.service).__qualname__
            no_path = LooprigError(f"{name} is reached through {where}, so it has no path: use its `address`.")
            instead |= {"address": self.address, "host": self.address.host, "port": self.address.port, "path": no_path}
        else:
            instead |= {"path": Path(address) if isinstance(self.service, Listening) else address}
        if url_of_service(self.service) is not None:
            instead["url"] = self.url
        return routed(self.service, instead)

    @property
    def url(self) -> str:
        """The service's base URL, with the proxy's port. If the host is a name that leads to the proxy, it is kept.

        With `listen_path`, it is the URL of that Unix socket. Raises `LooprigError` if the service has none.
        """
        url = url_of_service(self.service)
        if url is None:
            name = type(self.service).__qualname__
            raise LooprigError(f"{name} has no url, so its proxy has none: use `address`.")
        if self.listen_path is not None:
            return f"{unix_url(self.listen_path)}{urlsplit(url).path}"
        return url_at(url, self._name or self.address.host, self.address.port)

    @property
    def client_tls(self) -> ssl.SSLContext | None:
        """The context for clients that connect to `address`, so that they trust the proxy or the service behind it."""
        return super().client_tls or self._client_tls_of_service()

    async def run(self) -> AsyncIterator[None]:
        """Run until this generator is closed or resumed; it yields once, when it is ready to accept clients."""
        await self._open()
        try:
            if self.listen_path is None:
                self._name = await name_at(url_of_service(self.service), self.address.host)
            yield
        finally:
            await self._close()

    def _known_as(self) -> str | None:
        return super()._known_as() or name_in(url_of_service(self.service))

    def _client_tls_of_service(self) -> ssl.SSLContext | None:
        context: ssl.SSLContext | None = getattr(self.service, "client_tls", None)
        return context

    def _trusted(self) -> ssl.SSLContext | None:
        return self.upstream_tls or self._client_tls_of_service()

    def _upstream(self) -> SocketAddress:
        return address_of(self.service)


def url_of_service(service: object) -> str | None:
    """Return the `url` of a service, if it has one."""
    url: object = getattr(service, "url", None)
    return url if isinstance(url, str) else None


def name_in(url: str | None) -> str | None:
    """Return the host in a URL if it is a name, not an address."""
    host = None if split_unix_url(url or "") is not None else urlsplit(url or "").hostname
    return None if host is None or _address(host) is not None else host


async def name_at(url: str | None, listening: str) -> str:
    """Return the host in a URL if it is a name that leads to the address on which a proxy listens, or else ""."""
    name = name_in(url)
    own = _address(listening)
    if name is None or own is None:
        return ""
    try:
        async with Timeout(_RESOLVED_WITHIN):
            found = await asyncio.get_running_loop().getaddrinfo(name, None)
    except (OSError, UnicodeError):  # includes TimeoutError
        return ""
    addresses = [_address(str(address[0])) for *_, address in found]
    is_own = own in addresses or (own.is_unspecified and any(each and each.is_loopback for each in addresses))
    return name if is_own else ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def url_at(url: str, host: str, port: int) -> str:
    """Return a URL with another host and port."""
    over_unix_socket = split_unix_url(url)
    parts = urlsplit(url if over_unix_socket is None else over_unix_socket[1])
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{url_of('', host, port).removeprefix('://')}"))


def proxy_for(service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
    """Return the implicit declaration of a proxy in front of a service: one for each test."""
    name = f"{kind}[{service.cls.__qualname__}]"
    generic: Any = getattr(import_module(kind.module), kind.name)

    def declared_at(_: object) -> Location:
        return service.location

    body: dict[str, Any] = {"_declared_at": declared_at}
    cls = types.new_class(name, (generic[service.cls],), exec_body=lambda namespace: namespace.update(body))
    cls.__module__ = service.cls.__module__
    cls.__doc__ = f"A proxy in front of {service.cls.__qualname__}, for one test."
    return ServiceSpec(
        cls=cls,
        name=f"{service.name}_{snake_case(kind.name)}",
        scope=Scope.FUNCTION,
        provides=(),
        autouse=False,
        start_timeout=START_TIMEOUT,
        lifecycle=lifecycle_of(cls),
        location=service.location,
        ordinal=service.ordinal,
    )
