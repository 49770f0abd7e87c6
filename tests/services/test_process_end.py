"""ProcessService with real processes: how they end, cleanly, by a crash, or with the test process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from looprig.exceptions import LooprigError
from looprig.net.ports import accepts_connections
from looprig.services.launched import Launched, Launcher
from looprig.services.output import Output
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


@asynccontextmanager
async def launched(program: str) -> AsyncGenerator[tuple[Launched, Output]]:
    """Run a program without a service, until it has said that it is up."""
    output = Output()
    launcher = Launcher(output.descriptor)
    try:
        process = launcher.launch([sys.executable, "-c", program], env=dict(os.environ), cwd=None)
        while "up\n" not in output.since(0):  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.001)
        yield process, output
    finally:
        await launcher.close()
        output.close()


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
        async with launched(program) as (process, output):
            output.begin_test()
            assert not output.of_test()
            await process.stop(signal.SIGTERM, 10)
        assert output.of_test() == "end\n"
        assert output.size > 1 << 21
        assert len(output.since(0)) == 1 << 20
        output.begin_test()
        assert not output.of_test()

    run(scenario())


def test_a_child_that_outlives_its_leader_and_ignores_the_signal_is_killed(run: Run) -> None:
    """The leader has exited before the stop begins, so nothing else can be the reason."""

    async def scenario() -> None:
        async with launched(DEAF) as (process, output):
            child = int(output.since(0).split()[0])
            os.kill(process.pid, signal.SIGTERM)
            await process.wait_exited()
            await process.stop(signal.SIGTERM, 0.05)
            wait_gone(child)

    run(scenario())


@pytest.mark.parametrize("program", [f"print('up', flush=True)\n{WAIT}", ZOMBIE])
def test_what_is_gone_is_not_waited_for(run: Run, program: str) -> None:
    """What has ended counts as gone, whether or not its parent has reaped it."""

    async def scenario() -> None:
        async with launched(program) as (process, _):
            await process.stop(signal.SIGTERM, 1000)

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


def test_code_that_waits_for_any_child_does_not_take_the_status(run: Run) -> None:
    """As some code under test does: the process is a child of its supervisor, not of this process."""

    async def use() -> None:
        async with running(Python(program=WAIT)) as service:
            os.kill(service.pid, signal.SIGKILL)
            with pytest.raises(ChildProcessError):
                os.waitid(os.P_PID, service.pid, os.WEXITED)  # noqa: ASYNC222 - it raises at once
            await asyncio.Event().wait()

    async def scenario() -> None:
        with pytest.raises(LooprigError, match=r"Python ended with signal SIGKILL while it was"):
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
