"""A UDP proxy in front of a declared service, requested by `UdpProxy[Dns]`.

Does not carry datagrams (`net.udp` does). Invariant: it starts after its service and ends before it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import ClassVar, Final, Generic, Protocol, TypeVar

from looprig.declare.proxy import UDP, ProxyKind
from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.net.udp.controls import UdpControls
from looprig.services.proxy import name_at, url_at, url_of_service
from looprig.services.routed import address_of, routed

__all__ = ["HasUdpAddress", "UdpProxy"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


class HasUdpAddress(Protocol):
    """A service that a UDP proxy can be put in front of: it has an address once it has started."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        ...


S = TypeVar("S", bound=HasUdpAddress)


@dataclass(kw_only=True, eq=False, repr=False)
class UdpProxy(UdpControls, Generic[S]):
    """A UDP proxy in front of a service, to break the network between it and its clients.

        async def test_asks_again(proxy: UdpProxy[Dns]) -> None:
            with proxy.apply(Loss(0.5)):
                ...

    A test that requests `UdpProxy[Dns]` gets the one declared with `proxy_fixture`, or else one of its own. `service`
    is the service, reached directly; `routed` is the same service, reached through the proxy.
    """

    proxy_kind: ClassVar[ProxyKind] = UDP

    service: S
    _name: str = field(default="", init=False)

    @property
    def routed(self) -> S:
        """The service as its clients should see it: with the proxy's address."""
        address = self.address
        instead: dict[str, object] = {"address": address, "host": address.host, "port": address.port}
        if (url := url_of_service(self.service)) is not None:
            instead["url"] = url_at(url, self._name or address.host, address.port)
        return routed(self.service, instead)

    async def run(self) -> AsyncIterator[None]:
        """Run until this generator is closed or resumed; it yields once, when it is ready to take datagrams."""
        await self._open()
        try:
            self._name = await name_at(url_of_service(self.service), self.address.host)
            yield
        finally:
            await self._close()

    def _upstream(self) -> tuple[str, int]:
        address = address_of(self.service)
        if isinstance(address, tuple):
            return address
        name = type(self.service).__qualname__
        raise DeclarationError(
            f"{name} has the address {address!r}, and a UDP proxy can't be in front of a path.",
            [(name, location_of(type(self.service)))],
            "Give it a property `address` that is (host, port).",
        )
