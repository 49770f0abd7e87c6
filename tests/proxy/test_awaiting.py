"""Toxics that await, and what happens if something else occurs meanwhile."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from looprig import ProxyError
from looprig.toxics import Abort, Await, Discard, Drop, Effect, Flow, Limit, Send, Stall, Toxic, Transform
from tests.proxy.conftest import Run
from tests.proxy.peers import Gate, Recording, echoing, meet, proxied, timers, until


def test_disconnect_all_waits_for_what_is_awaited_and_for_what_is_behind_it(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()
        async with echoing(Transform(gate, direction="downstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"awaited, ")
            await until(lambda: gate.entered == 1)
            writer.write(b"and behind it")
            (connection,) = proxy.connections
            await until(lambda: connection.held == len(b"awaited, and behind it"))
            disconnecting = asyncio.create_task(proxy.disconnect_all())
            await asyncio.sleep(0.01)
            assert not disconnecting.done()
            gate.opened.set()
            await disconnecting
            assert await reader.read() == b"awaited, and behind it"
            writer.close()

    run(scenario())


def test_disconnect_all_resets_where_what_is_awaited_does_not_come(run: Run) -> None:
    """A clean end would mean that there was nothing more."""

    async def scenario() -> None:
        gate = Gate()
        async with echoing(Transform(gate, direction="downstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"awaited")
            await until(lambda: gate.entered == 1)
            await proxy.disconnect_all(grace=0.02)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(scenario())


def test_a_limit_in_one_direction_lets_the_other_finish(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()
        async with echoing(Transform(gate, direction="downstream"), Limit(20, direction="upstream")) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"ten bytes.")
            await until(lambda: gate.entered == 1)
            writer.write(b"ten more..")
            await until(lambda: any(event.kind == "disconnected" for event in proxy.events))
            gate.opened.set()
            assert await reader.read() == b"ten bytes."
            writer.close()

    run(scenario())


def cancels_itself(chunk: bytes) -> Awaitable[bytes]:
    async def cancelled() -> bytes:
        raise asyncio.CancelledError

    return cancelled()


def is_cancelled(chunk: bytes) -> Awaitable[bytes]:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future


@pytest.mark.parametrize("fn", [cancels_itself, is_cancelled])
def test_what_is_awaited_and_cancelled_is_an_error_like_others(
    run: Run, fn: Callable[[bytes], Awaitable[bytes]]
) -> None:
    async def scenario() -> None:
        async with echoing(Transform(fn, direction="upstream")) as proxy:
            assert (await meet(proxy.address, b"hello")).was_reset
            (error,) = proxy.take_errors()
            assert "Transform raised on connection #0: CancelledError" in str(error)

    run(scenario())


def test_what_is_awaited_goes_on_when_its_toxic_is_taken_off_and_what_follows_waits_for_it(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Transform(gate, direction="upstream")):
                writer.write(b"one ")
                await until(lambda: gate.entered == 1)
            writer.write(b"two")
            gate.opened.set()
            assert await reader.readexactly(7) == b"one two"
            assert gate.entered == 1
            writer.close()

    run(scenario())


def test_the_end_of_the_proxy_waits_for_the_end_of_what_is_awaited_and_tells_what_it_raises(run: Run) -> None:
    ended = False

    async def awaits(chunk: bytes) -> bytes:
        nonlocal ended
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            ended = True
            raise LookupError("in its cleanup")

    async def begins_and_ends() -> None:
        async with echoing(Transform(awaits, direction="upstream")) as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"x")
            await until(lambda: any(connection.held == 1 for connection in proxy.connections))
            proxy.connections[0].reset()
            writer.close()

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            await begins_and_ends()
        assert ended
        (error,) = raised.value.exceptions
        assert "LookupError: in its cleanup" in str(error)

    run(scenario())


def test_what_does_not_end_is_told_and_does_not_hang_the_end_of_the_proxy(run: Run) -> None:
    async def stubborn(chunk: bytes) -> bytes:
        while not released:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return chunk

    released = False

    async def ends() -> None:
        async with echoing(Transform(stubborn, direction="upstream")) as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"x")
            await proxy.wait_connections(1)
            (connection,) = proxy.connections
            await until(lambda: connection.held == 1)
            writer.close()

    async def scenario() -> None:
        nonlocal released
        with pytest.raises(ExceptionGroup) as raised:
            await ends()
        (error,) = raised.value.exceptions
        assert isinstance(error, ProxyError)
        assert "1 of its toxics await something that does not end" in str(error)
        released = True
        await asyncio.sleep(0.05)

    run(scenario())


@dataclass(frozen=True, slots=True)
class Greeting(Toxic):
    """A toxic that sends something first, for which it has to wait."""

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        async def greeting() -> bytes:
            await asyncio.sleep(0)
            return b"welcome "

        yield Await(greeting())


def test_a_toxic_may_await_as_it_is_put_on(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(Greeting(direction="downstream")) as proxy:
            assert (await meet(proxy.address, b"back")).data == b"welcome back"

    run(scenario())


def test_a_chunk_that_is_awaited_passes_a_later_toxic_that_is_taken_off_meanwhile(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()
        served = Recording()
        async with proxied(lambda: served) as proxy:
            with proxy.apply(Transform(gate, direction="upstream")):
                _, writer = await asyncio.open_connection(*proxy.address)
                with proxy.apply(Discard(direction="upstream")):
                    writer.write(b"awaited, ")
                    await until(lambda: gate.entered == 1)
                gate.opened.set()
                writer.write(b"and behind it")
                writer.write_eof()
                await until(lambda: served.ended)
            assert served.received == b"awaited, and behind it"
            writer.close()

    run(scenario())


@dataclass(frozen=True, slots=True)
class ResetLater(Toxic):
    """A toxic that passes data on, and then resets."""

    after: float

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data)
        yield Abort(self.after)


@pytest.mark.parametrize("after", [0.0, 30.0])
def test_a_toxic_that_is_taken_off_before_an_awaited_chunk_comes_to_it_plans_nothing(run: Run, after: float) -> None:
    async def scenario() -> None:
        gate = Gate()
        served = Recording()
        async with proxied(lambda: served) as proxy:
            _, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(Transform(gate, direction="upstream")):
                with proxy.apply(ResetLater(after, direction="upstream")):
                    writer.write(b"awaited")
                    await until(lambda: gate.entered == 1)
                gate.opened.set()
                await until(lambda: bytes(served.received) == b"awaited")
                writer.write(b", and more")
                await until(lambda: bytes(served.received) == b"awaited, and more")
            assert [connection.is_open for connection in proxy.connections] == [True]
            writer.close()
        assert timers() == []

    run(scenario())


@dataclass(frozen=True, slots=True)
class DropsAfterwards(Toxic):
    """A toxic that waits for its gate before it says that the chunk is lost."""

    gate: Gate | None = None

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        assert self.gate is not None
        yield Await(self.gate(data))
        yield Drop()


def test_a_toxic_that_loses_bytes_once_it_was_taken_off_resets_the_connection(run: Run) -> None:
    """When its block ended, it had lost nothing. Now its stream has a gap and must not go on."""

    async def scenario() -> None:
        gate = Gate()
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.apply(DropsAfterwards(direction="upstream", gate=gate)):
                writer.write(b"one")
                await until(lambda: gate.entered == 1)
            writer.write(b"two")
            gate.opened.set()
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(6)
            writer.close()
            (event,) = [event for event in proxy.events if event.kind == "reset"]
            assert "DropsAfterwards" in str(event)
            assert "since bytes are missing" in str(event)

    run(scenario())


def test_a_connection_that_is_reset_before_an_awaited_coroutine_begins_leaves_no_warning(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()

        def resets_first(chunk: bytes) -> Awaitable[bytes]:
            asyncio.get_running_loop().call_soon(proxy.connections[0].reset)  # before the first step of any task
            return gate(chunk)

        async with echoing(Transform(resets_first, direction="upstream")) as proxy:
            assert (await meet(proxy.address, b"hello")).was_reset
            await proxy.wait_connections(0)
            assert gate.entered == 0
        gc.collect()

    run(scenario())


@pytest.mark.parametrize(
    "other", [Discard(direction="upstream"), Transform(bytes.upper, direction="upstream")], ids=["Discard", "Transform"]
)
def test_what_was_only_stalled_does_not_meet_the_toxics_that_go_together_with_the_stall(run: Run, other: Toxic) -> None:
    async def scenario() -> None:
        gate = Gate()
        served = Recording()
        async with proxied(lambda: served) as proxy:
            with proxy.apply(Transform(gate, direction="upstream")):
                _, writer = await asyncio.open_connection(*proxy.address)
                writer.write(b"awaited, ")
                await until(lambda: gate.entered == 1)
                writer.write(b"stalled")
                (connection,) = proxy.connections
                await until(lambda: connection.held == len(b"awaited, stalled"))
                with proxy.apply(Stall(direction="upstream"), other):
                    gate.opened.set()
                    await until(lambda: bytes(served.received) == b"awaited, ")
                    assert connection.held == len(b"stalled")
                writer.write_eof()
                await until(lambda: served.ended)
            assert served.received == b"awaited, stalled"
            writer.close()

    run(scenario())


@dataclass(frozen=True, slots=True)
class Tagged(Toxic):
    """A toxic that sends something when it is put on."""

    tag: bytes

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        yield Send(self.tag)


def test_toxics_that_are_applied_while_something_is_awaited_begin_in_that_order(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()
        served = Recording()
        first, second, third = (Tagged(tag, direction="upstream") for tag in (b"1", b"2", b"3"))
        async with proxied(lambda: served) as proxy:
            with proxy.apply(Transform(gate, direction="upstream")):
                _, writer = await asyncio.open_connection(*proxy.address)
                writer.write(b"x")
                await until(lambda: gate.entered == 1)
                with proxy.apply(first, second), proxy.apply(third):
                    gate.opened.set()
                    await until(lambda: len(served.received) == 4)
                assert served.received == b"x123"
            writer.close()

    run(scenario())
