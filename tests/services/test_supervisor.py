"""The script that starts commands and ends them: what it is told and tells, and systems that lack what Linux has."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from looprig.exceptions import ServiceStartError
from looprig.services import _supervisor, launched
from looprig.services.launched import Launcher
from looprig.services.output import Output
from tests.running import running
from tests.services.conftest import Run
from tests.services.programs import WAIT, Command, Python, first_number, stat_of, wait_gone

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks at processes as Linux has them")

WITHOUT = {
    "macos": """
import os, sys
del os.waitid, os.pidfd_open
sys.modules["ctypes"] = None
sys.platform = "darwin"
""",
    "ctypes": "import sys\nsys.modules['ctypes'] = None\n",
    "pidfd": "import os\ndel os.pidfd_open\n",
    "proc": "",
}
"""Preludes of the script, by what is missing."""

TREE = """
import os, signal
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), "up", flush=True)
while True: signal.pause()
"""


@pytest.fixture(params=sorted(WITHOUT))
def lacking(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make services use a script that lacks something, and return it."""
    lacks: str = request.param
    source = Path(_supervisor.__file__).read_text("utf-8")
    if lacks in {"macos", "proc"}:
        source = source.replace('"/proc', '"/no-proc')
    if lacks == "macos":  # the init process of a container may take its time to wait for orphans
        monkeypatch.setattr(launched, "_DYING", 0.5)
    script = tmp_path / "supervisor.py"
    script.write_text(WITHOUT[lacks] + source.replace('"""A script', 'r"""A script'), "utf-8")
    monkeypatch.setattr(_supervisor, "__file__", str(script))
    return script


@pytest.mark.usefixtures("lacking")
def test_the_group_is_ended_on_any_system(run: Run) -> None:
    async def scenario() -> None:
        async with running(Python(program=TREE, stop_timeout=0.05)) as service:
            first = first_number(service)
            await service.restart()
            wait_gone(first)
            second = int(service.output.split()[-2])
            await service.kill()
            wait_gone(second)
            await service.start()
            third = int(service.output.split()[-2])
            assert len({first, second, third}) == 3
        wait_gone(third)
        wait_gone(service.pid)

    run(scenario())


@pytest.mark.usefixtures("lacking")
def test_a_group_that_ends_by_itself_is_not_waited_for(run: Run) -> None:
    async def scenario() -> None:
        async with running(Python(stop_timeout=1000)):
            pass

    run(scenario())


KILLED = """
import asyncio, os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from looprig.exceptions import ServiceStartError
from looprig.services import _supervisor
from tests.running import running
from tests.services.programs import Python, first_number

async def main():
    _supervisor.__file__ = sys.argv[3]
    async with running(Python(program=sys.argv[4])) as service:
        print(service.pid, first_number(service), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_the_group_does_not_outlive_a_test_process_on_any_system(lacking: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(root), str(root / "src"), str(lacking), TREE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        service, child = map(int, killed.stdout.readline().split())
    assert killed.returncode == -signal.SIGKILL
    wait_gone(service)
    wait_gone(child)


def test_arguments_and_variables_arrive_as_they_are(run: Run) -> None:
    """Empty ones, several lines, bytes that aren't text, and more than fits into the channel at once."""
    arguments = ["", "two\nlines", "ä", "\udcff"]
    variables = {"EMPTY": "", "LINES": "a\nb=c", "LONG": "x" * 100_000, "LONGER": "y" * 120_000}
    program = (
        "import os, sys\n"
        "print(ascii(sys.argv[1:]), [(n, len(v)) for n, v in sorted(os.environ.items()) if n in "
        "('EMPTY', 'LINES', 'LONG', 'LONGER')])\n" + WAIT
    )

    async def scenario() -> None:
        async with running(Python(program=program, arguments=arguments, variables={**variables})) as service:
            told, _ = service.output.splitlines()
            assert told == f"{arguments!a} {[(name, len(value)) for name, value in variables.items()]}"

    run(scenario())


def test_an_argument_with_a_null_byte_is_refused(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="embedded null byte"):
            async with running(Command(given=["echo", "a\0b"])):
                pass

    run(scenario())


def test_messages_may_arrive_in_pieces() -> None:
    sent = _supervisor.pack(b"start", b"", b"a b") + _supervisor.pack(b"kill")
    data, got = bytearray(), list[list[bytes]]()
    for number in sent:
        data.append(number)
        got += _supervisor.unpack(data)
    assert got == [[b"start", b"", b"a b"], [b"kill"]]
    assert not data


def test_a_supervisor_that_cannot_run_is_an_error_of_the_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told at once, with what Python printed."""
    monkeypatch.setattr(_supervisor, "__file__", "/no/such/script.py")

    async def scenario() -> None:
        with pytest.raises(Exception, match=r"Python cannot run .*: the process that should start it has ended"):
            async with running(Python()):
                pass

    run(scenario())


def test_a_supervisor_that_is_killed_while_nothing_runs_is_an_error_of_the_next_start(run: Run) -> None:
    async def scenario() -> None:
        async with running(Python()) as service:
            supervisor = int(stat_of(service.pid)[1])
            await service.kill()
            os.kill(supervisor, signal.SIGKILL)
            for _ in range(2):
                with pytest.raises(ServiceStartError, match=r"the process that should start it has ended"):
                    await service.start()

    run(scenario())


def test_a_second_stop_does_nothing(run: Run) -> None:
    async def scenario() -> None:
        output = Output()
        launcher = Launcher(output.descriptor)
        try:
            process = launcher.launch(["sleep", "3600"], env=dict(os.environ), cwd=None)
            await process.wait_running()
            await asyncio.gather(process.stop(signal.SIGTERM, 10), process.stop(signal.SIGTERM, 10), process.kill())
            await process.stop(signal.SIGTERM, 10)
            again = launcher.launch(["sleep", "3600"], env=dict(os.environ), cwd=None)
            await again.wait_running()
            assert not again.has_exited
        finally:
            await launcher.close()
            output.close()
        wait_gone(again.pid)

    run(scenario())
