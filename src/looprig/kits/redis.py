"""Redis, or Valkey, from the program that is installed on this machine.

Needs no client library: `url` is for the suite's own.

Invariant: it keeps nothing on disk, and each instance is empty when it starts.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Generic, TypeVar, cast

from typing_extensions import override

from looprig.declare.fields_meta import config_field
from looprig.declare.service import spec_of
from looprig.declare.values import COUNT, PATH, Check, instance_of
from looprig.exceptions import LooprigError
from looprig.kits.folders import new_folder
from looprig.kits.programs import REDIS
from looprig.kits.threads import in_thread
from looprig.location import location_of
from looprig.scopes import Scope
from looprig.services.process import ProcessService

__all__ = ["RedisDatabase", "RedisService"]

ServerT = TypeVar("ServerT", bound="RedisService")

_DATABASES: Final = 1024
_FOR_EACH_WORKER: Final = 16

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@dataclass(kw_only=True)
class RedisService(ProcessService):
    """A Redis server, for the tests alone. It needs `redis-server` or `valkey-server`, and no client library.

        @service_fixture(scope="session")
        @dataclass(kw_only=True)
        class Redis(RedisService): ...

        @pytest.fixture
        async def redis_url(redis: Redis) -> str:
            await redis.clear()
            return redis.url

    Looks for the program on PATH, then where packages put it.

    Configuration:
        bin: the folder of the program, instead of looking for it.
        database: the number of the database of `url`.
        settings: settings as in `redis.conf`: `{"maxmemory": "100mb", "notify-keyspace-events": "KEA"}`.

    Raises `ServiceStartError` if neither program is installed.
    """

    _checks: ClassVar[Mapping[str, Check]] = {
        "bin": PATH.or_none(),
        "database": COUNT,
        "settings": instance_of("a dictionary", Mapping),
    }

    bin: str | Path | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    database: int = config_field(0)
    settings: Mapping[str, str | int] = config_field(factory=dict[str, str | int])
    _command: Sequence[str] = field(default=(), init=False, repr=False, compare=False)
    _taken: set[int] = field(default_factory=set[int], init=False, repr=False, compare=False)

    @property
    def url(self) -> str:
        """The URL of `database`, as in `redis.asyncio.from_url(url)`."""
        return self.url_of(self.database)

    def url_of(self, database: int) -> str:
        """Return the URL of a database, by its number: 0 to 1023, unless `settings` say otherwise."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis://{host}:{self.port}/{database}"

    @contextmanager
    def number(self) -> Generator[int]:
        """Reserve the number of a database that nobody else uses, in this process or in another worker.

        Raises:
            LooprigError: there is none.
        """
        numbers = self._numbers()
        number = next((each for each in numbers if each not in self._taken), None)
        if number is None:
            raise self._too_few(numbers)
        self._taken.add(number)
        try:
            yield number
        finally:
            self._taken.discard(number)

    async def clear(self, database: int | None = None) -> None:
        """Delete all keys of all databases, or those of one database.

        Raises:
            LooprigError: the server refused.
        """
        commands = [("FLUSHALL",)] if database is None else [("SELECT", str(database)), ("FLUSHDB",)]
        for answer in await self._ask(*commands):
            if answer.startswith(b"-"):
                name = type(self).__qualname__
                raise LooprigError(
                    f"{name} could not be cleared: {answer[1:].decode(errors='replace').strip()}.",
                    [(name, location_of(type(self)))],
                )

    @override
    def command(self) -> Sequence[str]:
        settings = {
            "save": "",
            "appendonly": "no",
            "databases": _DATABASES,
            **self.settings,
            "bind": self.host,
            "port": self.port,
        }
        settings["unixsocket"] = ""
        return [*self._command, *(part for name, value in settings.items() for part in (f"--{name}", str(value)))]

    @override
    async def ready(self) -> bool:
        return await self._ask(("PING",)) == [b"+PONG\r\n"]

    @override
    async def run(self) -> AsyncIterator[None]:
        """Run it, in an empty folder, until this generator is closed or resumed."""
        self._check_system()
        stack = ExitStack()
        try:
            self._command = await in_thread(lambda: self._find(stack))
            running = cast("Callable[[], AsyncGenerator[None]]", super().run)
            async with asynccontextmanager(running)():
                yield
        finally:
            self._command = ()
            await in_thread(stack.close)

    @property
    def _count(self) -> int:
        return int(self.settings.get("databases", _DATABASES))

    def _numbers(self) -> range:
        """Return the numbers of this process. Those of a server that workers share are divided among them."""
        # What a worker has of a server that runs elsewhere is of a subclass.
        spec = next((spec for cls in type(self).__mro__ if (spec := spec_of(cls))), None)
        worker = _worker()
        is_shared = spec is None or spec.scope is Scope.RUN
        if not (worker and is_shared):
            return range(1, self._count)
        first = 1 + _FOR_EACH_WORKER * int(worker)
        return range(first, min(first + _FOR_EACH_WORKER, self._count))

    def _too_few(self, numbers: range) -> LooprigError:
        name = type(self).__qualname__
        if len(self._taken) < _FOR_EACH_WORKER:
            whose = f"worker gw{_worker()}, whose first is number {numbers.start}" if _worker() else "its tests"
            what = f"{name} has {self._count} databases, too few for {whose}: `RedisDatabase` leaves number 0 alone."
            fix = f"Remove `databases` from its settings, or raise it: each worker has {_FOR_EACH_WORKER}."
        else:
            what = f"All {len(self._taken)} databases of {name} that are for this process are in use at the same time."
            fix = "Use fewer classes of databases at the same time, or tell their keys apart by a prefix."
        return LooprigError(what, [(name, location_of(type(self)))], fix)

    def _find(self, stack: ExitStack) -> list[str]:
        party = type(self).__qualname__, location_of(type(self))
        found = REDIS.find(folder=None if self.bin is None else Path(self.bin), version=None, party=party)
        return [str(found.server), "--dir", str(stack.enter_context(new_folder("redis")))]

    async def _ask(self, *commands: tuple[str, ...]) -> list[bytes]:
        """Send commands on a connection of their own, up to one that fails. Return the first line of each answer."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            answers: list[bytes] = []
            for words in commands:
                parts = (f"${len(word)}\r\n{word}\r\n" for word in words)
                writer.write(f"*{len(words)}\r\n{''.join(parts)}".encode())
                answers.append(await reader.readline())
                if answers[-1].startswith(b"-"):
                    break  # the next would go to another database
            return answers
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@dataclass(kw_only=True)
class RedisDatabase(Generic[ServerT]):
    """A numbered database of a `RedisService` for each test, which is empty when the test begins.

        @service_fixture
        @dataclass(kw_only=True)
        class Cache(RedisDatabase[Redis]): ...

    Workers that share a server have numbers of their own, and so has each class of a suite.

    Raises `LooprigError` if the server has no database left: it has 1,024, of which each worker that shares it has 16.
    """

    _answers_nobody: ClassVar[bool] = True  # the server does

    server: ServerT
    number: int = field(init=False)

    @property
    def url(self) -> str:
        """The URL of the database, as in `redis.asyncio.from_url(url)`."""
        return self.server.url_of(self.number)

    async def run(self) -> AsyncIterator[None]:
        """Have an empty database until this generator is closed or resumed."""
        with self.server.number() as self.number:
            await self.server.clear(self.number)
            yield


def _worker() -> str:
    """Return the number of this worker of pytest-xdist, or an empty text."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    return worker if worker.isdecimal() else ""
