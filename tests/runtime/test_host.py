"""A loop by hand, without the plugin: what runs on it, whose tasks are whose, and the end of everything."""

import asyncio
import contextvars
import gc
import os
import threading
import warnings
import weakref
from typing import Any

import pytest

from looprig.exceptions import StuckTaskError
from looprig.runtime.clock import Alarm, Timeout, now
from looprig.runtime.context import OWNER
from looprig.runtime.host import Host
from looprig.runtime.limit import Limit
from looprig.runtime.operation import running
from looprig.runtime.tasks import owner_of

loops = ["asyncio", "uvloop"]


def context_of(owner: object) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(OWNER.set, owner)
    return context


async def linger() -> None:
    await asyncio.sleep(3600)


async def leave() -> "asyncio.Task[None]":
    task = asyncio.create_task(linger())
    await asyncio.sleep(0)
    return task


def test_a_time_limit_keeps_no_task_alive(host: Host) -> None:
    """In a cycle, the task would count as alive until the next garbage collection."""

    async def limited() -> "weakref.ref[asyncio.Task[Any]]":
        async with Timeout(3600):
            task = asyncio.current_task()
            assert task is not None
            return weakref.ref(task)

    gc.disable()
    try:
        assert host.run(limited(), what="a block with a limit")() is None
    finally:
        gc.enable()


def test_it_gives_what_a_coroutine_returns_and_raises_what_it_raises(host: Host) -> None:
    async def give() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("no")

    assert host.run(give(), what="giving") == 42
    with pytest.raises(LookupError, match="no"):
        host.run(fail(), what="failing")
    assert host.operations() == []


def test_the_tasks_of_one_owner_are_ended_and_no_others(host: Host) -> None:
    one, other = object(), object()
    left = host.run(leave(), what="leaving", owner=one, context=context_of(one))
    kept = host.run(leave(), what="leaving", owner=other, context=context_of(other))
    assert owner_of(left) is one
    assert owner_of(kept) is other
    host.end_tasks_of(one)
    assert left.cancelled()
    assert not kept.done()
    host.end_tasks_of(other)
    assert kept.cancelled()


def test_tasks_of_a_foreign_factory_have_owners_too(host: Host) -> None:
    owner = object()

    def make(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=loop, **options)

    host.loop.set_task_factory(make)
    left = host.run(leave(), what="leaving", owner=owner, context=context_of(owner))
    host.end_tasks_of(owner)
    assert left.cancelled()


def test_a_limit_ends_what_runs_with_its_own_error(host: Host) -> None:
    limit = Limit(0.01, lambda what: TimeoutError(f"{what} took too long"))
    with pytest.raises(TimeoutError, match="lingering took too long"):
        host.run(linger(), what="lingering", limit=limit)


def test_a_task_that_is_cancelled_before_it_began_ends_the_run(host: Host) -> None:
    async def never() -> None: ...

    task = host.make_task(never(), None, object())
    task.cancel()
    host.drive(task, task, what="nothing")
    assert task.cancelled()


def test_a_loop_that_was_lent_is_given_back_as_it_was() -> None:
    loop = asyncio.new_event_loop()
    try:
        theirs = loop.create_task(linger())
        host = Host.lent(loop)
        left = host.run(leave(), what="leaving")
        host.close()
        assert left.cancelled()
        assert not theirs.done()
        assert not loop.is_closed()
        assert loop.get_task_factory() is None
        theirs.cancel()
        loop.run_until_complete(asyncio.wait([theirs]))
    finally:
        loop.close()


def test_closing_ends_though_a_task_swallows_its_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("looprig.runtime.ending.GRACE", 0.01)
    is_over = False

    async def stubborn() -> None:
        while not is_over:
            try:
                await linger()
            except asyncio.CancelledError:
                continue

    async def start() -> "asyncio.Task[None]":
        task = asyncio.create_task(stubborn(), name="stubborn")
        await asyncio.sleep(0)
        return task

    # The loop stays open, so that the task can be ended here. Otherwise asyncio would report it much later.
    loop = asyncio.new_event_loop()
    host = Host.lent(loop)
    task = host.run(start(), what="starting")
    with pytest.raises(StuckTaskError, match=r"1 task\(s\) swallowed their cancellation 3 times") as caught:
        host.close()
    assert caught.value.parties[0][0] == "stubborn"
    assert "in stubborn" in caught.value.__notes__[0]
    is_over = True
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_closing_twice_is_the_same_as_once() -> None:
    host = Host.open()
    host.close()
    host.close()
    assert host.loop.is_closed()


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_an_exit_that_escapes_a_task_is_raised_and_nothing_more_is_said_of_it(
    host: Host, ending: type[BaseException]
) -> None:
    async def leave() -> None:
        raise ending

    said: list[object] = []
    host.loop.set_exception_handler(lambda _loop, context: said.append(context))
    with pytest.raises(ending):
        host.run(leave(), what="leaving")
    gc.collect()
    assert said == []
    assert running.operations == []


