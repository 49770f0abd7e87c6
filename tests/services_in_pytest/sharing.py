"""Helpers for suites whose workers share services of scope "run": what they start is noted in a file, line by line."""

import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.plugin.suite import run_apart

__all__ = ["HEAD", "SERVICES", "XDIST", "folders", "is_there", "notes", "run_shared", "until"]

XDIST: Final = ("-p", "xdist")

HEAD: Final = """
    import asyncio
    import os
    import sys
    from collections.abc import AsyncIterator, Sequence
    from dataclasses import dataclass, field
    from pathlib import Path

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, AsgiService, ProcessService, Proxy, TcpService, TestClient, service_fixture

    NOTES = Path(__file__).with_name("notes")

    def note(*words: object) -> None:
        with NOTES.open("a") as notes:
            print(*words, file=notes)
"""

SERVICES: Final = (
    HEAD
    + """
    PROGRAM = '''
    import os, signal, sys, time

    def stop(*_):
        with open(sys.argv[1], "a") as notes:
            print("stop server", file=notes)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("up", os.getpid(), flush=True)
    while True:
        time.sleep(0.01)
    '''

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Server(ProcessService):
        def command(self) -> Sequence[str]:
            note("start server")
            return [sys.executable, "-c", PROGRAM, str(NOTES)]

        async def ready(self) -> bool:
            if "up" not in self.output:
                return False
            note("server", self.pid)
            return True

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        server: Server
        page_size: int = 20
        token: str = field(default="", init=False)

        async def create_app(self) -> web.Application:
            note("start rest")
            note("host", os.getpid())
            self.token = os.urandom(8).hex()
            app = web.Application()
            app.router.add_get("/", self.answer)
            app.on_cleanup.append(self.cleanup)
            return app

        async def answer(self, request: web.Request) -> web.Response:
            return web.json_response([self.token, os.getpid()])

        async def cleanup(self, app: web.Application) -> None:
            note("stop rest")
"""
)


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Generator[Path, None, None]:
    """Return a folder for the folders of runs. Each run has to remove its own."""
    path = Path(tempfile.mkdtemp(prefix="runs-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(path))
    yield path
    left = [*path.glob("looprig-*")]
    shutil.rmtree(path)
    assert left == []


def run_shared(
    pytester: pytest.Pytester, suite: str | Mapping[str, str], *options: str, workers: int = 2
) -> pytest.RunResult:
    """Run a suite with pytest-xdist."""
    return run_apart(pytester, suite, *XDIST, "-n", str(workers), *options)


def notes(pytester: pytest.Pytester, word: str = "") -> list[str]:
    """Return what the services of the suite have noted, or what they noted after `word`."""
    path = pytester.path / "notes"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(word)]


def is_there(pid: int) -> bool:
    """Return whether a process exists and isn't a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def until(condition: Callable[[], object], within: float = 60.0) -> float:
    """Wait until a condition holds, and return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within
        time.sleep(0.005)
    return time.monotonic() - began
