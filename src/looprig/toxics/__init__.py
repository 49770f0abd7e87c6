"""Toxics: descriptions of what goes wrong on a connection. Those for TCP are here, those for UDP in `toxics.udp`.

Pure: data and seeded random numbers go in, effects come out, and the proxies (`looprig.net`) carry them out. To add a
toxic, put a file into `tcp` or `udp`; its base is `toxic` there. Reading order: `rule` (the connections that get a
toxic), `effects` (what a toxic can yield), `flow` (what it knows), `tcp.toxic`, then the toxics.

    >>> from looprig.toxics import Latency, Reset
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.toxics.effects import Abort as Abort
    from looprig.toxics.effects import Await as Await
    from looprig.toxics.effects import Close as Close
    from looprig.toxics.effects import Drop as Drop
    from looprig.toxics.effects import Effect as Effect
    from looprig.toxics.effects import End as End
    from looprig.toxics.effects import Note as Note
    from looprig.toxics.effects import Pause as Pause
    from looprig.toxics.effects import Send as Send
    from looprig.toxics.flow import Flow as Flow
    from looprig.toxics.rule import ConnectionInfo as ConnectionInfo
    from looprig.toxics.tcp.bandwidth import Bandwidth as Bandwidth
    from looprig.toxics.tcp.corrupt import Corrupt as Corrupt
    from looprig.toxics.tcp.discard import Discard as Discard
    from looprig.toxics.tcp.half_close import HalfClose as HalfClose
    from looprig.toxics.tcp.latency import Latency as Latency
    from looprig.toxics.tcp.limit import Limit as Limit
    from looprig.toxics.tcp.reset import Reset as Reset
    from looprig.toxics.tcp.slice import Slice as Slice
    from looprig.toxics.tcp.slow_close import SlowClose as SlowClose
    from looprig.toxics.tcp.stall import Stall as Stall
    from looprig.toxics.tcp.toxic import Toxic as Toxic
    from looprig.toxics.tcp.transform import Transform as Transform

__all__ = [
    "Abort",
    "Await",
    "Bandwidth",
    "Close",
    "ConnectionInfo",
    "Corrupt",
    "Discard",
    "Drop",
    "Effect",
    "End",
    "Flow",
    "HalfClose",
    "Latency",
    "Limit",
    "Note",
    "Pause",
    "Reset",
    "Send",
    "Slice",
    "SlowClose",
    "Stall",
    "Toxic",
    "Transform",
]

_HOMES = {
    "Abort": "looprig.toxics.effects",
    "Await": "looprig.toxics.effects",
    "Bandwidth": "looprig.toxics.tcp.bandwidth",
    "Close": "looprig.toxics.effects",
    "ConnectionInfo": "looprig.toxics.rule",
    "Corrupt": "looprig.toxics.tcp.corrupt",
    "Discard": "looprig.toxics.tcp.discard",
    "Drop": "looprig.toxics.effects",
    "Effect": "looprig.toxics.effects",
    "End": "looprig.toxics.effects",
    "Flow": "looprig.toxics.flow",
    "HalfClose": "looprig.toxics.tcp.half_close",
    "Latency": "looprig.toxics.tcp.latency",
    "Limit": "looprig.toxics.tcp.limit",
    "Note": "looprig.toxics.effects",
    "Pause": "looprig.toxics.effects",
    "Reset": "looprig.toxics.tcp.reset",
    "Send": "looprig.toxics.effects",
    "Slice": "looprig.toxics.tcp.slice",
    "SlowClose": "looprig.toxics.tcp.slow_close",
    "Stall": "looprig.toxics.tcp.stall",
    "Toxic": "looprig.toxics.tcp.toxic",
    "Transform": "looprig.toxics.tcp.transform",
}


if not TYPE_CHECKING:  # if they saw `__getattr__`, type checkers would accept any name

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
