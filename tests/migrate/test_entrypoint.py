"""aiomisc's fixture `services` becomes a service class, where nothing else affects how its services run."""

import importlib.util
import textwrap
from textwrap import dedent

import pytest

from looprig.__main__ import main
from tests.migrate.suites import after, left
from tests.plugin.suite import output, run_apart

SUITE = """
import asyncio

import aiomisc
import pytest


class Echo(aiomisc.service.TCPServer):
    async def handle_client(self, reader, writer):
        writer.write(await reader.readline())
        writer.close()


@pytest.fixture
def port(aiomisc_unused_port_factory) -> int:
    return aiomisc_unused_port_factory()


@pytest.fixture
def services(port, localhost):
    return [Echo(address=localhost, port=port)]


async def test_echoes(port, localhost):
    reader, writer = await asyncio.open_connection(localhost, port)
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    await writer.wait_closed()
"""


def test_it_becomes_a_service() -> None:
    expected = """
    @service_fixture(autouse=True)
    @dataclass(kw_only=True)
    class AiomiscServices:
        port: int
        localhost: str

        async def run(self) -> AsyncIterator[None]:
            async with Entrypoint(Echo(address=self.localhost, port=self.port)):
                yield
    """
    before = dedent(SUITE)
    old = before[before.index("@pytest.fixture\ndef services") : before.index("\n\n\nasync def test")]
    made = after(SUITE)
    assert dedent(expected).strip() in made
    assert "from looprig import Entrypoint, service_fixture\n" in made
    assert made.partition("async def test_echoes")[2] == before.partition("async def test_echoes")[2]
    assert old not in made


def test_its_tests_pass(pytester: pytest.Pytester) -> None:
    if importlib.util.find_spec("aiomisc") is None:
        pytest.skip("needs aiomisc")
    path = pytester.path / "test_it.py"
    path.write_text(textwrap.dedent(SUITE))
    assert main(["migrate", "--write", str(path)]) == 0
    result = run_apart(pytester, path.read_text())
    assert result.ret == 0, output(result)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("@pytest.fixture\ndef default_context(): ...\n", "other fixtures of aiomisc affect"),
        ("def test_it(entrypoint): ...\n", "something requests it, or the entrypoint"),
        ("class TestIt:\n    @pytest.fixture\n    def services(self): ...\n", ""),
    ],
)
def test_or_is_left(more: str, reason: str) -> None:
    text = f"{dedent(SUITE)}\n\n{more}"
    assert after(text) == text
    assert [reason in each for each in left(text)] == ([True] if reason else [])


def test_a_parameter_that_a_service_has_otherwise_is_left() -> None:
    text = (
        dedent(SUITE)
        .replace("def services(port, localhost)", "def services(run, localhost)")
        .replace("port=port)]", "port=run)]")
    )
    assert after(text) == text
    assert len(left(text)) == 1
