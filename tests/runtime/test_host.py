"""A loop by hand: what runs on it, whose tasks are whose, and an end to everything. No pytest plugin in here."""

import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any

import pytest

from looprig.exceptions import StuckTaskError
from looprig.runtime.context import OWNER
from looprig.runtime.host import Host
from looprig.runtime.operation import Limit
from looprig.runtime.tasks import owner_of

loops = ["asyncio", "uvloop"]


@pytest.fixture(params=loops)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    factory = getattr(pytest.importorskip(request.param), "new_event_loop")  # noqa: B009 - of either module
    host = Host.open(factory)
    yield host
    host.close()


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
    monkeypatch.setattr("looprig.runtime.host.GRACE", 0.01)
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

    # The loop stays open, so that the task can be ended here: otherwise asyncio would tell of it much later.
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
