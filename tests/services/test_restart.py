"""ProcessService within one use: killed, stopped, started again, and restarted, on the same port."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError, ServiceStartError
from looprig.net.ports import accepts_connections, hold_port
from looprig.services.process import ProcessService
from looprig.services.rig import rig
from tests.running import running
from tests.services.conftest import Run
from tests.services.programs import WAIT, Files, Python, wait_gone

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks at processes as Linux has them")

STRICT = "import socket, sys; s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()\n" + WAIT


@dataclass(kw_only=True)
class Strict(ProcessService):
    """A server that binds without SO_REUSEADDR."""

    holds_port: bool = False

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", STRICT, self.host, str(self.port)]

    async def ready(self) -> bool:
        return await accepts_connections(*self.address)


@pytest.mark.parametrize("ways", [["restart"], ["kill", "start"], ["stop", "start"]])
def test_it_serves_again_on_the_same_port(run: Run, ways: list[str]) -> None:
    async def scenario() -> None:
        async with running(Files()) as files:
            address = files.address
            for _ in range(3):
                before = files.pid
                for way in ways:
                    await getattr(files, way)()
                assert files.pid != before
                assert files.address == address
                assert await accepts_connections(*address)
                wait_gone(before)
        assert not await accepts_connections(*address)
        wait_gone(files.pid)

    run(scenario())


@pytest.mark.parametrize("service", [Files(), Strict()], ids=["held", "strict"])
def test_nobody_gets_its_port_while_it_is_down(run: Run, service: ProcessService) -> None:
    """Connections are refused. A strict server gets its port back, since it had no connections that it closed."""

    async def scenario() -> None:
        async with running(service):
            address = service.address
            await service.kill()
            assert not await accepts_connections(*address)
            with pytest.raises(OSError, match="Address already in use"):
                _bind_strictly(address.host, address.port)
            await service.start()
            assert await accepts_connections(*address)
        with hold_port(address.host) as other:
            assert other.port > 0

    run(scenario())


def _bind_strictly(host: str, port: int) -> None:
    with socket.socket() as other:
        other.bind((host, port))


def test_the_output_goes_on_but_ready_sees_only_that_of_the_new_process(run: Run) -> None:
    """So `"up" in self.output` is no answer of the process before."""
    seen: list[str] = []

    def is_ready(service: Python) -> bool:
        seen.append(service.output)
        return "up\n" in service.output

    async def scenario() -> None:
        program = f"import sys; print('of', sys.argv[1]); {WAIT}"
        arguments = ["1"]
        async with running(Python(program=program, arguments=arguments, is_ready=is_ready)) as service:
            arguments[0] = "2"
            await service.restart()
            assert service.output == service.output_of_test == "of 1\nup\nof 2\nup\n"
        assert service.output == "of 1\nup\nof 2\nup\n"
        assert not any("of 1" in each and "of 2" in each for each in seen)
        assert seen[-1] == "of 2\nup\n"

    run(scenario())


def test_command_and_environment_are_asked_for_again(run: Run) -> None:
    async def scenario() -> None:
        variables: dict[str, str | None] = {"TURN": "1"}
        program = f"import os; print('turn', os.environ['TURN']); {WAIT}"
        async with running(Python(program=program, variables=variables)) as service:
            variables["TURN"] = "2"
            service.program = program.replace("turn", "new turn")
            await service.restart()
            assert service.output == "turn 1\nup\nnew turn 2\nup\n"

    run(scenario())


def test_a_restart_ends_the_process_as_its_teardown_would(run: Run) -> None:
    """With its stop signal, and time to end. `stop` does so too, but `kill` does not."""
    program = f"import signal; signal.signal(signal.SIGTERM, lambda *_: (print('tidied', flush=True), exit())); {WAIT}"

    async def scenario() -> None:
        async with running(Python(program=program)) as service:
            await service.restart()
            assert service.output == "up\ntidied\nup\n"
            await service.stop()
            assert service.output == "up\ntidied\nup\ntidied\n"
            await service.start()
            await service.kill()
            assert service.output == "up\ntidied\nup\ntidied\nup\n"

    run(scenario())


def test_doing_it_twice_is_the_same_as_once(run: Run) -> None:
    async def scenario() -> None:
        async with running(Python()) as service:
            pid = service.pid
            await service.start()
            assert service.pid == pid
            await service.kill()
            await service.kill()
            await service.stop()
            await service.start()
            assert service.output == "up\nup\n"

    run(scenario())


def test_restarts_at_the_same_time_happen_one_after_another(run: Run) -> None:
    async def scenario() -> None:
        async with running(Files()) as files:
            await asyncio.gather(*(files.restart() for _ in range(3)), files.kill(), files.start(), files.restart())
            assert await accepts_connections(*files.address)
            await asyncio.gather(files.restart(), files.kill())
            assert not await accepts_connections(*files.address)

    run(scenario())


def test_a_crash_of_the_new_process_is_one(run: Run) -> None:
    """It shows only what that process printed."""

    async def use() -> None:
        async with running(Python()) as service:
            service.program = f"print('second'); {WAIT}"
            await service.restart()
            os.kill(service.pid, signal.SIGSEGV)
            await asyncio.Event().wait()

    async def scenario() -> None:
        with pytest.raises(LooprigError) as raised:
            await use()
        told = str(raised.value).splitlines()
        assert told[0] == "Python ended with signal SIGSEGV while it was in use."
        assert told[2:] == ["It printed:", "    second", "    up"]

    run(scenario())


def test_a_crash_cannot_be_undone(run: Run) -> None:
    """It fails the test, whatever that does about it."""

    async def use() -> None:
        async with running(Python()) as service:
            os.kill(service.pid, signal.SIGKILL)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await service.restart()

    async def scenario() -> None:
        with pytest.raises(LooprigError, match="Python ended with signal SIGKILL while it was in use"):
            await use()

    run(scenario())


def test_a_start_that_fails_leaves_it_down_and_can_be_tried_again(run: Run) -> None:
    async def scenario() -> None:
        async with running(Python()) as service:
            service.program = "import sys; sys.exit('no disk')"
            with pytest.raises(
                ServiceStartError, match=r"Python ended with exit status 1 before it was ready\.(?s:.*)disk"
            ):
                await service.restart()
            service.program = WAIT
            await service.start()
            assert service.output == "up\nno disk\nup\n"
            wait_gone_before = service.pid
            service.cwd = "/no/such/folder"
            with pytest.raises(ServiceStartError, match=r"Python cannot be started: .*folder"):
                await service.restart()
            wait_gone(wait_gone_before)
            service.cwd = None
            await service.start()

    run(scenario())


def test_a_start_has_the_time_that_the_service_has(run: Run) -> None:
    @service_fixture(start_timeout=1)
    @dataclass(kw_only=True)
    class Late(Python):
        never: list[bool] = field(default_factory=list[bool])

        async def ready(self) -> bool:
            return not self.never and "up\n" in self.output

    async def scenario() -> None:
        async with rig(Late) as late:
            late.never.append(True)
            with pytest.raises(
                ServiceStartError, match=r"Late was not ready within 1 s\.\n(?s:.*)\nIts `ready` returned False"
            ):
                await late.restart()
            wait_gone(late.pid)
            late.never.clear()
            await late.start()

    run(scenario())


@pytest.mark.parametrize("deaf", [True, False], ids=["stopping", "starting"])
def test_a_restart_that_is_cancelled_leaves_no_process(run: Run, deaf: bool) -> None:
    """Neither the old nor the new one; the service can be started after that."""
    waited = asyncio.Event()
    program = f"import signal; signal.signal(signal.SIGTERM, lambda *_: print('told', flush=True)); {WAIT}"

    def is_ready(service: Python) -> bool:
        if "never" in service.arguments:
            waited.set()
            return False
        return "up\n" in service.output

    async def scenario() -> None:
        service = Python(program=program if deaf else WAIT, is_ready=is_ready, stop_timeout=1000)
        async with running(service):
            first = service.pid
            service.arguments = ["never"]
            restarting = asyncio.ensure_future(service.restart())
            if deaf:
                while "told" not in service.output:  # noqa: ASYNC110 - no event tells it
                    await asyncio.sleep(0.001)
            else:
                await waited.wait()
            restarting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await restarting
            wait_gone(first)
            wait_gone(service.pid)
            service.arguments = []
            await service.start()
            service.stop_timeout = 0.1
        wait_gone(service.pid)

    run(scenario())


def test_it_is_stopped_for_good_in_the_middle_of_a_restart(run: Run) -> None:
    """By a teardown that does not wait for the task that restarts it."""
    waited = asyncio.Event()

    def is_ready(service: Python) -> bool:
        if service.arguments:
            waited.set()
            return False
        return True

    async def scenario() -> None:
        service = Python(is_ready=is_ready)
        async with running(service):
            service.arguments = ["never"]
            restarting = asyncio.ensure_future(service.restart())
            await waited.wait()
        wait_gone(service.pid)
        with pytest.raises(ServiceStartError, match=r"Python ended with .* before it was ready"):
            await restarting
        with pytest.raises(LooprigError, match="Python cannot be started again: it has been stopped for good"):
            await service.start()
        await service.kill()

    run(scenario())


def test_one_that_never_ran_says_so(run: Run) -> None:
    async def scenario() -> None:
        for name in ("start", "stop", "restart", "kill"):
            with pytest.raises(LooprigError, match="Python is not running"):
                await getattr(Python(), name)()

    run(scenario())


def test_another_loop_cannot_restart_it(run: Run) -> None:
    def elsewhere(service: ProcessService) -> None:
        asyncio.run(service.restart())

    async def scenario() -> None:
        async with running(Python()) as service:
            with pytest.raises(LooprigError, match="Python runs on another loop"):
                await asyncio.to_thread(elsewhere, service)

    run(scenario())


def test_what_left_its_group_is_gone_before_the_next_start(run: Run, tmp_path: Path) -> None:
    """For example a daemon that holds the port."""
    program = (
        "import os, socket, sys, time\n"
        "s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "while True: time.sleep(0.01)"
    )

    @dataclass(kw_only=True)
    class Forks(Strict):
        def command(self) -> Sequence[str]:
            return [sys.executable, "-c", program, self.host, str(self.port)]

    async def scenario() -> None:
        async with running(Forks(cwd=tmp_path)) as service:
            await service.kill()
            assert not await accepts_connections(*service.address)
            await service.start()

    run(scenario())
