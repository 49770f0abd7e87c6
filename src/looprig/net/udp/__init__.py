"""The UDP proxy. It carries out what the toxics of `looprig.toxics.udp` say.

Reading order: `rng` (random numbers), `chain` (a datagram's way through the toxics), `schedule` (what is held back),
`endpoint` (a socket), `connection` (one client and the service), `sender` (what is sent when), `link` (all of it
together), `controls` (what users call), `proxy` (a proxy in front of an address). What it shares with TCP is in
`net.faults`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.net.udp.controls import ProxyConnection as ProxyConnection

__all__ = [
    "ProxyConnection",
]

_HOMES = {
    "ProxyConnection": "looprig.net.udp.controls",
}


if not TYPE_CHECKING:  # to type checkers it would mean that every name is there

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
