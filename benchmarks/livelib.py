"""The building blocks of fixtures and tests in a random tree; `trees.py` copies this file into each tree.

An async fixture gives a `Node` with a live task. Before it answers a request, it asks everything that it depends on, so
a test notices a wrong loop anywhere below it. A sync fixture gives a `Node` without a loop that only passes on what it
depends on.

Invariants: no assertion waits longer than `PATIENCE`. Loops are compared before anything is awaited on them, so a
mismatch fails at once with both names instead of hanging.

If the environment variable `LIVELIB_RECORD` names a file, the left-over tasks of other tests are written there, one
JSON line per test, instead of failing the test that met them.
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
"""Seconds in which a live task must answer."""

LEFTOVER: Final = "leftover:"
_ACTIVE: Final[dict[str, Node]] = {}
# References to left-over tasks: without one, a task may be garbage collected before another test can meet it.
_LEFT: Final[list[tuple[str, asyncio.Task[None]]]] = []

Request: TypeAlias = "tuple[int, asyncio.Future[int]]"


@dataclass(eq=False)
class Node:
    """The value of a fixture instance. `loop` and `task` are None for a sync fixture."""

    key: str
    upstream: tuple[Node, ...]
    loop: asyncio.AbstractEventLoop | None = None
    task: asyncio.Task[None] | None = None
    inbox: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)

    def reach(self) -> Iterator[Node]:
        """Yield this node and everything below it."""
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
                # Pass it to the caller. If the server died, the next caller would wait in vain.
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(number + 1)

    async def ask(self, number: int) -> int:
        """Return the answer to `number` from this node's task. A node without a task asks those below."""
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
        """Assert that the running loop is the one on which this node was set up."""
        running = asyncio.get_running_loop()
        assert self.loop in (None, running), f"{self.key} lives on {self.loop!r}, this runs on {running!r}"

    def assert_alive(self) -> None:
        """Assert that everything below can still be used. For sync code, which can't ask."""
        for node in self.reach():
            assert node.loop is None or not node.loop.is_closed(), f"the loop of {node.key} is closed"
            assert node.task is None or not node.task.done(), f"the task of {node.key} is gone"


@asynccontextmanager
async def live(key: str, *upstream: Node) -> AsyncIterator[Node]:
    """Run an async generator fixture: a task that answers, from set-up to teardown."""
    node = Node(key, upstream, asyncio.get_running_loop())
    node.task = asyncio.create_task(node.serve(), name=f"live:{key}")
    await node.ask(0)
    _ACTIVE[key] = node
    try:
        yield node
        node.assert_here()
        await node.ask(0)  # everything that this depends on must outlive it
    finally:
        node.task.cancel()
        await asyncio.wait([node.task], timeout=PATIENCE)


async def note(key: str, *upstream: Node) -> Node:
    """Run a coroutine fixture: it asks those below once, and has no task of its own."""
    node = _ACTIVE[key] = Node(key, upstream, asyncio.get_running_loop())
    await node.ask(0)
    return node


@contextmanager
def link(key: str, *upstream: Node) -> Iterator[Node]:
    """Run a sync generator fixture: what it depends on must be alive at set-up and at teardown."""
    node = relay(key, *upstream)
    yield node
    node.assert_alive()


def relay(key: str, *upstream: Node) -> Node:
    """Run a sync fixture without teardown."""
    node = _ACTIVE[key] = Node(key, upstream)
    node.assert_alive()
    return node


async def check(*nodes: Node, unnamed: tuple[str, ...] = (), leave: bool = False) -> None:
    """Run the body of an async test; `unnamed` are the keys of fixtures that it uses without a parameter."""
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
    """Run the body of a sync test: it can't ask, but everything that it reaches must be alive."""
    for node in (*nodes, *(_ACTIVE[key] for key in unnamed)):
        node.assert_alive()
