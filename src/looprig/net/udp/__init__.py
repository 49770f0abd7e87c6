"""The UDP proxy that injects faults. It carries out what the toxics of `looprig.toxics.udp` say."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.net.datagrams.proxy.controls import ProxyConnection as ProxyConnection

__all__ = [
    "ProxyConnection",
]

_HOMES = {
    "ProxyConnection": "looprig.net.datagrams.proxy.controls",
}


if not TYPE_CHECKING:  # to type checkers it would mean that every name is there

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
