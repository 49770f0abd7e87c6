"""Redis, or Valkey, from the program that is installed on this machine.

Needs no client library: `url` is for the suite's own.

Invariant: it keeps nothing on disk, and each instance is empty when it starts.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Generic, TypeVar, cast

from typing_extensions import override

from looprig.declare.fields_meta import config_field
from looprig.declare.values import COUNT, PATH, Check, instance_of
from looprig.exceptions import LooprigError
from looprig.kits.folders import new_folder
from looprig.kits.programs import REDIS
from looprig.kits.threads import in_thread
from looprig.location import location_of
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
        """Reserve the number of a database that nobody else uses, in this process or in another worker."""
        number = next(each for each in itertools.count(_first_number()) if each not in self._taken)
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

    def _find(self, stack: ExitStack) -> list[str]:
        party = type(self).__qualname__, location_of(type(self))
        found = REDIS.find(folder=None if self.bin is None else Path(self.bin), version=None, party=party)
        return [str(found.server), "--dir", str(stack.enter_context(new_folder("redis")))]

    async def _ask(self, *commands: tuple[str, ...]) -> list[bytes]:
        """Send commands on a connection of their own, and return the first line of each answer."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            for words in commands:
                parts = (f"${len(word)}\r\n{word}\r\n" for word in words)
                writer.write(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return [await reader.readline() for _ in commands]
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


def _first_number() -> int:
    """Return the first number of this process, which is a worker of pytest-xdist or alone."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    return 1 + (_FOR_EACH_WORKER * int(worker) if worker.isdecimal() else 0)
