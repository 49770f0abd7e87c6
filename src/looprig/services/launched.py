"""One running command: started with a guard, waited for without any child watcher, ended with its whole group.

It is started with `subprocess.Popen` and waited for by a thread, so it is the same on every loop, and neither needs
nor disturbs the child watcher of asyncio's policies or the SIGCHLD handler of uvloop. What it prints goes to an
unlinked file: it never blocks on a full pipe, and nothing has to read it on time.

Does not know what the command is for; `ProcessService` does. POSIX only.

Invariants:
1. When `stop` has ended, however it ended, the command is reaped and its process group is gone or killed.
2. The command is not reaped before `stop`, so that its pid, which names the group, is nobody else's until then.
3. If this process dies without `stop`, the guard kills the group (see `_launcher`).
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from looprig.runtime.clock import Timeout
from looprig.services import _launcher

__all__ = ["Launched"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_KEPT_OUTPUT: Final = 1 << 20
"""Bytes of output, counted from its end, that can still be read after the stop."""

_POLL: Final = 0.01
"""Seconds between two looks at whether a process group is gone; nothing tells it by itself."""


_DYING: Final = 5.0
"""Seconds that a killed process has to be gone; it takes no more than a moment unless the kernel is stuck."""


@final
class Launched:
    """A command that runs. Made and stopped on one loop."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: str | Path | None) -> None:
        self._exited = asyncio.Event()
        self._kept: bytes | None = None
        self._loop = asyncio.get_running_loop()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._running = asyncio.Event()
        self.command: Final = command
        self.problem: str = ""
        """Why the command could not be run; empty where it could."""
        self.status: int | None = None
        """The exit code, or minus the signal that ended it; None while it runs, or where it cannot be known."""
        lifeline, self._lifeline = os.pipe()
        told, status = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    _launcher.__file__,
                    str(lifeline),
                    str(status),
                    str(os.getpid()),
                    *command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                cwd=cwd,
                env=env,
                pass_fds=(lifeline, status),
                start_new_session=True,
            )
        except BaseException:
            os.close(told)
            os.close(self._lifeline)
            self._output.close()
            raise
        finally:
            os.close(lifeline)
            os.close(status)
        self.pid: Final = self._process.pid
        threading.Thread(target=self._follow, args=(told,), name=f"looprig-{self.pid}", daemon=True).start()

    @property
    def has_exited(self) -> bool:
        """Whether the command has ended."""
        return self._exited.is_set()

    def output(self) -> str:
        """What was printed so far, stdout and stderr as they came; after the stop, the last MiB of it."""
        kept = self._kept
        if kept is None:
            descriptor = self._output.fileno()
            kept = os.pread(descriptor, os.fstat(descriptor).st_size, 0)  # its offset is the command's to move
        return kept.decode(errors="replace")

    async def wait_running(self) -> None:
        """Wait until the command runs, or could not be run (see `problem`)."""
        await self._running.wait()

    async def wait_exited(self) -> None:
        """Wait until the command has ended."""
        await self._exited.wait()

    def signal_group(self, number: int) -> None:
        """Send a signal to the command and all it has started. Does nothing once they are gone."""
        with suppress(ProcessLookupError, PermissionError):  # the latter is how macOS says that all are zombies
            os.killpg(self.pid, number)

    async def stop(self, stop_signal: int, grace: float) -> None:
        """Ask the group to end, give it `grace` seconds, then kill what is left."""
        try:
            self.signal_group(stop_signal)
            async with Timeout(grace):
                await self._exited.wait()
                self._reap()
                while self._group_is_there():  # noqa: ASYNC110 - no event tells it
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            self.signal_group(signal.SIGKILL)
            with suppress(TimeoutError):  # a kernel that is busy on its behalf lets it die later
                async with Timeout(_DYING):
                    await self._exited.wait()
        except BaseException:
            self.signal_group(signal.SIGKILL)
            raise
        finally:
            self._reap()
            self._let_go()

    def _group_is_there(self) -> bool:
        # The number is taken for as long as the group has members. That it went to another group since the last look
        # would take a whole round of all process numbers.
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return _has_live_member(self.pid)

    def _reap(self) -> None:
        """Wait in the way that frees the pid: the command has ended, or was killed a moment ago."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_DYING)

    def _let_go(self) -> None:
        if self._kept is not None:
            return
        with suppress(BrokenPipeError):
            os.write(self._lifeline, _launcher.ALL_IS_WELL)
        os.close(self._lifeline)
        self._kept = self.output().encode()[-_KEPT_OUTPUT:]
        self._output.close()

    def _follow(self, told: int) -> None:
        """In a thread: wait until the command runs, then until it ends, and tell the loop both times."""
        with open(told, encoding="utf-8") as status:
            self.problem = status.read()
        self._tell(self._running)
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError):  # somebody else's wait took it, and its status with it
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
                if ended is not None:
                    self.status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        else:  # macOS before Python 3.13: it is reaped early
            self.status = self._process.wait()
        self._tell(self._exited)

    def _tell(self, event: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(event.set)


def _has_live_member(group: int) -> bool:
    """Look whether any process of a group is more than a zombie, which some inits take seconds to reap.

    Source: proc_pid_stat(5). After the name, in parentheses, come the state, the parent and the process group.
    """
    listed = False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        listed = True
        with suppress(OSError):  # gone since it was listed
            state, _, member_of = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(member_of) == group and state not in {"Z", "X"}:
                return True
    return not listed  # without /proc nobody can tell
