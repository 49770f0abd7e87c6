"""ProcessService with real processes: how they start, and the errors when they don't."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError, ServiceStartError
from looprig.net.ports import accepts_connections
from looprig.services.process import ProcessService
from looprig.services.rig import rig
from tests.running import running
from tests.services.conftest import Run
from tests.services.programs import WAIT, Command, Files, Python, command_of, wait_gone

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks at processes as Linux has them")


def test_a_server_is_ready_when_it_says_so_and_gone_afterwards(run: Run, tmp_path: Path) -> None:
    """It listens on the port that was held for it, and its output can be read, also later."""
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
    """None removes a variable; other values are added to what is there."""
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("TAKEN", "taken")
    program = f"import os; print([os.environ.get(n) for n in ('KEPT', 'TAKEN', 'GIVEN')]); {WAIT}"

    async def scenario() -> None:
        async with running(Python(program=program, variables={"TAKEN": None, "GIVEN": "given"})) as service:
            assert service.output.splitlines() == ["['kept', None, 'given']", "up"]

    run(scenario())


class NotYetError(Exception):
    """An error as client libraries have them: not an `OSError`."""


def test_ready_is_asked_until_it_does_not_say_no(run: Run) -> None:
    """False and any error mean "not yet"; None means "yes"."""
    answers: list[bool | BaseException | None]

    def answer(_: Python) -> bool | None:
        first = answers.pop(0)
        if isinstance(first, BaseException):
            raise first
        return first

    async def scenario() -> None:
        answers[:] = [False, ConnectionRefusedError(), TimeoutError(), NotYetError(), asyncio.CancelledError(), None]
        async with running(Python(is_ready=answer)):
            assert answers == []

    answers = []
    run(scenario())


def test_a_mistake_in_ready_is_logged_at_once_and_once(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Other errors are the server's, most likely: they are only seen at the level DEBUG."""
    answers: list[Exception]

    def answer(_: Python) -> bool:
        if not answers:
            return True
        raise answers.pop(0)

    async def scenario() -> None:
        answers[:] = [NotYetError("starting"), AttributeError("no pool"), AttributeError("no pool"), NotYetError("up")]
        caplog.clear()
        async with running(Python(is_ready=answer)):
            pass

    answers = []
    run(scenario())
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    told = record.getMessage().splitlines()
    assert told[0] == "Python is asked again whether it is ready. Its `ready` raised AttributeError: no pool"
    assert told[1].startswith("  tests/services/test_process.py:")
    assert told[1].endswith(" in answer")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("return False", r"Its `ready` returned False\.\nIt printed:\n    up"),
        (
            "raise NotYetError('starting')",
            r"Its `ready` raised NotYetError: starting\n  .*test_process\.py:\d+ in ready\n",
        ),
        ("await asyncio.Event().wait()", r"ready of .*Late waited at\n  .*test_process\.py:\d+ in ready\n"),
    ],
)
def test_a_start_that_takes_too_long_says_what_ready_said_last(run: Run, answer: str, told: str) -> None:
    """Or where it stands."""

    @service_fixture(start_timeout=1)
    @dataclass(kw_only=True)
    class Late(Python):
        async def ready(self) -> bool:
            if "up" not in self.output or answer == "return False":
                return False
            if answer.startswith("raise"):
                raise NotYetError("starting")
            await asyncio.Event().wait()
            return True

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=told) as raised:
            async with rig(Late):
                pass
        assert str(raised.value).startswith(f"Service {Late.__qualname__} was not ready within 1 s.\n")
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__

    run(scenario())


def test_an_outcome_of_pytest_in_ready_ends_the_start(run: Run) -> None:
    """With the process's output as a note; the process is ended."""

    def fail(service: Python) -> bool:
        if not service.output:
            return False
        pytest.skip("no database here")

    service = Python(is_ready=fail)

    async def scenario() -> None:
        with pytest.raises(pytest.skip.Exception, match="no database here") as raised:
            async with running(service):
                pass
        assert raised.value.__notes__ == ["It printed:\n    up"]
        wait_gone(service.pid)

    run(scenario())


def test_a_process_that_ends_before_it_is_ready_is_told_with_the_end_of_its_output(run: Run) -> None:
    """The error shows where the command is defined, the exit status, and the last lines of stdout and stderr."""
    program = "import sys; print(*range(40), sep='\\n', flush=True); sys.exit('no disk')"

    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as raised:
            async with running(Python(program=program, is_ready=lambda _: False)):
                pass
        told = str(raised.value).splitlines()
        assert told[0] == "Python ended with exit status 1 before it was ready."
        assert told[1].startswith("  tests/services/programs.py:")
        assert told[1].endswith(": Python.command")
        assert told[2:5] == ["It printed:", "    ... (11 lines before)", "    11"]
        assert told[-1] == "    no disk"
        assert len(told) == 34

    run(scenario())


