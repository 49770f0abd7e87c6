"""Toxics for UDP, one file each; `toxic` is their base. The effects that they yield are in `looprig.toxics`.

>>> from looprig.toxics.udp import Latency, Loss
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.toxics.udp.corrupt import Corrupt as Corrupt
    from looprig.toxics.udp.duplication import Duplication as Duplication
    from looprig.toxics.udp.latency import Latency as Latency
    from looprig.toxics.udp.loss import Loss as Loss
    from looprig.toxics.udp.reordering import Reordering as Reordering
    from looprig.toxics.udp.toxic import Toxic as Toxic

__all__ = [
    "Corrupt",
    "Duplication",
    "Latency",
    "Loss",
    "Reordering",
    "Toxic",
]

_HOMES = {
    "Corrupt": "looprig.toxics.udp.corrupt",
    "Duplication": "looprig.toxics.udp.duplication",
    "Latency": "looprig.toxics.udp.latency",
    "Loss": "looprig.toxics.udp.loss",
    "Reordering": "looprig.toxics.udp.reordering",
    "Toxic": "looprig.toxics.udp.toxic",
}


if not TYPE_CHECKING:  # if they saw `__getattr__`, type checkers would accept any name

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
