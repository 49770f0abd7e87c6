"""ProcessService with real processes: ready, in use, stopped, crashed, and killed with the test process."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from looprig.exceptions import LooprigError, ServiceStartError
from looprig.net.ports import accepts_connections
from looprig.services import _launcher
from looprig.services.process import ProcessService
from tests.running import running
from tests.services.conftest import Run

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks at processes as Linux has them")

WAIT = "import signal; print('up', flush=True); signal.pause()"
"""A program that says it is up, and then does nothing until it is ended."""


@dataclass(kw_only=True)
class Python(ProcessService):
    """Runs a program; by default it is ready once it has said that it is up."""

    program: str = WAIT
    arguments: Sequence[str] = ()
    variables: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    is_ready: "Callable[[Python], bool | None]" = lambda service: "up\n" in service.output

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.program, *self.arguments]

    def env(self) -> Mapping[str, str | None]:
        return self.variables

    async def ready(self) -> bool | None:
        return self.is_ready(self)


@dataclass(kw_only=True)
class Command(ProcessService):
    """Runs anything, and is ready at once."""

    given: Any

    def command(self) -> Sequence[str]:
        return self.given  # type: ignore[no-any-return]


@dataclass(kw_only=True)
class Files(ProcessService):
    """A real server on the port that is held for it."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "http.server", "--bind", self.host, str(self.port)]

    async def ready(self) -> bool:
        return await accepts_connections(*self.address)


def wait_gone(pid: int) -> None:
    """Wait until a process that may not be our child has ended; fails after ten seconds."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], 10)[0], f"process {pid} is still there"
        finally:
            os.close(descriptor)


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def first_number(service: ProcessService) -> int:
    return int(service.output.split()[0])


def test_a_server_is_ready_when_it_says_so_and_gone_afterwards(run: Run, tmp_path: Path) -> None:
    """It listens on the port that was held for it, and what it printed can be read, also later."""
    (tmp_path / "hello.txt").write_text("hello")

    async def scenario() -> None:
        async with running(Files(cwd=tmp_path)) as files:
            address, pid = files.address, files.pid
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            assert (await reader.read()).endswith(b"hello")
            writer.close()
            assert os.getpgid(pid) == pid
            assert os.getsid(pid) != os.getsid(0)
        assert '"GET /hello.txt HTTP/1.0" 200' in files.output
        assert not await accepts_connections(*address)
        wait_gone(pid)
        with pytest.raises(LooprigError, match="Files is not running, so it has no address"):
            _ = files.port

    run(scenario())


def test_its_environment_is_this_ones_with_changes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """None takes a variable away; the rest is set over what is there."""
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("TAKEN", "taken")
    program = f"import os; print([os.environ.get(n) for n in ('KEPT', 'TAKEN', 'GIVEN')]); {WAIT}"

    async def scenario() -> None:
        async with running(Python(program=program, variables={"TAKEN": None, "GIVEN": "given"})) as service:
            assert service.output.splitlines() == ["['kept', None, 'given']", "up"]

    run(scenario())


def test_ready_is_asked_until_it_does_not_say_no(run: Run) -> None:
    """False and an OSError are "not yet"; None is "yes"."""
    answers: list[bool | OSError | None] = [False, ConnectionRefusedError(), TimeoutError(), None]

    def answer(_: Python) -> bool | None:
        first = answers.pop(0)
        if isinstance(first, OSError):
            raise first
        return first

    async def scenario() -> None:
        async with running(Python(is_ready=answer)):
            assert answers == []

    run(scenario())


def test_another_error_of_ready_is_raised_as_it_is(run: Run) -> None:
    """With a note of what the process printed; the process is ended."""

    def fail(service: Python) -> bool:
        if not service.output:
            return False
        raise ZeroDivisionError("mine")

    service = Python(is_ready=fail)

    async def scenario() -> None:
        with pytest.raises(ZeroDivisionError, match="mine") as raised:
            async with running(service):
                pass
        assert raised.value.__notes__ == ["It printed:\n    up"]
        wait_gone(service.pid)

    run(scenario())


def test_a_process_that_ends_before_it_is_ready_is_told_with_the_end_of_its_output(run: Run) -> None:
    """Where its command was written, its status, and the last lines of stdout and stderr."""
    program = "import sys; print(*range(40), sep='\\n'); sys.exit('no disk')"

    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as raised:
            async with running(Python(program=program, is_ready=lambda _: False)):
                pass
        told = str(raised.value).splitlines()
        assert told[0] == "Python ended with exit status 1 before it was ready."
        assert told[1].startswith("  tests/services/test_process.py:")
        assert told[1].endswith(": Python.command")
        assert told[2:5] == ["It printed:", "    ... (11 lines before)", "    11"]
        assert told[-1] == "    no disk"
        assert len(told) == 34

    run(scenario())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(["/no/such/program"], "Command cannot run '/no/such/program': No such file", id="missing"),
        pytest.param([os.sep], "Command cannot run '/': Permission denied", id="directory"),
        pytest.param("sleep 1", "Command.command gave 'sleep 1', which is not a program", id="string"),
        pytest.param([], r"Command.command gave \[\], which is not a program", id="empty"),
    ],
)
def test_a_command_that_cannot_be_run_is_told(run: Run, given: object, told: str) -> None:
    """At once, and with where it was written."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=rf"{told}(?s:.*)test_process\.py:\d+: Command\.command"):
            async with running(Command(given=given)):
                pass

    run(scenario())


