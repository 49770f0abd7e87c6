"""What the report of a failed test shows of the processes that were alive during the test."""

import os
import re

import pytest

from tests.plugin.suite import output, run, run_apart

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ProcessService needs POSIX")

HEAD = """
    import asyncio
    import os
    import signal
    import sys
    from collections.abc import Sequence
    from dataclasses import dataclass

    import pytest
    from looprig import AsgiService, ProcessService, Proxy, rig, service_fixture

    PROGRAM = '''
    import signal, time

    said = 0

    def say(*_):
        global said
        said += 1
        print("line", said, flush=True)

    signal.signal(signal.SIGUSR1, say)
    print("up", flush=True)
    while True:
        time.sleep(0.01)
    '''

    @dataclass(kw_only=True)
    class Talks(ProcessService):
        def command(self) -> Sequence[str]:
            return [sys.executable, "-c", PROGRAM]

        async def ready(self) -> bool:
            return "up" in self.output

        async def say(self, times: int = 1) -> None:
            for _ in range(times):
                before = len(self.output)
                os.kill(self.pid, signal.SIGUSR1)
                while len(self.output) == before:
                    await asyncio.sleep(0.001)

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Postgres(Talks): ...
"""

TITLE = re.compile(r"^-+ (Output of .*|Captured .*|Network faults) -+$", re.MULTILINE)


def test_it_shows_what_each_printed_during_the_test_and_nothing_else(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Broker(Talks): ...

    async def test_first(postgres: Postgres, broker: Broker):
        await postgres.say()
        assert postgres.output_of_test == "up\\nline 1\\n"
        assert 0

    async def test_passes(postgres: Postgres): await postgres.say()

    async def test_second(postgres: Postgres):
        await postgres.say()
        assert postgres.output_of_test == "line 3\\n"
        assert 0

    async def test_silent(postgres: Postgres): assert 0
    """,
    )
    result.assert_outcomes(passed=1, failed=3)
    first, second, silent = re.split(r"^_+ test_\w+ _+$", output(result), flags=re.MULTILINE)[1:]
    assert re.search(r"-+ Output of Postgres during this test \(test_it\.py:\d+\) -+\nup\nline 1\n", first)
    assert re.search(r"-+ Output of Broker during this test \(test_it\.py:\d+\) -+\nup\n(?!line)", first)
    assert re.search(r"-+ Output of Postgres during this test \(test_it\.py:\d+\) -+\nline 3\n$", second)
    assert "Output of" not in silent


def test_it_shows_them_for_a_failed_set_up_and_teardown(pytester: pytest.Pytester) -> None:
    """In a sync test too. A process that has been stopped before the teardown failed is among them."""
    result = run(
        pytester,
        HEAD
        + """
    @pytest.fixture
    async def fails(postgres: Postgres):
        await postgres.say()
        assert 0, "in set-up"

    @pytest.fixture
    def fails_late():
        yield
        assert 0, "in teardown"

    @service_fixture
    @dataclass(kw_only=True)
    class Own(Talks): ...

    async def test_set_up(fails): ...
    async def test_teardown(fails_late, own: Own): await own.say()
    def test_sync(postgres: Postgres): assert postgres.output_of_test
    def test_sync_itself(own: Own): assert 0
    """,
    )
    result.assert_outcomes(failed=2, passed=1, errors=2)
    text = output(result)
    assert re.search(r"in set-up(?s:.*?)- Output of Postgres .* -+\nup\nline 1\n", text)
    assert re.search(r"in teardown(?s:.*?)- Output of Own .* -+\nup\nline 1\n", text)
    assert re.search(r"test_sync_itself _+\n(?s:.*?)- Output of Own .* -+\nup\n", text)


@pytest.mark.parametrize(("option", "shown"), [("-v", 20), ("-vv", 30)])
def test_it_shows_the_last_lines_and_all_if_asked(pytester: pytest.Pytester, option: str, shown: int) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_it():
        async with rig(Postgres) as postgres:
            await postgres.say(29)
        assert 0
    """,
        option,
    )
    text = output(result)
    assert ("... (10 lines before, which -vv shows)\nline 10\n" in text) is (shown == 20)
    assert len(re.findall(r"^(?:up|line \d+)$", text, re.MULTILINE)) == shown


def test_they_come_after_the_failure_before_network_faults_and_captured_output(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    from looprig.toxics import Latency
    from looprig import TcpService

    @service_fixture
    @dataclass(kw_only=True)
    class Echo(TcpService):
        async def handle(self, reader, writer): writer.write(await reader.readline())

    async def test_it(proxy: Proxy[Echo], postgres: Postgres):
        print("printed")
        with proxy.down(): pass
        assert 0
    """,
    )
    assert [title.split(" during")[0] for title in TITLE.findall(output(result))] == [
        "Output of Postgres",
        "Network faults",
        "Captured stdout call",
    ]


def test_reports_of_workers_and_junit_xml_have_them(pytester: pytest.Pytester) -> None:
    suite = HEAD + "\n    async def test_it(postgres: Postgres): assert 0"
    result = run_apart(pytester, suite, "-p", "xdist", "-n1", "--junitxml=report.xml")
    result.assert_outcomes(failed=1)
    assert re.search(r"- Output of Postgres during this test \(test_it\.py:\d+\) -+\nup\n", output(result))
    xml = (pytester.path / "report.xml").read_text("utf-8")
    assert re.search(r"<failure [^<]*- Output of Postgres during this test \(test_it\.py:\d+\) -+\nup</failure>", xml)


def test_they_follow_a_failure_without_a_traceback_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @pytest.mark.xfail(strict=True)
    async def test_it(postgres: Postgres): print("printed")
    """,
    )
    assert [title.split(" during")[0] for title in TITLE.findall(output(result))] == [
        "Output of Postgres",
        "Captured stdout call",
    ]


def test_they_are_not_shown_where_no_output_is_wanted(pytester: pytest.Pytester) -> None:
    result = run(pytester, HEAD + "\n    async def test_it(postgres: Postgres): assert 0", "--show-capture=no")
    assert TITLE.findall(output(result)) == []


DIES = """
    async def test_it(postgres: Postgres):
        postgres_died = asyncio.get_running_loop().create_future()
        os.kill(postgres.pid, signal.SIGKILL)
        await postgres_died
"""


@pytest.mark.parametrize(("option", "times"), [("-q", 1), ("-vv", 2)])
def test_what_the_error_shows_is_not_shown_again(pytester: pytest.Pytester, option: str, times: int) -> None:
    text = output(run(pytester, HEAD + DIES, option))
    assert "Postgres ended with signal SIGKILL while it was in use" in text
    assert len(re.findall(r"^ *up$", text, re.MULTILINE)) == times


def test_what_the_error_of_a_failed_start_shows_is_not_shown_again(pytester: pytest.Pytester) -> None:
    text = output(
        run(
            pytester,
            HEAD
            + """
    @service_fixture
    @dataclass(kw_only=True)
    class Broken(ProcessService):
        def command(self) -> Sequence[str]: return [sys.executable, "-c", "print('no configuration')"]
        async def ready(self) -> bool: return False

    async def test_it(postgres: Postgres, broken: Broken): ...
    """,
        )
    )
    assert [title.split(" during")[0] for title in TITLE.findall(text) if "log" not in title] == ["Output of Postgres"]
    assert text.count("no configuration") == 1
