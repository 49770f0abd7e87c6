"""ProcessService with programs that leave their process group, as daemons do: nothing of them outlives the service."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from looprig.exceptions import LooprigError
from tests.running import running
from tests.services.conftest import Run
from tests.services.programs import Python, first_number, stat_of, wait_gone

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs subreapers, which Linux has")

NEW_SESSION = """
import os, signal
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), "up", flush=True)
while True: signal.pause()
"""
DAEMON = """
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    print(os.getpid(), "up", flush=True)
    os.chdir("/")
    os.closerange(0, 1024)
    os.execve("/bin/sleep", ["sleep", "3600"], {})
while True: signal.pause()
"""
"""It has no parent, no file and no variable by which it could be found."""

STOPPED = DAEMON.replace("os.execve", "os.kill(os.getpid(), signal.SIGSTOP); os.execve")

DEAF = DAEMON.replace("os.execve", "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.execve")

OF_A_DAEMON = """
import os, signal
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        continue
    while True: signal.pause()
print(os.getpid(), "up", flush=True)
while True: signal.pause()
"""
"""A daemon of a daemon of a daemon."""

PROGRAMS = pytest.mark.parametrize(
    "program",
    [
        pytest.param(NEW_SESSION, id="session"),
        pytest.param(DAEMON, id="daemon"),
        pytest.param(STOPPED, id="stopped"),
        pytest.param(DEAF, id="deaf"),
        pytest.param(OF_A_DAEMON, id="of-a-daemon"),
    ],
)


@PROGRAMS
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_daemon_is_ended_with_its_service(run: Run, program: str, how: str) -> None:
    async def scenario() -> None:
        async with running(Python(program=program, stop_timeout=0.5)) as service:
            daemon = first_number(service)
            if how == "killed":
                await service.kill()
                wait_gone(daemon)
        wait_gone(daemon)

    run(scenario())


@PROGRAMS
def test_a_daemon_is_ended_after_the_crash_of_its_service(run: Run, program: str) -> None:
    async def use(daemon: list[int]) -> None:
        async with running(Python(program=program, stop_timeout=0.5)) as service:
            daemon.append(first_number(service))
            os.kill(service.pid, signal.SIGKILL)
            await asyncio.Event().wait()

    async def scenario() -> None:
        daemon = list[int]()
        with pytest.raises(LooprigError, match="Python ended with signal SIGKILL while it was in use"):
            await use(daemon)
        wait_gone(*daemon)

    run(scenario())


def test_a_daemon_has_time_to_end_after_its_service(run: Run, tmp_path: Path) -> None:
    """It gets the stop signal as soon as the service's own group has ended, even if it was stopped (SIGSTOP)."""
    tidied = tmp_path / "tidied"
    program = (
        "import os, pathlib, signal, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    signal.signal(signal.SIGUSR1, lambda *_: (pathlib.Path(sys.argv[1]).touch(), os._exit(0)))\n"
        "    print(os.getpid(), 'up', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "while True: signal.pause()"
    )
    service = Python(program=program, arguments=[str(tidied)], stop_signal=signal.SIGUSR1, stop_timeout=1000)

    async def scenario() -> None:
        async with running(service):
            assert not tidied.exists()
        assert tidied.exists()

    run(scenario())


def test_nothing_else_is_ended(run: Run) -> None:
    """Neither a child of this process, nor an orphan of one, nor what another service runs."""
    orphan = "import subprocess; print(subprocess.Popen(['sleep', '3600'], stdout=subprocess.DEVNULL).pid)"

    async def scenario(*others: int) -> None:
        async with running(Python(program=DAEMON)) as other:
            async with running(Python(program=DAEMON, stop_timeout=0.5)) as service:
                await service.kill()
            for pid in (*others, other.pid, first_number(other)):
                assert stat_of(pid)[0] != "Z"

    left = int(subprocess.run([sys.executable, "-c", orphan], stdout=subprocess.PIPE, check=True).stdout)
    with subprocess.Popen(["sleep", "3600"]) as child:
        try:
            run(scenario(left, child.pid))
        finally:
            child.kill()
            os.kill(left, signal.SIGKILL)


KILLED = """
import asyncio, os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from tests.running import running
from tests.services.programs import Python, first_number

async def main():
    async with running(Python(program=sys.argv[3])) as service:
        print(service.pid, first_number(service), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@PROGRAMS
def test_a_daemon_does_not_outlive_a_test_process_that_is_killed(program: str) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(root), str(root / "src"), program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        service, daemon = map(int, killed.stdout.readline().split())
    assert killed.returncode == -signal.SIGKILL
    wait_gone(service)
    wait_gone(daemon)


def test_a_supervisor_that_is_killed_takes_its_command_along(run: Run) -> None:
    """For example by a suite that kills all of its child processes. The service has crashed then."""

    async def use(pids: list[int]) -> None:
        async with running(Python()) as service:
            pids.append(service.pid)
            os.kill(int(stat_of(service.pid)[1]), signal.SIGKILL)
            await asyncio.Event().wait()

    async def scenario() -> None:
        pids = list[int]()
        with pytest.raises(LooprigError, match="Python ended with an unknown status while it was in use"):
            await use(pids)
        wait_gone(*pids)

    run(scenario())
