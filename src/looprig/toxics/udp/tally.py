"""What toxics tell of datagrams, for the log: the first of it, since all of a long run would drown the rest.

Pure. Invariant: one toxic on one direction of one connection has `NOTED` lines at most, and the last says so.
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
    """A note, unless there were so many already. It takes the state of the flow for itself."""
    tally = flow.state(_Tally)
    tally.count += 1
    if tally.count <= NOTED:
        yield Note(text + ("; further ones are not listed" if tally.count == NOTED else ""))
