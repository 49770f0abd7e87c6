"""The way of one datagram through the toxics: asks each what becomes of it, and of what those before made of it.

Does not know sockets or timers: the time is handed in, and what is to be sent is handed out.

Invariants:
1. What is sent keeps the order in which toxics said it; delays add up.
2. What a toxic raises ends the way of the datagram, copies of it included.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias, final

from looprig.net.datagrams.proxy.rolls import Rolls
from looprig.toxics.checked import as_bytes, check_seconds
from looprig.toxics.effects import Effect, Note, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Delays", "Stage", "ToxicRaisedError", "through"]


@final
class Stage:
    """One toxic, at work on one direction of one exchange."""

    __slots__ = ("flow", "name", "rolls", "toxic")

    def __init__(self, toxic: Toxic, flow: Flow, rolls: Rolls, name: str) -> None:
        self.flow: Final = flow
        self.name: Final = name
        self.rolls: Final = rolls
        self.toxic: Final = toxic


Delays: TypeAlias = tuple[tuple[Stage, float], ...]


@final
class ToxicRaisedError(Exception):
    """What a toxic raised is its `__cause__`; `stage` says which did."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.name)
        self.stage = stage


def through(
    stages: Sequence[Stage], data: bytes, number: int, now: float, note: Callable[[Stage, str], None]
) -> list[tuple[bytes, Delays]]:
    """What becomes of a datagram that came at `now` as the one of this number, with the delays that were asked for.

    Raises:
        ToxicRaisedError: a toxic raised, or said what cannot be said of a datagram.
    """
    parcels: list[tuple[bytes, Delays]] = [(data, ())]
    for stage in stages:
        sent: list[tuple[bytes, Delays]] = []
        for copy, (each, delays) in enumerate(parcels):
            stage.rolls.begin(number, copy)
            stage.flow.seen = number
            stage.flow.now = now + sum(seconds for _, seconds in delays)
            for effect in _said(stage, each):
                if isinstance(effect, Note):
                    note(stage, effect.text)
                else:
                    more = ((stage, effect.after),) if effect.after > 0 else ()
                    sent.append((effect.data, (*delays, *more)))
        parcels = sent
    return parcels


def _said(stage: Stage, data: bytes) -> Iterator[Send | Note]:
    try:
        for effect in stage.toxic.on_datagram(data, stage.flow):
            yield _checked(effect, stage)
    except Exception as error:
        raise ToxicRaisedError(stage) from error


def _checked(effect: Effect, stage: Stage) -> Send | Note:
    """What a toxic says, whatever its types say."""
    if isinstance(effect, Note):
        return effect
    if not isinstance(effect, Send):
        raise TypeError(f"{stage.name} gave {effect!r}: of a datagram only Send(...) and Note(...) can be said")
    check_seconds(effect.after, effect, stage.name)
    return Send(as_bytes(effect.data, stage.name), effect.after)
