"""What works with nothing but looprig and what it requires: async tests and fixtures, and services of any kind."""

import asyncio
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

import looprig
from looprig import TcpService, service_fixture


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Echo(TcpService):
    """A server that sends back what it receives."""

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)


@pytest.fixture(scope="module")
async def wide() -> AsyncIterator[asyncio.AbstractEventLoop]:
    async with asyncio.timeout(60):
        yield asyncio.get_running_loop()


async def test_an_async_test_shares_the_loop_of_its_fixture(wide: asyncio.AbstractEventLoop) -> None:
    assert asyncio.get_running_loop() is wide


async def test_a_service_is_a_fixture(echo: Echo) -> None:
    reader, writer = await asyncio.open_connection(*echo.address)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()


def test_the_plan_is_shown() -> None:
    shown = run_pytest("--explain-loops", "--collect-only", str(Path(__file__)))
    assert "module loop of " in shown


def test_pytest_shows_its_version() -> None:
    assert run_pytest("--version").startswith(f"pytest {version('pytest')}")


def test_the_program_shows_its_help() -> None:
    done = subprocess.run([sys.executable, "-m", "looprig", "--help"], capture_output=True, text=True, check=True)
    assert "migrate" in done.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    assert looprig.__version__ == version("looprig")


def run_pytest(*options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
