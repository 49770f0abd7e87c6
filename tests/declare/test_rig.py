"""A rig runs declared services without pytest: with shared dependencies, concurrently, and to a clean end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import pytest

from looprig import DeclarationError, Fixture, LooprigError, Rig, ServiceStartError, rig, service_fixture

told: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    told.clear()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario on its own loop, and fail on unhandled errors."""
    unseen: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
        await scenario

    asyncio.run(watched())
    assert unseen == []


class Life:
    """A service that records its start and stop."""

    async def start(self) -> None:
        told.append(f"+{type(self).__name__}")

    async def stop(self) -> None:
        told.append(f"-{type(self).__name__}")


class Reads(Protocol):
    """A protocol that is requested."""

    def read(self) -> str: ...


@service_fixture(scope="session", provides=Reads)
@dataclass(kw_only=True)
class Disk(Life):
    """A dependency of several services."""

    dsn: str
    size: int = 3

    def read(self) -> str:
        return self.dsn


@service_fixture
@dataclass(kw_only=True)
class Rest(Life):
    """A service that depends on another directly, and by a Protocol that the same one provides."""

    disk: Disk
    reads: Reads
    named: Annotated[str, Fixture("other")] = "default"
    state: list[int] = field(default_factory=list[int], init=False)


@service_fixture
@dataclass(kw_only=True)
class Worker(Life):
    """A service that shares the dependency."""

    disk: Disk


@service_fixture
@dataclass(kw_only=True)
class Crashes:
    """A service that fails on demand."""

    now: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._crash())
            yield
            task.cancel()

    async def _crash(self) -> None:
        await self.now.wait()
        raise OSError("gone")


@service_fixture
@dataclass(kw_only=True)
class OnBoth(Life):
    """A service that stops after its dependency has crashed."""

    crashes: Crashes
    worker: Worker


@service_fixture
class CannotStop(Life):
    """A service that fails when it stops."""

    async def stop(self) -> None:
        await super().stop()
        raise OSError("cannot stop")


@service_fixture
class CannotStart(Life):
    """A service that fails to start, once others are starting."""

    async def start(self) -> None:
        while "waiting" not in told:  # noqa: ASYNC110 - an event would be bound to the loop of another test
            await asyncio.sleep(0)
        logging.getLogger("app").error("no port")
        raise OSError("cannot start")


@service_fixture
class Waits:
    """A service that is never ready."""

    async def run(self) -> AsyncIterator[None]:
        told.append("waiting")
        try:
            await asyncio.Event().wait()
            yield
        finally:
            told.append("given up")


@service_fixture
@dataclass(kw_only=True)
class OnFailing(Life):
    """A service whose dependency fails while another starts."""

    waits: Waits
    fails: CannotStart
    worker: Worker


def test_one_instance_of_each_that_stops_in_reverse() -> None:
    async def scenario() -> None:
        async with Rig({"dsn": "here", "other": "named"}) as running:
            rest, worker, again = await asyncio.gather(running.start(Rest), running.start(Worker), running.start(Rest))
            assert rest is again
            assert rest.disk is rest.reads is worker.disk
            assert (rest.disk.dsn, rest.disk.size, rest.named) == ("here", 3, "named")
            assert told[0] == "+Disk"
        assert told[-1] == "-Disk"
        assert told[3:5] == ["-" + name[1:] for name in reversed(told[1:3])]

    run(scenario())


def test_values_for_configuration_fixtures_and_in_the_place_of_a_service() -> None:
    async def scenario() -> None:
        async with rig(Disk, dsn="x", size=7) as disk:
            assert (disk.dsn, disk.size) == ("x", 7)
        fake = Disk(dsn="fake")
        async with rig(Rest, disk=fake, reads=fake, named="by field") as rest:
            assert rest.disk is fake
            assert rest.named == "by field"
        assert told == ["+Disk", "-Disk", "+Rest", "-Rest"]

    run(scenario())


def test_a_value_for_configuration_of_looprigs_own_base_classes() -> None:
    from looprig import TcpService

    @service_fixture
    @dataclass(kw_only=True)
    class Echo(TcpService):
        async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async def scenario() -> None:
        async with rig(Echo, host="localhost", shutdown_timeout=1.0) as echo:
            assert (echo.host, echo.shutdown_timeout) == ("localhost", 1.0)

    run(scenario())


