"""Garbage that reports to a loop is found, however old it is, and the heap is searched only if necessary."""

import asyncio
import asyncio.futures
import asyncio.tasks
import gc
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from looprig.watch.garbage import Garbage
from tests.watch.conftest import Run

PYTHON_FUTURE: Any = vars(asyncio.futures)["_PyFuture"]  # used in place of the C version if that is missing
PYTHON_TASK: Any = vars(asyncio.tasks)["_PyTask"]


class Cycle:
    """An object that only the garbage collector frees, with what it holds."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.me = self


class Reporting:
    """An object that reports when it is freed, like aiohttp's session."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def __del__(self) -> None:
        self.loop.call_exception_handler({"message": "not closed"})


class Slotted:
    """An object without weak references."""

    __slots__ = ("held", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def __del__(self) -> None:
        self.loop.call_exception_handler({"message": "not closed"})


class Silent:
    """An object of aiomisc's, which reports nothing."""

    __module__ = "aiomisc.entrypoint"

    def __del__(self) -> None: ...


async def fail() -> None:
    raise LookupError


async def failed_task() -> object:
    task = asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0)
    return task


async def failed_python_task() -> object:
    task: object = PYTHON_TASK(fail(), loop=asyncio.get_running_loop())
    await asyncio.sleep(0)
    return task


async def failed_future() -> object:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(LookupError())
    return future


async def failed_python_future() -> object:
    future: Any = PYTHON_FUTURE(loop=asyncio.get_running_loop())
    future.set_exception(LookupError())
    return future


async def reporting() -> object:
    return Reporting()


async def slotted() -> object:
    return Slotted()


FUTURES = [failed_task, failed_python_task, failed_future, failed_python_future]
KINDS = [*FUTURES, reporting, slotted]


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    made = Garbage()
    made.begin()
    yield made
    made.close()


@contextmanager
def collections_of_everything() -> Generator[list[str], None, None]:
    found: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            found.append(phase)

    gc.disable()  # only explicit collections count
    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)
        gc.enable()


def reports_of(loop: asyncio.AbstractEventLoop) -> list[str]:
    reports: list[str] = []
    loop.set_exception_handler(lambda _, context: reports.append(context["message"]))
    return reports


def grow_old_at_once() -> None:
    gc.collect()


def grow_old_by_the_way() -> None:
    """Allocate until the garbage collector has moved everything alive into its oldest generation."""
    before = gc.get_stats()[1]["collections"]
    kept: list[object] = []
    while gc.get_stats()[1]["collections"] == before:
        kept.append([kept])


@pytest.mark.parametrize("grow_old", [lambda: None, grow_old_at_once, grow_old_by_the_way])
@pytest.mark.parametrize("make", KINDS)
def test_what_reports_when_it_is_freed_is_freed(
    run: Run, garbage: Garbage, make: Callable[[], Any], grow_old: Callable[[], None]
) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        reports = reports_of(loop)
        cycle = Cycle(await make())
        grow_old()
        del cycle
        garbage.collect([loop])
        assert len(reports) == 1

    run(scenario())


@pytest.mark.parametrize("make", FUTURES)
def test_a_future_from_before_the_test_is_found_once_it_is_dropped(run: Run, make: Callable[[], Any]) -> None:
    """A fixture of the module may have created it, and watching may start even later."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        reports = reports_of(loop)
        cycle: Any = Cycle(await make())
        gc.collect()
        garbage = Garbage()
        try:
            for _ in range(3):
                garbage.begin()
                garbage.collect([loop])
                assert reports == []
            cycle = None
            garbage.collect([loop])
            assert len(reports) == 1
        finally:
            garbage.close()
        del cycle

    run(scenario())


@pytest.mark.parametrize("kind", [Reporting, Slotted])
def test_what_survived_the_last_look_is_looked_at_again(run: Run, garbage: Garbage, kind: type) -> None:
    """At the end of the call a fixture's session is alive; at the end of teardown it may be garbage."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        reports = reports_of(loop)
        cycle: Any = Cycle(kind())
        garbage.collect([loop])
        garbage.collect([loop])
        assert reports == []
        cycle = None
        garbage.collect([loop])
        assert reports == ["not closed"]
        del cycle

    run(scenario())


def test_the_whole_heap_is_left_alone_where_nothing_could_report(run: Run, garbage: Garbage) -> None:
    """Although there are background tasks, retrieved errors, and old objects from before the test."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        old = [Reporting(), Slotted()]
        background = asyncio.create_task(asyncio.Event().wait())
        retrieved: Any = Cycle(await failed_task())
        retrieved.held.exception()
        gc.collect()
        garbage.begin()
        with collections_of_everything() as found:
            garbage.collect([loop])
            new = Reporting()
            garbage.collect([loop])
        assert found == []
        background.cancel()
        reports_of(loop)
        del old, new

    run(scenario())


def test_the_whole_heap_is_left_alone_for_objects_of_aiomisc(run: Run, garbage: Garbage) -> None:
    """Its entrypoint and executor have finalizers that report nothing, and are alive in most tests."""

    async def scenario() -> None:
        kept = Silent()
        gc.collect(1)
        with collections_of_everything() as found:
            garbage.collect([asyncio.get_running_loop()])
        assert found == []
        del kept

    run(scenario())


def test_a_failure_on_another_loop_is_no_reason_to_look(run: Run, garbage: Garbage) -> None:
    """It is reported to that loop's handler, which nothing watches."""
    other = asyncio.new_event_loop()
    reports_of(other)
    future: asyncio.Future[None] = other.create_future()
    future.set_exception(LookupError())
    gc.collect()

    async def scenario() -> None:
        with collections_of_everything() as found:
            garbage.collect([asyncio.get_running_loop()])
        assert found == []

    run(scenario())
    future.exception()
    other.close()


def test_nothing_is_watched_before_the_first_test_and_after_the_last() -> None:
    before = list(gc.callbacks)
    garbage = Garbage()
    garbage.close()
    assert gc.callbacks == before
    garbage.begin()
    garbage.begin()
    assert len(gc.callbacks) == len(before) + 1
    garbage.close()
    assert gc.callbacks == before


CLEARED: Final = """
import gc
from looprig.watch.garbage import Garbage

class Sentinels(type):
    def __new__(cls, *args):
        made = super().__new__(cls, *args)
        made.__class__ = made
        return made

class Sentinel(Sentinels, metaclass=Sentinels): ...

del Sentinel
gc.collect()
Garbage().begin()
"""


def test_a_class_that_the_collector_has_cleared_does_no_harm() -> None:
    """One that is its own metaclass, like the sentinels of h11, stays alive without its bases."""
    subprocess.run([sys.executable, "-c", CLEARED], check=True)
