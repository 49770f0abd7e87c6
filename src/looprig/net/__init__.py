"""Held ports, and proxies that inject faults."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.net.faults.controls import Applied as Applied
    from looprig.net.faults.events import ProxyEvent as ProxyEvent
    from looprig.net.ports import accepts_connections as accepts_connections

__all__ = [
    "Applied",
    "ProxyEvent",
    "accepts_connections",
]

_HOMES = {
    "Applied": "looprig.net.faults.controls",
    "ProxyEvent": "looprig.net.faults.events",
    "accepts_connections": "looprig.net.ports",
}


if not TYPE_CHECKING:  # if they saw `__getattr__`, type checkers would accept any name

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