def test_a_loop_that_was_lent_is_not_left_with_a_stop(host: Host) -> None:
    """Several things may stop the loop in one round; uvloop would keep the second stop for later."""

    async def ask_twice() -> list[int]:
        operation = running.operations[-1]
        return list(await asyncio.gather(operation.put(lambda: 1), operation.put(lambda: 2)))

    assert host.run(ask_twice(), what="asking") == [1, 2]
    assert host.loop.run_until_complete(asyncio.sleep(0, "undisturbed")) == "undisturbed"


def test_the_done_callbacks_of_a_task_run_before_its_loop_is_left(host: Host) -> None:
    called: list[int] = []

    async def schedule() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: host.loop.call_soon(called.append, 2))
        host.loop.call_soon(called.append, 1)

    host.run(schedule(), what="scheduling")
    assert called == [1, 2]


def test_a_busy_loop_is_left_all_the_same(host: Host) -> None:
    """A task of a wide fixture may have something to do in each round, forever."""
    rounds: list[int] = []

    async def busy() -> None:
        while True:
            rounds.append(1)
            await asyncio.sleep(0)

    async def start() -> None:
        asyncio.create_task(busy())  # noqa: RUF006 - it ends with the host

    host.run(start(), what="starting")
    assert len(rounds) < 20


def test_a_limit_shows_the_other_tasks_with_the_suites_own_lines_first(host: Host) -> None:
    async def wait_for_event() -> None:
        await asyncio.Event().wait()

    async def wait() -> None:
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(asyncio.Event().wait(), name="not ours"),
            *(asyncio.create_task(wait_for_event(), name=f"ours {number}") for number in range(12)),
        ]
        await asyncio.gather(*tasks)

    with pytest.raises(TimeoutError) as caught:
        host.run(wait(), what="waiting", limit=Limit(0.05, TimeoutError))
    awaited, beside = caught.value.__notes__
    assert awaited.startswith("It waits for tasks not ours, ours 0, ours 1, ours 10, ours 11, ours 2, ")
    lines = beside.splitlines()
    assert lines[0] == "Beside it, on the same loop:"
    assert next(line for line in lines if line.startswith("ours")).endswith(" waits for Event.wait at")
    assert "wait_for_event" in lines[2]
    assert lines[-1] == "and 3 more"
    assert not any("not ours" in line for line in lines)


def test_alarms_ring_in_order_of_their_time_and_not_once_they_are_cancelled() -> None:
    rung: list[str] = []
    over = threading.Event()
    last = Alarm(now() + 0.06, over.set)
    Alarm(now() + 0.04, lambda: rung.append("second"))
    Alarm(now() + 0.02, lambda: rung.append("first"))
    Alarm(now() + 0.01, lambda: rung.append("never")).cancel()
    assert over.wait(30)
    assert rung == ["first", "second"]
    last.cancel()


def test_the_thread_of_the_alarms_is_none_of_those_that_suites_count() -> None:
    before = threading.active_count()
    Alarm(now() + 3600, print).cancel()
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_alarms_ring_in_a_forked_child() -> None:
    Alarm(now() + 3600, print).cancel()  # the thread runs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
    if child == 0:
        over = threading.Event()
        Alarm(now(), over.set)
        os._exit(0 if over.wait(30) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_alarm_that_fails_stops_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    over = threading.Event()

    def fail() -> None:
        raise ValueError("of an alarm")

    Alarm(now() + 0.01, fail)
    Alarm(now() + 0.03, over.set)
    assert over.wait(30)
    assert [str(each.exc_value) for each in reported] == ["of an alarm"]