@pytest.mark.parametrize(
    ("service", "values", "message"),
    [
        (Rest, {}, "The rig was given no value for Rest.named, Disk.dsn."),
        (Disk, {"dsn": "", "sise": 1}, "The rig was given sise, which isn't a field of Disk or its dependencies."),
        (int, {}, "int isn't a service class."),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(service: Any, values: dict[str, Any], message: str) -> None:
    async def scenario() -> None:
        async with rig(service, **values):
            raise AssertionError("started")

    with pytest.raises(DeclarationError) as caught:
        run(scenario())
    assert message in str(caught.value)
    assert told == []


def test_a_rig_that_is_not_open_starts_nothing() -> None:
    async def scenario() -> None:
        async with Rig() as closed:
            pass
        for one in (Rig(), closed):
            with pytest.raises(LooprigError, match="CannotStop cannot be started: the rig is not open"):
                await one.start(CannotStop)

    run(scenario())


@pytest.mark.parametrize("where", ["waiting", "busy", "raising", "left"])
def test_a_crash_ends_the_block_and_is_what_it_raises(where: str) -> None:
    async def block() -> None:
        async with rig(OnBoth, dsn="") as both:
            both.crashes.now.set()
            if where == "waiting":
                await asyncio.Event().wait()
            for _ in range(9 if where != "left" else 0):
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    if where == "raising":
                        raise ValueError("the block's own") from None
                    raise

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await block()
        gone = caught.value.subgroup(OSError)
        assert gone is not None
        assert str(gone.exceptions[-1]) == "gone" or isinstance(gone.exceptions[-1], ExceptionGroup)
        own = caught.value.subgroup(ValueError)
        assert (own is not None) is (where == "raising")
        assert told == ["+Disk", "+Worker", "+OnBoth", "-OnBoth", "-Worker", "-Disk"]
        await asyncio.sleep(0)  # no cancellation is left over
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0

    run(scenario())


def test_an_error_at_stop_is_raised_and_with_others_in_a_group() -> None:
    async def block() -> None:
        async with Rig({"dsn": ""}) as running:
            await running.start(Worker)
            await running.start(CannotStop)
            raise ValueError("the block's own")

    async def scenario() -> None:
        with pytest.raises(OSError, match="cannot stop"):
            async with rig(CannotStop):
                pass
        with pytest.raises(BaseExceptionGroup) as caught:
            await block()
        assert [str(error) for error in caught.value.exceptions] == ["the block's own", "cannot stop"]
        assert told[-3:] == ["-CannotStop", "-Worker", "-Disk"]

    run(scenario())


def test_the_blocks_own_error_is_raised_as_it_is() -> None:
    async def scenario() -> None:
        error = ValueError("own")
        with pytest.raises(ValueError, match="own") as caught:
            async with rig(Worker, dsn=""):
                raise error
        assert caught.value is error
        assert told[-2:] == ["-Worker", "-Disk"]

    run(scenario())


def test_one_that_fails_ends_another_that_is_starting() -> None:
    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as caught:
            async with rig(OnFailing, dsn=""):
                raise AssertionError("started")
        assert "Service CannotStart did not start: OSError: cannot start." in str(caught.value)
        assert "ERROR app: no port" in str(caught.value)
        assert "given up" in told
        assert {name[1:] for name in told if name[0] == "+"} == {name[1:] for name in told if name[0] == "-"}
        assert not any(task.get_name().startswith("service") for task in asyncio.all_tasks())

    run(scenario())


@pytest.mark.parametrize("when", ["starting", "running", "stopping"])
def test_a_cancelled_block_ends_as_cancelled_and_stops_everything(when: str) -> None:
    reached = asyncio.Event()

    @service_fixture
    @dataclass(kw_only=True)
    class Slow:
        disk: Disk

        async def start(self) -> None:
            if when == "starting":
                reached.set()
                await asyncio.Event().wait()

        async def stop(self) -> None:
            if when == "stopping":
                reached.set()
                await asyncio.Event().wait()

    async def block() -> None:
        async with rig(Slow, dsn=""):
            if when == "running":
                reached.set()
                await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(block())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert told == ["+Disk", "-Disk"]

    run(scenario())


def test_a_crash_while_others_stop_is_told() -> None:
    @service_fixture
    @dataclass(kw_only=True)
    class Breaks(Life):
        crashes: Crashes

        async def stop(self) -> None:
            self.crashes.now.set()
            for _ in range(9):
                await asyncio.sleep(0)
            await super().stop()

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with rig(Breaks):
                pass
        assert str(caught.value.exceptions[0]) == "gone"
        assert told == ["+Breaks", "-Breaks"]

    run(scenario())