@pytest.mark.parametrize(("command", "status"), [("true", 0), ("false", 1)])
def test_one_that_printed_nothing_says_so(run: Run, command: str, status: int) -> None:
    """Even a successful exit is too early."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as raised:
            async with running(Command(given=[command], says="up")):
                pass
        first, _, last = str(raised.value).splitlines()
        assert first == f"Command ended with exit status {status} before it was ready."
        assert last == "It printed nothing."

    run(scenario())


def test_output_of_which_all_is_shown_is_not_said_to_be_cut(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as raised:
            async with running(Python(program="print(*range(30), sep='\\n')", is_ready=lambda _: False)):
                pass
        told = str(raised.value).splitlines()
        assert told[2:] == ["It printed:", *(f"    {number}" for number in range(30))]

    run(scenario())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(["/no/such/program"], "Command cannot run '/no/such/program': No such file", id="missing"),
        pytest.param([os.sep], "Command cannot run '/': Permission denied", id="directory"),
        pytest.param("sleep 1", "Command.command returned 'sleep 1', which is not a program", id="string"),
        pytest.param([], r"Command.command returned \[\], which is not a program", id="empty"),
    ],
)
def test_a_command_that_cannot_be_run_is_told(run: Run, given: object, told: str) -> None:
    """At once, and where it is defined."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=rf"{told}(?s:.*)programs\.py:\d+: Command\.command"):
            async with running(Command(given=given)):
                pass

    run(scenario())


def test_a_folder_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    """And nothing is leaked."""

    async def scenario() -> None:
        with pytest.raises(ServiceStartError, match=r"Python cannot be started: .*no-folder"):
            async with running(Python(cwd=tmp_path / "no-folder")):
                pass

    run(scenario())


def test_a_command_without_ready_is_ready_as_soon_as_it_runs(run: Run) -> None:
    """A program can also be a path."""

    @dataclass(kw_only=True)
    class Sleep(ProcessService):
        """A service that doesn't say when it is ready."""

        def command(self) -> Sequence[str | os.PathLike[str]]:
            return [Path("/bin/sleep"), "60"]

    async def scenario() -> None:
        async with running(Sleep()) as service:
            assert command_of(service.pid) == "sleep"

    run(scenario())


def test_a_start_that_is_given_up_notes_what_was_printed_and_leaves_nothing(run: Run) -> None:
    """A time limit cancels the start; its error has the notes."""
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
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await starting
        wait_gone(service.pid)
        assert cancelled.value.__notes__ == ["Its `ready` returned False.", "It printed:\n    asking the moon\n    up"]

    run(scenario())


def test_a_server_that_binds_without_reuse_addr_gets_its_port(run: Run) -> None:
    """With `holds_port=False`; on a held port it fails."""
    program = "import socket, sys; s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()\n" + WAIT

    @dataclass(kw_only=True)
    class Strict(ProcessService):
        """A server that binds like old servers do."""

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
    """Nobody has to read it; its last MiB is there after the stop."""
    program = f"print('x' * 3_000_000); {WAIT}"

    async def scenario() -> None:
        async with running(Python(program=program)) as service:
            assert len(service.output) > 3_000_000
        assert len(service.output) == 1 << 20

    run(scenario())


def test_it_runs_on_a_loop_of_another_thread(run: Run) -> None:
    """No child watcher is available there."""
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
    """For everything that only a running process has."""
    for name in ("pid", "output", "port"):
        with pytest.raises(LooprigError, match="Python is not running"):
            getattr(Python(), name)


@pytest.mark.parametrize(
    ("command", "what", "fix"),
    [
        (["serve", "--port", 8080], "8080 (int)", "str(8080) instead of 8080"),
        (["serve", b"--fast"], "b'--fast' (bytes)", "Each must be a string or a path."),
        (["serve", None, "x"], "None (NoneType)", "Each must be a string or a path."),
    ],
)
def test_an_argument_that_is_no_string_is_an_error_that_shows_it(
    run: Run, command: list[object], what: str, fix: str
) -> None:
    async def scenario() -> None:
        with pytest.raises(ServiceStartError) as caught:
            async with running(Command(given=command)):
                raise AssertionError
        assert f"Command.command returned {what} among the arguments." in str(caught.value)
        assert fix in str(caught.value)

    run(scenario())
