"""Services while a test has frozen the clock with freezegun: what looprig waits for comes in real time."""

import pytest

from tests.kits.servers import needs_postgres
from tests.plugin.suite import run_apart

pytest.importorskip("freezegun")

SERVICES = """
import asyncio
import sys
from dataclasses import dataclass

import pytest
from freezegun import freeze_time
from looprig import ProcessService, Proxy, TcpService, rig, service_fixture
from looprig.toxics import Latency

pytestmark = pytest.mark.loop_timeout(20)

@service_fixture(scope="session")
@dataclass(kw_only=True)
class Files(ProcessService):
    def command(self):
        return [sys.executable, "-u", "-m", "http.server", str(self.port), "--bind", self.host]

    async def ready(self):
        return "Serving HTTP" in self.output

@service_fixture(scope="session")
@dataclass(kw_only=True)
class Echo(TcpService):
    async def handle(self, reader, writer):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
"""


def test_a_process_starts_and_restarts_while_the_clock_stands_still(pytester: pytest.Pytester) -> None:
    test = """
async def test_restarts(files: Files):
    with freeze_time("2026-01-01"):
        await files.restart()
        await files.kill()
        await files.start()
        async with rig(Files) as other:
            await other.stop()
"""
    run_apart(pytester, SERVICES + test).assert_outcomes(passed=1)


def test_a_proxy_delays_by_real_time(pytester: pytest.Pytester) -> None:
    """The loop has the real clock, as the documentation advises. The log has seconds since the start."""
    test = """
async def test_echo(proxy: Proxy[Echo]):
    with freeze_time("2026-01-01", real_asyncio=True), proxy.apply(Latency(0.02)):
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"hello\\n")
        assert await reader.readline() == b"hello\\n"
        writer.close()
    assert all(0 <= event.at < 20 for event in proxy.events)
"""
    run_apart(pytester, SERVICES + test).assert_outcomes(passed=1)


def test_the_search_for_leaks_ends_while_the_clock_stands_still(pytester: pytest.Pytester) -> None:
    test = """
import subprocess

left = []

@pytest.fixture(scope="session", autouse=True)
def frozen():
    with freeze_time("2026-01-01"):
        yield

async def test_leaks_a_process():
    left.append(subprocess.Popen(["sleep", "30"]))

def test_ends_it():
    left[0].kill()
    left[0].wait()
"""
    run_apart(pytester, SERVICES + test, "--loop-watchdogs=leaks=error").assert_outcomes(passed=2)


@needs_postgres
def test_a_database_is_emptied_while_the_clock_stands_still(pytester: pytest.Pytester) -> None:
    pytest.importorskip("asyncpg")
    test = """
import asyncpg
from looprig.kits import PostgresDatabase, PostgresService, TruncatedDatabase

@service_fixture(scope="session")
@dataclass(kw_only=True)
class Postgres(PostgresService): ...

@service_fixture(scope="session")
@dataclass(kw_only=True)
class Database(PostgresDatabase[Postgres]):
    async def prepare(self):
        connection = await asyncpg.connect(self.dsn)
        await connection.execute("CREATE TABLE things (id serial)")
        await connection.close()

@service_fixture
@dataclass(kw_only=True)
class Clean(TruncatedDatabase[Database]): ...

@pytest.fixture
def frozen():
    with freeze_time("2026-01-01"):
        yield

left = []

async def test_leaves_a_transaction_open(frozen, clean: Clean):
    left.append(await asyncpg.connect(clean.dsn))
    await left[0].execute("BEGIN; INSERT INTO things DEFAULT VALUES")

async def test_starts_empty(frozen, clean: Clean):
    connection = await asyncpg.connect(clean.dsn)
    assert await connection.fetchval("SELECT count(*) FROM things") == 0
    await connection.close()
"""
    result = run_apart(pytester, SERVICES + test)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*Database had a transaction still open 3 s after the test*"])