def test_a_folder_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    """And leaks nothing."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r"Python cannot be started: .*no-folder"):
            async with running(Python(cwd=tmp_path / "no-folder")):
                pass

    run(scenario())


def test_a_command_without_ready_is_ready_as_soon_as_it_runs(run: Run) -> None:
    """A program may also be a path."""

    async def scenario() -> None:
        async with running(Command(given=[Path("/bin/sleep"), "60"])) as service:
            assert command_of(service.pid) == "sleep"

    run(scenario())


def test_a_start_that_is_given_up_logs_what_was_printed_and_leaves_nothing(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """The runtime's time limit cancels the start; what was logged is part of its error."""
    waited = asyncio.Event()

    def never(given: Python) -> bool:
        if "up" in given.output:
            waited.set()
        return False

    service = Python(program=f"print('asking the moon'); {WAIT}", is_ready=never)

    async def scenario() -> None:
        starting = asyncio.ensure_future(anext(service.run()))
        await waited.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        wait_gone(service.pid)
        assert "Python is not ready yet. It printed:\n    asking the moon\n    up" in caplog.text

    run(scenario())


def test_a_process_that_will_not_end_is_killed_with_all_it_started(run: Run) -> None:
    """After `stop_timeout` seconds; its child ignores the signal too."""
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
    """Its first process may go before the one that has to tidy up."""
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
        "while True: signal.pause()"
    )

    async def scenario() -> None:
        async with running(Python(program=program, arguments=[str(tidied)], stop_timeout=10)):
            pass
        assert tidied.exists()

    run(scenario())


def test_the_stop_signal_can_be_chosen(run: Run) -> None:
    """Such as SIGINT, which Python makes a KeyboardInterrupt of."""

    async def scenario() -> None:
        async with running(Python(stop_signal=signal.SIGINT)) as service:
            pass
        assert service.output.endswith("KeyboardInterrupt\n")

    run(scenario())


def test_a_crash_ends_its_user_at_once_and_is_told(run: Run) -> None:
    """The one who waits on it is cancelled: no test hangs on a dead server."""

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
    """Such as code under test that waits for any child."""

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
    """A time limit around a service is not taken for its crash."""

    async def use() -> None:
        life = Python().run()
        await anext(life)
        await life.athrow(asyncio.CancelledError())  # type: ignore[attr-defined]  # it is an async generator

    async def scenario() -> None:
        with pytest.raises(asyncio.CancelledError):
            await use()

    run(scenario())


def test_killing_it_on_purpose_is_no_crash(run: Run) -> None:
    """A test may look at how its application takes it."""

    async def scenario() -> None:
        async with running(Files()) as files:
            await files.kill()
            assert not await accepts_connections(*files.address)

    run(scenario())


def test_a_server_that_binds_without_reuse_addr_gets_its_port(run: Run) -> None:
    """With `holds_port=False`; held, it is refused."""
    program = "import socket, sys; s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()\n" + WAIT

    @dataclass(kw_only=True)
    class Strict(ProcessService):
        """Binds as old servers do."""

        def command(self) -> Sequence[str]:
            return [sys.executable, "-c", program, self.host, str(self.port)]

        async def ready(self) -> bool:
            return await accepts_connections(*self.address)

    async def scenario() -> None:
        async with running(Strict(holds_port=False)) as strict:
            assert await accepts_connections(*strict.address)
        with pytest.raises(ServiceStartError, match="Address already in use"):
            async with running(Strict()):
                pass

    run(scenario())


def test_much_output_blocks_nobody(run: Run) -> None:
    """Nothing has to read it; after the stop its last MiB is there."""
    program = f"print('x' * 3_000_000); {WAIT}"

    async def scenario() -> None:
        async with running(Python(program=program)) as service:
            assert len(service.output) > 3_000_000
        assert len(service.output) == 1 << 20

    run(scenario())


def test_it_runs_on_a_loop_of_another_thread(run: Run) -> None:
    """There is no child watcher to be had there."""
    failures: list[BaseException] = []

    async def scenario() -> None:
        async with running(Python()) as service:
            assert service.output == "up\n"

    def in_thread() -> None:
        try:
            run(scenario())
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            failures.append(error)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert failures == []


def test_a_service_that_never_ran_says_so() -> None:
    """For all that only a running one has."""
    for name in ("pid", "output", "port"):
        with pytest.raises(LooprigError, match="Python is not running"):
            getattr(Python(), name)


KILLED = """
import asyncio, os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from tests.services.test_process import Python, running

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
    """Neither the service nor what it started; also where a forked child of the test process lives on."""
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
    """Though somebody else holds the lifeline."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    reads, writes = os.pipe()
    assert _launcher.ended_well(reads, ended.pid) is False
    os.close(reads)
    os.close(writes)


def test_the_guard_does_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: the lifeline has to do."""
    monkeypatch.delattr(os, "pidfd_open")
    reads, writes = os.pipe()
    os.close(writes)
    assert _launcher.ended_well(reads, os.getpid()) is False
    os.close(reads)
