"""Processes to run as services, and a way to see that they have ended."""

import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from looprig.net.ports import accepts_connections
from looprig.services.process import ProcessService

__all__ = ["WAIT", "Command", "Files", "Python", "command_of", "first_number", "stat_of", "wait_gone"]

WAIT = "import time; print('up', flush=True)\nwhile True: time.sleep(0.01)"
"""A program that says that it is up, and then does nothing until it is stopped.

It doesn't use `signal.pause`, which sleeps on if a signal with a Python handler arrives just before the call.
"""


@dataclass(kw_only=True)
class Python(ProcessService):
    """A service that runs a program; by default it is ready once the program says that it is up."""

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
    """A service that runs any command; it is ready once it has printed something, by default at once."""

    given: Any
    says: str = ""

    def command(self) -> Sequence[str]:
        return self.given  # type: ignore[no-any-return]

    async def ready(self) -> bool:
        return self.says in self.output


@dataclass(kw_only=True)
class Files(ProcessService):
    """A real server on the port that is held for it."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "http.server", "--bind", self.host, str(self.port)]

    async def ready(self) -> bool:
        return await accepts_connections(*self.address)


def wait_gone(pid: int) -> None:
    """Wait until a process that may not be our child has ended, for ten seconds at most."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], 10)[0], f"process {pid} is still there"
        finally:
            os.close(descriptor)


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def stat_of(pid: int) -> list[str]:
    """Return what /proc/PID/stat says from the state on: the state, the parent, and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def first_number(service: ProcessService) -> int:
    return int(service.output.split()[0])
