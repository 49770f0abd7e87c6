"""Errors of a proxy itself: the connection is reset, and the error is reported once."""

import asyncio
import logging
import math
from collections.abc import Iterable
from contextvars import Context
from dataclasses import dataclass
from typing import NoReturn

import pytest

import looprig
from looprig import ProxyError, TcpProxy
from looprig.net.faults.watch import Watched
from looprig.toxics import Effect, Flow, Latency, Send, Toxic, Transform
from tests.proxy.conftest import Run
from tests.proxy.peers import Pouring, echoing, meet, proxied


@dataclass(frozen=True, slots=True)
class Broken(Toxic):
    """A toxic that raises, or yields something that isn't an effect."""

    says: object = ...

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data[:2])
        if self.says is ...:
            raise ValueError("out of order")
        yield self.says  # type: ignore[misc]


def fail(chunk: bytes) -> bytes:
    raise ValueError(f"cannot read {chunk!r}")


def fail_without_text(chunk: bytes) -> bytes:
    raise ConnectionResetError


@dataclass(frozen=True, slots=True)
class Late(Toxic):
    """A toxic whose effect is wrong."""

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data, math.inf)


async def fail_later(chunk: bytes) -> bytes:
    await asyncio.sleep(0)
    return fail(chunk)


@pytest.mark.parametrize(
    ("toxic", "told"),
    [
        (Transform(fail, direction="upstream"), "Transform raised on connection #0: ValueError: cannot read b'hello'"),
        (Transform(fail_later, direction="upstream"), "Transform raised on connection #0: ValueError: cannot read"),
        (Transform(lambda _: "text", direction="upstream"), "TypeError: Transform sent 'text', which isn't bytes"),  # type: ignore[arg-type, return-value]
        (Broken(direction="upstream"), "Broken raised on connection #0: ValueError: out of order"),
        (Late(direction="upstream"), "Late raised on connection #0: DeclarationError: Send was given after=inf.\n"),
        (Transform(fail_without_text, direction="upstream"), "raised on connection #0: ConnectionResetError."),
        (Broken(b"bytes", direction="upstream"), "Broken yielded b'bytes', which isn't an effect: to send bytes"),
        (Broken(None, direction="upstream"), "Broken yielded None, which isn't an effect"),
    ],
)
def test_a_toxic_that_raises_resets_the_connection_and_is_reported_once(run: Run, toxic: Toxic, told: str) -> None:
    async def scenario() -> None:
        async with echoing(toxic) as proxy:
            met = await meet(proxy.address, b"hello")
            assert met.was_reset
            (error,) = proxy.take_errors()
            assert told in str(error)
            assert "test_errors.py:" in str(error)
            assert proxy.take_errors() == []
            assert [event.toxic for event in proxy.events if event.kind == "error"] == [
                toxic.name or type(toxic).__name__
            ]

    run(scenario())


def test_a_predicate_that_raises_is_reported_too(run: Run) -> None:
    def when(_: object) -> bool:
        raise LookupError("no such connection")

    async def scenario() -> None:
        async with echoing() as proxy:
            with proxy.apply(Latency(0, when=when)):
                assert (await meet(proxy.address, b"hello")).was_reset
            (error,) = proxy.take_errors()
            assert "Latency raised on connection #0: LookupError: no such connection" in str(error)
            assert "test_errors.py:" in str(error)

    run(scenario())


def give_up(_: object) -> NoReturn:
    pytest.fail("not as it should be")


@dataclass(frozen=True, slots=True)
class FailsAsItBegins(Toxic):
    """A toxic that raises when it is put on: for a new connection, in the task that sets it up."""

    def on_start(self, flow: Flow) -> Iterable[Effect]:
        give_up(flow)


@pytest.mark.parametrize(
    "toxic",
    [
        Transform(give_up, direction="upstream"),
        Transform(give_up, direction="downstream"),  # of a greeting that may arrive before the connection is complete
        FailsAsItBegins(direction="upstream"),
        Latency(0, when=give_up),
    ],
    ids=["upstream", "downstream", "on_start", "when"],
)
def test_what_raises_and_is_no_exception_such_as_pytest_fail_is_told_as_well(run: Run, toxic: Toxic) -> None:
    async def scenario() -> None:
        async with proxied(lambda: Pouring(pours=b"welcome"), toxics=(toxic,)) as proxy:
            for _ in range(5):
                assert (await meet(proxy.address, b"hello")).was_reset
                (error,) = proxy.take_errors()
                assert isinstance(error.__cause__, pytest.fail.Exception)
                assert "raised on connection #" in str(error)
                assert ": Failed: not as it should be" in str(error)
            await proxy.wait_connections(0)

    run(scenario())


