"""Ctrl-C and SIGTERM cancel what runs, run teardown in strict reverse order, and set the exit status."""

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
    if WHERE == "slow teardown":
        print("waiting", flush=True)
        await asyncio.sleep(0.5)
        print("down late", flush=True)

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
        for _ in range(600):  # a signal that comes just before a sleep is handled after it
            time.sleep(0.1)

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
    """A run that is sent signals. Its lines are read as they come."""

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
    "slow teardown": ["down narrow", "down late", "down sync", "down session"],
}

PLACES = {
    "test": r"Interrupted during the call of test_it, at\n  test_it\.py:\d+ in test_it\n  test_it\.py:\d+ in wait\n",
    "set-up": r"Interrupted during the set-up of test_it, at\n  test_it\.py:\d+ in narrow\n  test_it\.py:\d+ in wait\n",
    "sync test": r"Interrupted during the call of test_sync, at\n  test_it\.py:\d+ in test_sync\n",
    "slow teardown": "",
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
    assert re.search(PLACES[where], text)
    assert "never retrieved" not in text
    assert "destroyed but" not in text


def test_ctrl_c_in_a_busy_test_takes_a_second_one(
    pytester: pytest.Pytester, children: list[Child], factory: str
) -> None:
    """The first one waits until the test reaches an `await`; the second stops it where it is."""
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


@pytest.mark.parametrize("call", ["busy test", "blocking test"])
def test_one_signal_ends_a_test_that_blocks_its_loop(
    pytester: pytest.Pytester, children: list[Child], factory: str, call: str
) -> None:
    """A test that never reaches an `await` is stopped where it is: to end a job, CI sends one signal."""
    suite = SUITE.replace('if WHERE == "busy test":', 'if WHERE == "blocking test":\n        block()\n    if False:')
    block = """
def block():
    print("waiting", flush=True)
    if not ASYNCIO:
        time.sleep(0.5)  # while uvloop runs, a signal is lost that comes just before a blocking call
    time.sleep(3600)
"""
    if call == "busy test":
        suite, block = SUITE.replace("time.monotonic() + 60", "time.monotonic() + 3600"), ""
    where = f"WHERE, ASYNCIO = {call!r}, {factory.endswith('asyncio')}\n"
    child = Child(start(pytester, f"{where}{suite}{block}", factory))
    children.append(child)
    child.wait_for("waiting")
    child.send(signal.SIGTERM)
    assert child.end() == 143
    assert child.told == ["down narrow", "down sync", "down session"]


STUBBORN = """
import asyncio
import os
import signal
import looprig.runtime.ending
import looprig.runtime.operation
import pytest

looprig.runtime.ending.GRACE = looprig.runtime.operation.GRACE = 0.05

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def leave():
    tasks.append(asyncio.create_task(stubborn()))
    await asyncio.sleep(0)

def interrupt():
    if HOW == "exit":
        pytest.exit("enough", 7)
    os.kill(os.getpid(), signal.SIGTERM if HOW == "SIGTERM" else signal.SIGINT)

tasks = []

@pytest.fixture
async def in_teardown():
    if WHERE == "fixture":
        await leave()
    yield
    if WHERE == "fixture":
        interrupt()
        await asyncio.sleep(3600)

async def test_it(in_teardown):
    if WHERE == "test":
        await leave()
        interrupt()
        await asyncio.sleep(3600)
    if WHERE == "group":
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
            await leave()
            interrupt()
            await asyncio.sleep(3600)
    if WHERE == "itself":
        asyncio.get_running_loop().call_later(0.01, interrupt)
        await stubborn()

async def test_never():
    print("never", flush=True)
"""


@pytest.mark.parametrize(("how", "status"), [("SIGINT", 2), ("SIGTERM", 143), ("exit", 7)])
@pytest.mark.parametrize("where", ["test", "fixture", "group", "itself"])
def test_an_interrupt_ends_the_run_whatever_tasks_swallow(
    pytester: pytest.Pytester, children: list[Child], how: str, status: int, where: str
) -> None:
    if (how, where) == ("exit", "itself"):
        pytest.skip("an error in a callback of the loop is no interrupt")
    child = Child(start(pytester, f"HOW, WHERE = {how!r}, {where!r}\n" + STUBBORN))
    children.append(child)
    assert child.end() == status, "\n".join(child.lines)
    assert child.told == []
    assert any("swallowed their cancellation" in line or "swallowed its cancellation" in line for line in child.lines)


def test_a_sync_test_may_be_about_signals(pytester: pytest.Pytester, children: list[Child]) -> None:
    """It has the same handlers as without looprig, and so does a child that it forks."""
    child = Child(
        start(
            pytester,
            """
            import asyncio
            import os
            import signal
            import time
            import warnings
            import pytest

            ended = []

            @pytest.fixture(scope="session", autouse=True)
            def database():
                yield
                print("down in", "the run" if os.getpid() == RUN else "the child", flush=True)

            RUN = os.getpid()

            async def test_of_looprig():
                assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL

            async def app():
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    return "asked to stop"

            def test_the_app_stops_when_it_is_asked_to():
                assert asyncio.run(app()) == "asked to stop"

            def test_the_handlers_are_those_of_python():
                assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
                assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
                assert signal.set_wakeup_fd(-1) == -1

            def fork_and_end():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    child = os.fork()
                if not child:
                    time.sleep(60)
                    os._exit(0)
                os.kill(child, signal.SIGTERM)
                return os.waitpid(child, 0)[1]

            def test_a_child_dies_of_its_signal():
                assert fork_and_end() == signal.SIGTERM

            async def test_a_child_dies_of_its_signal_beside_a_loop():
                assert fork_and_end() == signal.SIGTERM
            """,
        )
    )
    children.append(child)
    assert child.end() == 0, "\n".join(child.lines)
    assert [line.partition("down in ")[2] for line in child.lines if "down in" in line] == ["the run"]
