"""Log lines of toxics about datagrams: only the first ones, since those of a long run would drown the log.

Pure. Invariant: a toxic on one direction of one connection logs at most `NOTED` lines, and the last one mentions the
limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from looprig.toxics.effects import Note
from looprig.toxics.flow import Flow

__all__ = ["NOTED", "noted"]

NOTED: Final = 100


@dataclass(slots=True)
class _Tally:
    count: int = 0


def noted(flow: Flow, text: str) -> Iterator[Note]:
    """Yield a note, unless there have been too many. This uses the flow's state."""
    tally = flow.state(_Tally)
    tally.count += 1
    if tally.count <= NOTED:
        yield Note(text + ("; further ones are not listed" if tally.count == NOTED else ""))
