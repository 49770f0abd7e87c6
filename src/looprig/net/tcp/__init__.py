"""The TCP proxy. It carries out what the toxics of `looprig.toxics` say.

Reading order: `line` (what is held), `chain` (the toxics of one direction), `pipe` (one direction of a connection),
`connection` (two pipes and their sockets), `listener` (the port), `dial` (the way to the service), `link` (all of it
together), `controls` (what users call), `proxy` (a proxy in front of an address). What it shares with UDP is in
`net.faults`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.net.tcp.controls import ProxyConnection as ProxyConnection

__all__ = [
    "ProxyConnection",
]

_HOMES = {
    "ProxyConnection": "looprig.net.tcp.controls",
}


if not TYPE_CHECKING:  # to type checkers it would mean that every name is there

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
