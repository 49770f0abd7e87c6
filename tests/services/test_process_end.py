"""ProcessService with real processes: how they end, cleanly, by a crash, or with the test process."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from looprig.exceptions import LooprigError
from looprig.net.ports import accepts_connections
from looprig.services import _launcher
from looprig.services.launched import Launched
from tests.running import running
from tests.services.conftest import Run
from tests.services.programs import WAIT, Command, Files, Python, first_number, wait_gone

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks at processes as Linux has them")


def test_a_process_that_will_not_end_is_killed_with_all_it_started(run: Run) -> None:
    """After `stop_timeout` seconds. Its child ignores the signal too."""
    program = (
        "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); child = os.fork()\n"
        "if child: print(child, 'up', flush=True)\n"
        "while True: signal.pause()"
    )

    async def scenario() -> None:
        async with running(Python(program=program, stop_timeout=0.05)) as service:
            child = first_number(service)
        wait_gone(child)
        wait_gone(service.pid)

    run(scenario())


def test_the_whole_group_is_asked_to_end_and_has_time_for_it(run: Run, tmp_path: Path) -> None:
    """Its first process may exit before the one that has to clean up."""
    tidied = tmp_path / "tidied"
    program = (
        "import os, pathlib, signal, sys, time\n"
        "def tidy(*_):\n"
        "    while os.getppid() == parent: time.sleep(0.001)\n"
        "    pathlib.Path(sys.argv[1]).touch(); os._exit(0)\n"
        "parent = os.getpid()\n"
        "signal.signal(signal.SIGUSR1, lambda *_: None)\n"
        "if os.fork() == 0:\n"
        "    signal.signal(signal.SIGTERM, tidy); print('up', flush=True)\n"
        "while True: time.sleep(0.001)"
    )

    async def scenario() -> None:
        async with running(Python(program=program, arguments=[str(tidied)], stop_timeout=10)):
            pass
        assert tidied.exists()

    run(scenario())


DEAF = """
import os, signal
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), "up", flush=True)
while True: signal.pause()
"""
ZOMBIE = """
import os, signal
leader = os.getpid()
if os.fork() == 0:
    os.setpgid(0, 0)
    ended = os.fork()
    if ended == 0:
        signal.pause()
    os.setpgid(ended, leader)
    os.kill(ended, signal.SIGKILL)
    os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
    print(os.getpid(), "up", flush=True)
signal.pause()
"""
"""A group with one member that has ended but isn't reaped: its parent, in another group, ignores it."""


async def launched(program: str) -> tuple[Launched, int]:
    """Run a program without a service, and yield it with the number that it printed."""
    process = Launched([sys.executable, "-c", program], env=dict(os.environ), cwd=None)
    while "up\n" not in process.output():  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.001)
    return process, int(process.output().split()[0])


def test_what_a_test_saw_printed_is_known_after_the_stop(run: Run) -> None:
    """Even if more was printed before it than is kept. Another test then has seen nothing."""
    program = (
        "import signal, time\n"
        "def end(*_): print('end'); exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('x' * (1 << 21)); print('up', flush=True)\n"
        "while True: time.sleep(0.01)"
    )

    async def scenario() -> None:
        process = Launched([sys.executable, "-c", program], env=dict(os.environ), cwd=None)
        while "up\n" not in process.output():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.001)
        process.begin_test()
        assert not process.output_of_test()
        await process.stop(signal.SIGTERM, 10)
        assert process.output_of_test() == "end\n"
        process.begin_test()
        assert not process.output_of_test()

    run(scenario())


def test_a_child_that_outlives_its_leader_and_ignores_the_signal_is_killed(run: Run) -> None:
    """The leader has exited before the stop begins, so nothing else can be the reason."""

    async def scenario() -> None:
        process, child = await launched(DEAF)
        os.kill(process.pid, signal.SIGTERM)
        await process.wait_exited()
        try:
            await process.stop(signal.SIGTERM, 0.05)
            wait_gone(child)
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    run(scenario())


@pytest.mark.parametrize("program", [f"import os; print(os.getpid(), 'up', flush=True)\n{WAIT}", ZOMBIE])
def test_a_group_that_is_gone_is_not_waited_for(run: Run, program: str) -> None:
    """Members that have ended count as gone, whether or not their parents have reaped them."""

    async def scenario() -> None:
        process, other = await launched(program)
        try:
            await process.stop(signal.SIGTERM, 1000)
        finally:
            with suppress(ProcessLookupError):
                os.kill(other, signal.SIGKILL)

    run(scenario())


def test_the_stop_signal_can_be_chosen(run: Run) -> None:
    """For example SIGINT, which Python turns into a KeyboardInterrupt."""

    async def scenario() -> None:
        async with running(Python(stop_signal=signal.SIGINT)) as service:
            pass
        assert service.output.endswith("KeyboardInterrupt\n")

    run(scenario())


