"""The way of one datagram through the toxics. Each toxic receives the results of those before it.

Does not know sockets or timers: the time is an argument, and the datagrams to send are the result.

Invariants:
1. Datagrams keep the order in which toxics yielded them. Delays add up.
2. An error in a toxic drops the datagram and its copies. That includes outcomes such as that of `pytest.fail`, which
   isn't an `Exception`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias, final

from looprig.net.udp.rng import DatagramRng
from looprig.toxics.checked import as_bytes, effects_of
from looprig.toxics.effects import Note, Send
from looprig.toxics.flow import Flow
from looprig.toxics.udp.toxic import Toxic

__all__ = ["Delays", "Stage", "ToxicRaisedError", "living", "pass_through"]


@final
class Stage:
    """One toxic on one direction of a connection."""

    __slots__ = ("flow", "is_off", "name", "rng", "toxic")

    def __init__(self, toxic: Toxic, flow: Flow, rng: DatagramRng, name: str) -> None:
        self.flow: Final = flow
        self.is_off: bool = False
        self.name: Final = name
        self.rng: Final = rng
        self.toxic: Final = toxic


Delays: TypeAlias = tuple[tuple[Stage, float], ...]
"""The toxics that delay a datagram, each with its number of seconds."""


def living(delays: Delays) -> Delays:
    """Return the delays of toxics that are still applied."""
    return tuple(delay for delay in delays if not delay[0].is_off) if delays else delays


@final
class ToxicRaisedError(Exception):
    """A toxic, `stage`, raised the exception in `__cause__`."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.name)
        self.stage: Final = stage


def pass_through(
    stages: Sequence[Stage], data: bytes, number: int, now: float, note: Callable[[Stage, str], None]
) -> list[tuple[bytes, Delays]]:
    """Return the datagrams to send for the datagram with this number, which arrived at `now`.

    Raises:
        ToxicRaisedError: a toxic raised, or yielded an effect that doesn't apply to datagrams.
    """
    parcels: list[tuple[bytes, Delays]] = [(data, ())]
    for stage in stages:
        sent: list[tuple[bytes, Delays]] = []
        for copy, (each, delays) in enumerate(parcels):
            stage.rng.start(number, copy)
            stage.flow.seen = number
            stage.flow.now = now + sum(seconds for _, seconds in delays)
            for effect in _effects(stage, each):
                if isinstance(effect, Note):
                    note(stage, effect.text)
                else:
                    more = ((stage, effect.after),) if effect.after > 0 else ()
                    sent.append((effect.data, (*delays, *more)))
        parcels = sent
    return parcels


def _effects(stage: Stage, data: bytes) -> Iterator[Send | Note]:
    try:
        for effect in effects_of(stage.toxic.on_datagram(data, stage.flow), stage.name):
            yield _checked(effect, stage)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise ToxicRaisedError(stage) from error


def _checked(effect: object, stage: Stage) -> Send | Note:
    """Return an effect after checking its type, since a suite's toxics may not be type-checked."""
    match effect:
        case Note():
            return effect
        case Send(data, after):
            return effect if type(data) is bytes else Send(as_bytes(data, stage.name), after)
        case _:
            raise TypeError(f"{stage.name} yielded {effect!r}: a toxic for UDP can only yield Send(...) and Note(...)")