def test_errors_that_nobody_took_are_raised_together_at_the_end(run: Run) -> None:
    async def scenario() -> None:
        async def two() -> None:
            async with echoing(Transform(fail)) as proxy:
                for _ in range(2):
                    await meet(proxy.address, b"hello")

        with pytest.raises(ExceptionGroup) as raised:
            await two()
        assert [type(error) for error in raised.value.exceptions] == [ProxyError, ProxyError]

    run(scenario())


class Watching:
    """A watch that ignores errors, instead of the plugin's."""

    seed = 1
    test = 0

    def begin(self, proxy: Watched) -> None: ...

    def end(self, proxy: Watched) -> None: ...


class Reaches:
    """A toxic that meets an error of its proxy without taking it, and then waits forever."""

    def __init__(self) -> None:
        self.error_is_there = asyncio.Event()
        self.proxy = TcpProxy(("127.0.0.1", 1))

    async def __call__(self) -> None:
        async with echoing(Transform(fail)) as self.proxy:
            await meet(self.proxy.address, b"hello")
            self.error_is_there.set()
            await asyncio.Event().wait()


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_cancellation_stays_one_whatever_nobody_took(run: Run, *, is_watched: bool) -> None:
    """The errors are left for the watch, or noted if there is none."""

    async def scenario() -> None:
        reaches = Reaches()
        context = Context()
        if is_watched:
            watching = Watching()
            context.run(looprig.proxy_watch.set, lambda: watching)
        task = asyncio.create_task(reaches(), context=context)
        await reaches.error_is_there.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert task.cancelled()
        notes = getattr(raised.value, "__notes__", [])
        errors = reaches.proxy.take_errors()
        assert [note.partition(" raised on ")[0] for note in notes] == ["Besides, in a proxy: Transform"][is_watched:]
        assert [type(error) for error in errors] == [ProxyError][not is_watched :]

    run(scenario())


def test_a_time_limit_stays_one_whatever_nobody_took(run: Run) -> None:
    async def scenario() -> None:
        watching = Watching()
        looprig.proxy_watch.set(lambda: watching)
        reaches = Reaches()

        async def has_a_limit() -> None:
            async with asyncio.timeout(None) as limit:
                reaching = asyncio.create_task(reaches.error_is_there.wait())
                reaching.add_done_callback(lambda _: limit.reschedule(asyncio.get_running_loop().time()))
                await reaches()

        with pytest.raises(TimeoutError):
            await has_a_limit()
        assert len(reaches.proxy.take_errors()) == 1

    run(scenario())


def test_a_service_that_does_not_answer_in_time_is_reported(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as behind, TcpProxy(behind.address, connect_timeout=0.05) as proxy:
            with behind.unreachable():
                assert (await meet(proxy.address)).was_reset
            (error,) = proxy.take_errors()
            assert "no answer within 0.05 s" in str(error)

    run(scenario())


def test_nothing_is_logged_or_left_to_the_loop(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        caplog.set_level(logging.WARNING)
        async with echoing(Transform(fail_later)) as proxy:
            await meet(proxy.address, b"hello")
            proxy.take_errors()
        assert caplog.records == []

    run(scenario())


def test_the_log_of_events_can_be_read(run: Run) -> None:
    async def scenario() -> None:
        async with echoing(seed=4) as proxy:
            with proxy.apply(Latency(0.001)):
                await meet(proxy.address, b"hello")
                await proxy.wait_connections(0)
            first, *lines = proxy.render().splitlines()
        assert first == "TcpProxy, seed 4:"
        assert [line.partition(" s ")[2].split(maxsplit=1)[1].partition(" from ")[0] for line in lines] == [
            "toxic Latency: Latency(delay=0.001)",
            "accepted",
            "toxic Latency is on",
            "connected",
            "upstream ended after 5 bytes",
            "downstream ended after 5 bytes",
            "closed",
            "toxic off Latency",
        ]

    run(scenario())