def test_it_begins_with_no_signal_ignored_or_blocked(run: Run) -> None:
    """Whatever this process ignores. Otherwise an ignored stop signal would cost `stop_timeout` each time."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    given = ["sh", "-c", 'grep -E "Sig(Blk|Ign)" /proc/self/status; echo up; sleep 60']

    async def scenario() -> None:
        async with running(Command(given=given, says="up")) as shell:
            blocked, ignored = (int(line.split()[1], 16) for line in shell.output.splitlines()[:2])
            ours = sum(1 << (number - 1) for number in signal.valid_signals())  # but not the signals of the C library
            assert (blocked & ours, ignored & ours) == (0, 0)

    try:
        run(scenario())
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_crash_ends_its_user_at_once_and_is_told(run: Run) -> None:
    """Whoever waits for it is cancelled, so no test hangs on a dead server."""

    async def use() -> None:
        async with running(Python()) as service:
            os.kill(service.pid, signal.SIGSEGV)
            await asyncio.Event().wait()

    async def scenario() -> None:
        with pytest.raises(LooprigError) as raised:
            await use()
        told = str(raised.value).splitlines()
        assert told[0] == "Python ended with signal SIGSEGV while it was in use."
        assert told[2:] == ["It printed:", "    up"]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(scenario())


def test_an_end_whose_status_somebody_else_took_is_told_as_well(run: Run) -> None:
    """For example code under test that waits for any child."""

    async def use() -> None:
        async with running(Python(program=WAIT)) as service:
            os.kill(service.pid, signal.SIGKILL)
            os.waitid(os.P_PID, service.pid, os.WEXITED)  # noqa: ASYNC222 - it was killed a moment ago
            await asyncio.Event().wait()

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=r"Python ended with (an unknown status|signal SIGKILL) while it was"):
            await use()

    run(scenario())


def test_a_cancellation_that_is_not_a_crash_stays_one(run: Run) -> None:
    """A time limit around a service isn't mistaken for its crash."""

    async def use() -> None:
        life = Python().run()
        await anext(life)
        await life.athrow(asyncio.CancelledError())  # type: ignore[attr-defined]  # it is an async generator

    async def scenario() -> None:
        with pytest.raises(asyncio.CancelledError):
            await use()

    run(scenario())


def test_killing_it_on_purpose_is_no_crash(run: Run) -> None:
    """A test may examine how its application handles that."""

    async def scenario() -> None:
        async with running(Files()) as files:
            await files.kill()
            assert not await accepts_connections(*files.address)

    run(scenario())


def test_a_crash_is_one_though_the_service_was_killed_on_purpose_the_last_time(run: Run) -> None:
    service = Python()

    async def killed() -> None:
        async with running(service):
            await service.kill()

    async def crashed() -> None:
        async with running(service):
            os.kill(service.pid, signal.SIGKILL)
            await asyncio.Event().wait()

    async def scenario() -> None:
        await killed()
        with pytest.raises(LooprigError, match="Python ended with signal SIGKILL while it was in use"):
            await crashed()

    run(scenario())


KILLED = """
import asyncio, os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from tests.running import running
from tests.services.programs import Python

async def main():
    program = "import os, signal; print(*filter(None, [os.fork()]), 'up', flush=True); signal.pause()"
    async with running(Python(program=program)) as service:
        while not (child := service.output.replace("up", "").strip()):
            await asyncio.sleep(0.001)
        holder = os.fork() if sys.argv[3] == "forked" else 0
        if sys.argv[3] == "forked" and not holder:
            signal.pause()
        print(service.pid, child, holder, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["alone", "forked"])
def test_nothing_outlives_a_test_process_that_is_killed_outright(how: str) -> None:
    """Neither the service nor what it started, even if a forked child of the test process lives on."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(root), str(root / "src"), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        service, child, holder = map(int, killed.stdout.readline().split())
    assert killed.returncode == -signal.SIGKILL
    try:
        wait_gone(service)
        wait_gone(child)
    finally:
        if holder:
            os.kill(holder, signal.SIGKILL)


@pytest.mark.parametrize(("word", "well"), [(_launcher.ALL_IS_WELL, True), (b"", False), (b"?", False)])
def test_the_guard_ends_quietly_only_when_it_is_told_so(word: bytes, *, well: bool) -> None:
    """The end of its lifeline means that the test process is gone."""
    reads, writes = os.pipe()
    os.write(writes, word)
    os.close(writes)
    assert _launcher.ended_well(reads, os.getpid()) is well
    os.close(reads)


def test_the_guard_knows_a_test_process_that_is_gone_already() -> None:
    """Although somebody else holds the lifeline."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    reads, writes = os.pipe()
    assert _launcher.ended_well(reads, ended.pid) is False
    os.close(reads)
    os.close(writes)


def test_the_guard_does_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, where the lifeline has to be enough."""
    monkeypatch.delattr(os, "pidfd_open")
    reads, writes = os.pipe()
    os.close(writes)
    assert _launcher.ended_well(reads, os.getpid()) is False
    os.close(reads)
