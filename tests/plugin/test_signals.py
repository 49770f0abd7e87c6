"""Ctrl-C and SIGTERM: what runs is cancelled, teardown runs in strict reverse order, and the exit status says so."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.plugin.suite import start

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

SUITE = """
import asyncio
import time
import pytest

@pytest.fixture(scope="session")
async def session():
    yield
    await asyncio.sleep(0)
    print("down session", flush=True)

@pytest.fixture
def sync(session):
    yield
    print("down sync", flush=True)

@pytest.fixture
async def narrow(sync):
    if WHERE == "set-up":
        await wait()
    yield
    print("down narrow", flush=True)
    if WHERE == "teardown":
        await wait()

async def wait():
    print("waiting", flush=True)
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled", flush=True)

async def test_it(narrow):
    if WHERE == "test":
        await wait()
    if WHERE == "busy test":
        print("waiting", flush=True)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass

def test_sync(session):
    if WHERE == "sync test":
        print("waiting", flush=True)
        time.sleep(60)

async def test_never(session):
    print("never", flush=True)
"""
LIMIT = 60


@pytest.fixture(params=["asyncio", "uvloop"])
def factory(request: pytest.FixtureRequest) -> str:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return f"--loop-factory={request.param}"


class Child:
    """A run that is sent signals; its lines are read as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.rstrip().endswith(word):
                return
        pytest.fail("\n".join(self.lines))

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        assert self.process.stdout is not None
        self.lines += [line.rstrip() for line in self.process.stdout]
        return self.process.wait(LIMIT)

    @property
    def told(self) -> list[str]:
        found = (re.search(r"(down \w+|cancelled|never)$", line) for line in self.lines)
        return [match[0] for match in found if match]


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.process.kill()
        child.process.wait(LIMIT)
        assert child.process.stdout is not None
        child.process.stdout.close()


def begin(pytester: pytest.Pytester, children: list[Child], where: str, *options: str) -> Child:
    child = Child(start(pytester, f"WHERE = {where!r}\n" + SUITE, *options))
    children.append(child)
    child.wait_for("waiting")
    return child


EXPECTED = {
    "test": ["cancelled", "down narrow", "down sync", "down session"],
    "set-up": ["cancelled", "down sync", "down session"],
    "sync test": ["down narrow", "down sync", "down session"],
}


@pytest.mark.parametrize("where", list(EXPECTED))
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 2), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_signal_cancels_what_runs_and_runs_teardown(
    pytester: pytest.Pytester, children: list[Child], factory: str, where: str, number: int, status: int
) -> None:
    child = begin(pytester, children, where, factory)
    child.send(number)
    assert child.end() == status
    assert child.told == EXPECTED[where]
    text = "\n".join(child.lines)
    assert "KeyboardInterrupt" in text if number == signal.SIGINT else "terminated by SIGTERM" in text
    assert "never retrieved" not in text
    assert "destroyed but" not in text


def test_ctrl_c_in_a_busy_test_takes_a_second_one(
    pytester: pytest.Pytester, children: list[Child], factory: str
) -> None:
    """The first one waits for the test to come to an `await`; the second stops it where it stands."""
    child = begin(pytester, children, "busy test", factory)
    child.send(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.process.wait(0.3)
    child.send(signal.SIGINT)
    assert child.end() == 2
    assert child.told == ["down narrow", "down sync", "down session"]


def test_ctrl_c_in_a_teardown_still_runs_the_others(
    pytester: pytest.Pytester, children: list[Child], factory: str
) -> None:
    child = begin(pytester, children, "teardown", factory)
    child.send(signal.SIGINT)
    assert child.end() == 2
    assert child.told == ["down narrow", "cancelled", "down sync", "down session"]


def test_a_handler_of_the_suite_is_left_alone(pytester: pytest.Pytester, children: list[Child]) -> None:
    child = Child(
        start(
            pytester,
            """
            import asyncio
            import os
            import signal

            seen = []
            signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))

            async def test_it():
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(0)
                assert seen == [signal.SIGTERM]
            """,
        )
    )
    children.append(child)
    assert child.end() == 0


def test_handlers_are_given_back_when_the_run_ends(pytester: pytest.Pytester, children: list[Child]) -> None:
    pytester.makeconftest(
        """
        import atexit
        import signal

        @atexit.register
        def say():
            print("SIGINT", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
            print("SIGTERM", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
    )
    child = Child(
        start(
            pytester,
            """
            import signal

            async def test_it():
                assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            """,
        )
    )
    children.append(child)
    assert child.end() == 0
    assert child.lines[-2:] == ["SIGINT True", "SIGTERM True"]
