"""Code in a toxic that controls its own proxy: this works, and the stream goes on in order."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from looprig.toxics import Abort, Effect, Flow, Latency, Send, Slice, Toxic, Transform
from looprig.toxics.rule import ConnectionInfo
from tests.proxy.conftest import Run
from tests.proxy.peers import Gate, Recording, echoing, meet, proxied, timers, until


@dataclass(frozen=True, slots=True)
class Generating(Toxic):
    """A toxic that sends the result of a function; its code runs while the proxy waits for the next effect."""

    fn: Callable[[bytes], bytes]

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(self.fn(data))


@dataclass(frozen=True, slots=True)
class Listing(Toxic):
    """The same, but its code runs when it is called, before it has yielded any effect."""

    fn: Callable[[bytes], bytes]

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        return [Send(self.fn(data))]


each_kind = pytest.mark.parametrize("kind", [Generating, Listing, Transform])


@each_kind
def test_a_toxic_may_apply_another(run: Run, kind: type[Generating | Listing | Transform]) -> None:
    """Behind a Slice, several pieces are under way when it does."""

    async def scenario() -> None:
        served = Recording()
        async with proxied(lambda: served) as proxy:
            with ExitStack() as applied:

                def applies(chunk: bytes) -> bytes:
                    if chunk == b"c":
                        applied.enter_context(proxy.apply(Latency(0.001)))
                    return chunk

                applied.enter_context(proxy.apply(Slice(1, direction="upstream"), kind(applies, direction="upstream")))
                _, writer = await asyncio.open_connection(*proxy.address)
                writer.write(b"abcdef")
                writer.write_eof()
                await until(lambda: served.ended)
            assert served.received == b"abcdef"
            assert proxy.take_errors() == []
            writer.close()

    run(scenario())


@each_kind
def test_a_toxic_may_leave_the_block_of_another_while_chunks_wait(
    run: Run, kind: type[Generating | Listing | Transform]
) -> None:
    async def scenario() -> None:
        gate = Gate()
        served = Recording()
        async with proxied(lambda: served) as proxy:
            with ExitStack() as block:

                def leaves(chunk: bytes) -> bytes:
                    if chunk == b"2":
                        block.close()
                    return chunk

                block.enter_context(proxy.apply(Latency(0.001)))
                awaiting = Transform(lambda chunk: gate(chunk) if chunk == b"1" else chunk, direction="upstream")
                with proxy.apply(kind(leaves, direction="upstream"), awaiting):
                    _, writer = await asyncio.open_connection(*proxy.address)
                    await proxy.wait_connections(1)
                    (connection,) = proxy.connections
                    for held, chunk in enumerate(b"1234", 1):
                        writer.write(bytes([chunk]))
                        await until(lambda: connection.held == held)  # noqa: B023 - done before the next one
                    gate.opened.set()
                    writer.write_eof()
                    await until(lambda: served.ended)
            assert served.received == b"1234"
            assert proxy.take_errors() == []
            writer.close()

    run(scenario())


@pytest.mark.parametrize("then", [(), (Abort(30.0),), (Send(b"x"),)], ids=["nothing", "Abort", "Send"])
def test_a_toxic_may_reset_its_own_connection(run: Run, then: tuple[Effect, ...]) -> None:
    async def scenario() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with echoing() as proxy:

            @dataclass(frozen=True, slots=True)
            class Resetting(Toxic):
                def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
                    proxy.connections[0].reset()
                    yield from then

            with proxy.apply(Resetting(direction="upstream")):
                assert (await meet(proxy.address, b"hello")).was_reset
                await proxy.wait_connections(0)
            assert proxy.take_errors() == []
        assert told == []
        assert timers() == []

    run(scenario())


def test_a_predicate_may_apply_a_toxic_which_strikes_once(run: Run) -> None:
    async def scenario() -> None:
        served = Recording()
        async with proxied(lambda: served) as proxy:
            with ExitStack() as applied:
                asked: list[int] = []

                def inner_when(connection: ConnectionInfo) -> bool:
                    asked.append(connection.index)
                    return True

                def when(connection: ConnectionInfo) -> bool:
                    inner = Transform(lambda chunk: chunk + b"!", direction="upstream", when=inner_when)
                    applied.enter_context(proxy.apply(inner))
                    return True

                applied.enter_context(proxy.apply(Latency(0.0, when=when)))
                _, writer = await asyncio.open_connection(*proxy.address)
                writer.write(b"x")
                writer.write_eof()
                await until(lambda: served.ended)
            assert served.received == b"x!"
            assert asked == [0]
            writer.close()

    run(scenario())


@pytest.mark.parametrize("strikes", [True, False])
def test_a_predicate_may_leave_its_own_block_and_later_applications_strike(run: Run, *, strikes: bool) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with ExitStack() as block:

                def when(connection: ConnectionInfo) -> bool:
                    block.close()
                    return strikes

                block.enter_context(proxy.apply(Latency(0.0, when=when), Transform(lambda _: b"not on")))
                with proxy.apply(Transform(bytes.upper, direction="upstream")) as later:
                    for number in range(2):
                        met = await meet(proxy.address, b"hello")
                        assert met.data == b"HELLO"
                        assert later.struck == tuple(range(number + 1))
            assert proxy.take_errors() == []

    run(scenario())
