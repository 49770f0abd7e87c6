"""Sockets, ports and proxies. Whoever is told a port keeps it; what a proxy returns has its types here."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.net.proxy.events import ProxyEvent as ProxyEvent
    from looprig.net.proxy.fault_controls import Applied as Applied

__all__ = [
    "Applied",
    "ProxyEvent",
]

_HOMES = {
    "Applied": "looprig.net.proxy.fault_controls",
    "ProxyEvent": "looprig.net.proxy.events",
}


if not TYPE_CHECKING:  # to type checkers it would mean that every name is there

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
