"""Loops that wait for something that can't happen: no callback is ready, no timer is set, and nothing can wake them.

Finds them within 60 ms. Does not find those on uvloop, or beside anything that may wake the loop (`wakers`): there, the
time limit ends the test.

Invariants:
1. A loop is judged twice, by the patrol and then on the loop itself, where nothing can change meanwhile.
2. A time limit that expires soon comes first, since it is what the suite asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, Final, final

from looprig.exceptions import DeadlockError
from looprig.runtime.clock import ring_on
from looprig.runtime.operation import Operation
from looprig.runtime.tasks import party_of
from looprig.watch.patrol import Guard, Sight

__all__ = ["Deadlocks"]

_FIX: Final = (
    "The traceback ends where it waits. Make sure that something completes what it waits for, "
    "or take locks in the same order everywhere."
)


@final
class Deadlocks(Guard):
    """A guard that passes each deadlock to `found`, which returns whether to end the operation with the error.

    `operations` are those of the main thread, the innermost last, and `harmless` is the number of threads that Python
    doesn't know and that don't wake loops.
    """

    def __init__(
        self, operations: Sequence[Operation], found: Callable[[DeadlockError], bool], *, harmless: int = 0
    ) -> None:
        self._found = found
        self._harmless = harmless
        self._operations = operations
        self._passed: Operation | None = None
        self._round = 0

    def look(self, sight: Sight) -> None:
        """Check whether the loop waits without a deadline, as it did at the last look."""
        before, self._round = self._round, id(sight.round) if sight.waits_for_ever else 0
        if not self._round or self._round != before or not self._operations:
            return
        operation = self._operations[-1]
        if (
            operation is self._passed
            or operation.ends_soon
            or sight.round is None
            or sight.round.f_locals.get("self") is not operation.loop
        ):
            return
        from looprig.watch.wakers import can_be_woken  # noqa: PLC0415 - few loops ever wait like this

        if not can_be_woken(operation.loop, harmless=self._harmless):
            ring_on(operation.loop, partial(self._end, operation, sight.round))()

    def _end(self, operation: Operation, seen: FrameType) -> None:
        """End an operation, on its loop, unless something happened since `seen`, the round that waited."""
        if not (operation.is_over or _has_more(operation.loop)) and _is_in(seen):
            error = _error(operation)
            if self._found(error):
                operation.cancel(error)
            else:
                self._passed = operation


def _is_in(round_: FrameType) -> bool:
    """Return whether this is called in a round of a loop. On a busy machine, the loop may be in a later one by now."""
    frame: FrameType | None = sys._getframe()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    while frame is not None and frame is not round_:
        frame = frame.f_back
    return frame is not None


def _has_more(loop: Any) -> bool:
    """Return whether a loop has anything to run, except for the callback by which it was woken for `_end`."""
    return bool(loop._scheduled) or any(handle._callback != loop._read_from_self for handle in loop._ready)  # noqa: SLF001 - asyncio's own


def _error(operation: Operation) -> DeadlockError:
    from looprig.runtime.waits import described, notes_on_cycles, waits_on  # noqa: PLC0415 - most runs have no deadlock

    waits = waits_on(operation.loop)
    party = party_of(operation.owner)
    error = DeadlockError(
        f"Deadlock: {operation.what} waits, and nothing can wake its loop.", [] if party is None else [party], _FIX
    )
    for note in notes_on_cycles(waits):
        error.add_note(note)
    waits.sort(key=lambda wait: (wait.task is not operation.target, wait.task.get_name()))
    error.add_note("\n".join(("These tasks wait:", *(described(wait, operation.owner) for wait in waits))))
    return error
