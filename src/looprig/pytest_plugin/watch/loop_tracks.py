"""The tracks of loops in a timeline: how long each loop lives, what it is run for, and the tasks on it.

Does not open the timeline (`timeline` does). All loops of single tests share a track, and each other loop has its own.
Another watcher can add a span to the track of a loop with `add_step`.

Invariant: each loop, and each operation on it, is written when it ends, so that spans nest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, final

import pytest

import looprig
from looprig.location import location_of
from looprig.runtime.clock import now
from looprig.runtime.operation import Operation, running
from looprig.runtime.tasks import owner_of, party_of
from looprig.watch.trace import Trace

if TYPE_CHECKING:
    import asyncio

    from looprig.plan import Component
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.runtime.host import Host
    from looprig.watch.blocking import Block

__all__ = ["LoopTracks"]

_LOOPRIG: Final = f"{Path(looprig.__file__).parent}{os.sep}"
_SHORT: Final = 0.001
"""Seconds that a task has to live to be shown."""


@final
class LoopTracks:
    """The tracks of the loops of one run. Create it before anything else keeps the list of running operations."""

    def __init__(self, trace: Trace) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, tuple[int, str, float]] = {}
        self._operations: Final = running.operations
        self._single: asyncio.AbstractEventLoop | None = None
        self._trace = trace
        running.operations = _Operations(self)

    def follow(self, hosts: Hosts) -> None:
        """Show the loops that are opened from now on."""
        hosts.subscribe(lambda host, item: self._add(host, item, hosts.component(item)))

    @cached_property
    def _track_of_single(self) -> int:
        return self._trace.track("loops of single tests")

    def _add(self, host: Host, item: pytest.Item, component: Component | None) -> None:
        if host.loop in self._loops:  # lent more than once
            return
        if component is None:
            self._single = host.loop
            track, name = self._track_of_single, f"loop of {item.name}"
        else:
            name = f"{component.scope} loop on {component.place.label}"
            track = self._trace.track(name)
        self._loops[host.loop] = track, name, now()
        host.observe_tasks(self._begin_task)

    def _track(self, loop: asyncio.AbstractEventLoop) -> int:
        return self._loops[loop][0] if loop in self._loops else self._track_of_single

    def add_step(
        self, loop: asyncio.AbstractEventLoop, kind: str, name: str, began: float, ended: float, /, **args: object
    ) -> None:
        """Write what a loop did from `began` to `ended`. Call it in the main thread."""
        self._trace.span(self._track(loop), kind, name, began, ended, **args)

    def add_block(self, block: Block) -> None:
        """Write a block of a loop."""
        (name, at), seconds = block.place, round(block.seconds, 3)
        self.add_step(block.loop, "blocked", f"{name} blocks", block.began, block.ended, at=str(at), seconds=seconds)

    def end_test(self) -> None:
        """Write the loops that have ended with a test."""
        self._end(loop for loop in [*self._loops] if loop.is_closed() or loop is self._single)

    def close(self) -> None:
        """Write the loops that are left."""
        if isinstance(running.operations, _Operations):
            running.operations = self._operations
        self._end([*self._loops])

    def _end(self, loops: Iterable[asyncio.AbstractEventLoop]) -> None:
        for loop in loops:
            track, name, began = self._loops.pop(loop)
            self._trace.span(track, "loop", name, began, now())

    def _begin_task(self, task: asyncio.Task[Any]) -> None:
        task.add_done_callback(partial(self._end_task, now()))

    def _end_task(self, began: float, task: asyncio.Task[Any]) -> None:
        ended = now()
        if ended - began < _SHORT:
            return
        coroutine, name = task.get_coro(), task.get_name()
        at = location_of(coroutine)
        if name.startswith("Task-") or name == "None":  # Python 3.13.0 names tasks "None" if there is a task factory
            if at.path.startswith(_LOOPRIG):  # it only waits
                return
            name = getattr(coroutine, "__qualname__", name)
        if self._trace.has_room("task"):
            owner = party_of(owner_of(task))
            args = {"of": "" if owner is None else owner[0], "at": str(at), "was_cancelled": task.cancelled()}
            life = self._trace.begin(self._track(task.get_loop()), "task", name, began, **args)
            self._trace.end(life, ended)


@final
class _Operations(list[Operation]):
    """The operations that are running. Each is written when it ends."""

    def __init__(self, tracks: LoopTracks) -> None:
        super().__init__()
        self._began: list[float] = []
        self._tracks = tracks

    def append(self, operation: Operation) -> None:
        """Begin an operation."""
        self._began.append(now())
        super().append(operation)

    def pop(self, index: SupportsIndex = -1) -> Operation:
        """End the innermost operation."""
        operation = super().pop(index)
        self._tracks.add_step(operation.loop, "operation", operation.what, self._began.pop(), now())
        return operation
