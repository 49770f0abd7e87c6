"""Processes of a run that are killed with SIGKILL: workers, the controller, and the host of the services."""

import os
import re
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.plugin.suite import start
from tests.services_in_pytest.sharing import SERVICES, XDIST, folders, is_there, notes, until

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
    pytest.mark.usefixtures(folders.__name__),
]
pytest.importorskip("xdist", reason="needs pytest-xdist")

WAITING = (
    SERVICES
    + """
    GO = Path(__file__).with_name("go")

    @pytest.mark.parametrize("number", range(24))
    async def test_it(api: TestClient[Rest], number):
        note("worker", os.getpid())
        while not GO.exists():
            await asyncio.sleep(0.01)
        token, pid = await api.get("/", into=list)
        assert api.service.token == token
"""
)


class Started:
    """A run with four workers, each of which is in a test that waits."""

    def __init__(self, pytester: pytest.Pytester, suite: str = WAITING) -> None:
        self._pytester = pytester
        self.process: subprocess.Popen[str] = start(pytester, suite, *XDIST, "-n4")
        until(lambda: len(self.workers()) == 4)
        self.host = int(notes(pytester, "host")[0])
        self.server = int(notes(pytester, "server")[0])

    def workers(self) -> list[int]:
        return sorted({int(pid) for pid in notes(self._pytester, "worker")})

    def go(self) -> None:
        (self._pytester.path / "go").touch()

    def finish(self) -> str:
        printed, _ = self.process.communicate(timeout=60)
        return printed


@pytest.fixture
def running(pytester: pytest.Pytester) -> Generator[Started, None, None]:
    started = Started(pytester)
    yield started
    started.process.kill()
    started.process.communicate()
    for pid in (*started.workers(), started.host, started.server):
        if is_there(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("spared", [0, 3])
def test_the_rest_passes_if_workers_are_killed(running: Started, pytester: pytest.Pytester, spared: int) -> None:
    """Whichever they are: the one that has started the host may be among them. pytest-xdist replaces them."""
    workers = running.workers()
    del workers[spared]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    running.go()
    assert re.search(r"\b3 failed, 21 passed\b", running.finish())
    assert [line for line in notes(pytester) if line.startswith("start")] == ["start server", "start rest"]
    assert notes(pytester)[-2:] == ["stop rest", "stop server"]
    until(lambda: not is_there(running.host) and not is_there(running.server), within=10)


def test_it_stops_if_all_workers_are_killed_at_once(running: Started, pytester: pytest.Pytester) -> None:
    for pid in running.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not is_there(running.host) and not is_there(running.server), within=5)
    assert notes(pytester, "stop") == ["rest", "server"]


def test_a_child_of_a_killed_worker_does_not_keep_it(pytester: pytest.Pytester) -> None:
    """A forked child has the worker's connection to the host, which stays open."""
    started = Started(
        pytester,
        WAITING.replace(
            'note("worker", os.getpid())',
            """
        import signal, warnings
        with warnings.catch_warnings(action="ignore"):
            child = os.fork()
        if not child:
            signal.pause()
        note("child", child)
        note("worker", os.getpid())""",
        ),
    )
    try:
        for pid in started.workers():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not is_there(started.host) and not is_there(started.server), within=10)
    finally:
        started.process.kill()
        for pid in map(int, notes(pytester, "child")):
            os.kill(pid, signal.SIGKILL)
        started.process.communicate()


def test_nothing_is_left_if_the_controller_is_killed(running: Started, folders: Path) -> None:
    """The workers would go on for seconds: they get SIGTERM, and SIGKILL soon after."""
    running.process.kill()
    pids = [*running.workers(), running.host, running.server]
    until(lambda: not any(is_there(pid) for pid in pids), within=10)
    until(lambda: not [*folders.glob("looprig-*")], within=10)


def test_whoever_needs_a_service_fails_if_its_host_is_killed(running: Started, pytester: pytest.Pytester) -> None:
    os.kill(running.host, signal.SIGKILL)
    until(lambda: not is_there(running.server), within=10)
    running.go()
    text = running.finish()
    assert re.search(r"\b4 failed, 20 errors\b", text), text
    told = re.findall(
        rf"E +looprig\.LooprigError: (?:Rest|Server) is gone: the process {running.host} that ran it for all workers "
        r'\(scope "run"\) was killed or has crashed\.',
        text,
    )
    assert len(told) == 24
    assert notes(pytester, "start") == ["server", "rest"]
