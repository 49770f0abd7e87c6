"""What the fixtures and tests of a random tree are made of; `trees.py` copies this file into each tree.

An async fixture gives a `Node` with a live task that answers requests, and asks whatever it depends on
before it answers: one wrong loop anywhere below a test is seen by the test. A sync fixture gives a `Node`
without a loop that only hands on what it depends on.

Invariants: no assertion waits longer than `PATIENCE`; a loop is compared before anything is awaited on
it, so a mismatch fails at once with both names instead of hanging.

With the environment variable `LIVELIB_RECORD` set to a file, a left-over task of another test is written
there, one JSON line a test, instead of failing the test that met it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

PATIENCE: Final = 5.0
"""Seconds that a live task has to answer."""

LEFTOVER: Final = "leftover:"
_ACTIVE: Final[dict[str, Node]] = {}
# A task that nobody refers to may be collected, and would then not be there to be met.
_LEFT: Final[list[tuple[str, asyncio.Task[None]]]] = []

Request: TypeAlias = "tuple[int, asyncio.Future[int]]"


@dataclass(eq=False)
class Node:
    """The value of one fixture instance. `loop` and `task` are None where there is nothing async."""

    key: str
    upstream: tuple[Node, ...]
    loop: asyncio.AbstractEventLoop | None = None
    task: asyncio.Task[None] | None = None
    inbox: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)

    def reach(self) -> Iterator[Node]:
        """This node and everything below it."""
        yield self
        for node in self.upstream:
            yield from node.reach()

    async def serve(self) -> None:
        """Answer each request, after asking everything below, until cancelled."""
        while True:
            number, answer = await self.inbox.get()
            try:
                for node in self.upstream:
                    number = await node.ask(number)
            except Exception as error:  # noqa: BLE001
                # Said to the one who asked; a server that died of it would make the next one wait in vain.
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(number + 1)

    async def ask(self, number: int) -> int:
        """What comes back for `number` from this node's task; a node without one asks those below."""
        self.assert_here()
        if self.task is None:
            for node in self.upstream:
                number = await node.ask(number)
            return number
        assert not self.task.done(), f"the task of {self.key} is gone: {self.task!r}"
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.inbox.put_nowait((number, answer))
        async with asyncio.timeout(PATIENCE):
            return await answer

    def assert_here(self) -> None:
        """The running loop is the loop that this node was set up on."""
        running = asyncio.get_running_loop()
        assert self.loop in (None, running), f"{self.key} lives on {self.loop!r}, this runs on {running!r}"

    def assert_alive(self) -> None:
        """What is below can still be used; said by sync code, which cannot ask."""
        for node in self.reach():
            assert node.loop is None or not node.loop.is_closed(), f"the loop of {node.key} is closed"
            assert node.task is None or not node.task.done(), f"the task of {node.key} is gone"


@asynccontextmanager
async def live(key: str, *upstream: Node) -> AsyncIterator[Node]:
    """An async generator fixture: a task that answers, from set-up to teardown."""
    node = Node(key, upstream, asyncio.get_running_loop())
    node.task = asyncio.create_task(node.serve(), name=f"live:{key}")
    await node.ask(0)
    _ACTIVE[key] = node
    try:
        yield node
        node.assert_here()
        await node.ask(0)  # whatever this depends on outlives it
    finally:
        node.task.cancel()
        await asyncio.wait([node.task], timeout=PATIENCE)


async def note(key: str, *upstream: Node) -> Node:
    """A coroutine fixture: it asks those below once and has no task of its own."""
    node = _ACTIVE[key] = Node(key, upstream, asyncio.get_running_loop())
    await node.ask(0)
    return node


@contextmanager
def link(key: str, *upstream: Node) -> Iterator[Node]:
    """A sync generator fixture: what it depends on is there at its set-up and at its teardown."""
    node = relay(key, *upstream)
    yield node
    node.assert_alive()


def relay(key: str, *upstream: Node) -> Node:
    """A sync fixture without teardown."""
    node = _ACTIVE[key] = Node(key, upstream)
    node.assert_alive()
    return node


async def check(*nodes: Node, unnamed: tuple[str, ...] = (), leave: bool = False) -> None:
    """The body of an async test: `unnamed` are the keys of fixtures that reach it without a parameter."""
    me = os.environ["PYTEST_CURRENT_TEST"]
    met = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(LEFTOVER)]
    if record := os.environ.get("LIVELIB_RECORD"):
        if any(owner != me for owner, _ in _LEFT):
            _write(Path(record), {"test": me, "met": met})
    else:
        assert not met, f"left over by other tests: {met}"
    for node in (*nodes, *(_ACTIVE[key] for key in unnamed)):
        for below in node.reach():
            below.assert_here()
        live_nodes = [below for below in node.reach() if below.task is not None]
        assert await node.ask(0) == len(live_nodes), f"{node.key}: not every task below it answered"
    if leave:
        _LEFT.append((me, asyncio.create_task(_linger(), name=LEFTOVER + me)))
        await asyncio.sleep(0)


def _write(record: Path, entry: dict[str, object]) -> None:
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


async def _linger() -> None:
    await asyncio.sleep(3600)


def check_sync(*nodes: Node, unnamed: tuple[str, ...] = ()) -> None:
    """The body of a sync test: it cannot ask, but what it reaches must be alive."""
    for node in (*nodes, *(_ACTIVE[key] for key in unnamed)):
        node.assert_alive()
