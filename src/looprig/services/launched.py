"""A running command, which is started with a guard and ended with its whole process group.

It is started with `subprocess.Popen`, and a thread waits for it. So it behaves the same on every loop, and neither
needs nor disturbs asyncio's child watchers or uvloop's SIGCHLD handler. Its output goes to an unlinked file: the
command never blocks on a full pipe, and nothing has to read the output in time.

Does not know what the command is for; `ProcessService` does. POSIX only.

Invariants:
1. After `stop` has ended, in whatever way, the command is reaped and its process group has ended or was killed.
2. The command is not reaped before `stop`. Until then its pid, which is also the id of its group, can't be reused.
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

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_KEPT_OUTPUT: Final = 1 << 20
"""Number of bytes, from the end of the output, that can still be read after the stop."""

_POLL: Final = 0.01
"""Seconds between two checks whether a process group still exists. There is no event for its end."""


_DYING: Final = 5.0
"""Seconds to wait for a killed process to end. It takes only a moment unless the kernel is stuck."""


@final
class Launched:
    """A running command. Create and stop it on the same loop."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: str | Path | None) -> None:
        self._exited = asyncio.Event()
        self._forgotten = 0  # the number of bytes before those that are kept after the stop
        self._kept: bytes | None = None
        self._loop = asyncio.get_running_loop()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._running = asyncio.Event()
        self._test_began_at = 0
        self.command: Final = command
        self.problem: str = ""
        """The reason why the command could not be run, or an empty string."""
        self.status: int | None = None
        """The exit code, or minus the signal that ended it. `None` while it runs, or if it can't be known."""
        lifeline, self._lifeline = os.pipe()
        status_reader, status = os.pipe()
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
            os.close(status_reader)
            os.close(self._lifeline)
            self._output.close()
            raise
        finally:
            os.close(lifeline)
            os.close(status)
        self.pid: Final = self._process.pid
        threading.Thread(target=self._follow, args=(status_reader,), name=f"looprig-{self.pid}", daemon=True).start()

    @property
    def has_exited(self) -> bool:
        """Whether the command has ended."""
        return self._exited.is_set()

    @property
    def output_descriptor(self) -> int:
        """The descriptor of the file that it prints to, open until the stop."""
        return self._output.fileno()

    def output(self) -> str:
        """Return what was printed to stdout and stderr so far. After the stop, only the last MiB."""
        return self._read(0).decode(errors="replace")

    def output_of_test(self) -> str:
        """Return what was printed since the last call of `begin_test`."""
        return self._read(self._test_began_at).decode(errors="replace")

    def begin_test(self) -> None:
        """Record that a test begins."""
        self._test_began_at = self._size()

    def _read(self, start: int) -> bytes:
        if self._kept is not None:
            return self._kept[max(0, start - self._forgotten) :]
        # Must not move the offset: the command writes.
        return os.pread(self._output.fileno(), self._size() - start, start)

    def _size(self) -> int:
        if self._kept is not None:
            return self._forgotten + len(self._kept)
        return os.fstat(self._output.fileno()).st_size

    async def wait_running(self) -> None:
        """Wait until the command runs, or could not be run (see `problem`)."""
        await self._running.wait()

    async def wait_exited(self) -> None:
        """Wait until the command has ended."""
        await self._exited.wait()

    def signal_group(self, number: int) -> None:
        """Send a signal to the command and all processes of its group. Do nothing once they have ended."""
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter if all are zombies
            os.killpg(self.pid, number)

    async def stop(self, stop_signal: int, grace: float) -> None:
        """Ask the group to end, wait for `grace` seconds at most, then kill what is left."""
        try:
            self.signal_group(stop_signal)
            async with Timeout(grace):
                await self._exited.wait()
                self._reap()
                while self._group_is_there():  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            self.signal_group(signal.SIGKILL)
            with suppress(TimeoutError):  # the kernel may let it die later, as in uninterruptible sleep
                async with Timeout(_DYING):
                    await self._exited.wait()
        except BaseException:
            self.signal_group(signal.SIGKILL)
            raise
        finally:
            self._reap()
            self._release()

    def _group_is_there(self) -> bool:
        # A group's id isn't reused while the group has members. Reuse since the last check would need all process ids
        # to wrap around.
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return _has_live_member(self.pid)

    def _reap(self) -> None:
        """Wait for the command, which frees its pid. It has ended already, or was just killed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_DYING)

    def _release(self) -> None:
        if self._kept is not None:
            return
        with suppress(BrokenPipeError):
            os.write(self._lifeline, _launcher.ALL_IS_WELL)
        os.close(self._lifeline)
        self._forgotten = max(0, self._size() - _KEPT_OUTPUT)
        self._kept = self._read(self._forgotten)
        self._output.close()

    def _follow(self, status_reader: int) -> None:
        """Wait, in a thread, until the command runs and then until it ends. Set an event on the loop both times."""
        with open(status_reader, encoding="utf-8") as status:
            self.problem = status.read()
        self._set_on_loop(self._running)
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError):  # another wait in this process has reaped it and taken its status
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
                if ended is not None:
                    self.status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        else:  # macOS before Python 3.13 has no waitid, so the command is reaped early
            self.status = self._process.wait()
        self._set_on_loop(self._exited)

    def _set_on_loop(self, event: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nobody waits for the event
            self._loop.call_soon_threadsafe(event.set)


def _has_live_member(group: int) -> bool:
    """Return whether any process of a group isn't a zombie. Some init processes take seconds to reap zombies.

    Source: proc_pid_stat(5). After the name in parentheses come the state, the parent and the process group.
    """
    listed = False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        listed = True
        with suppress(OSError):  # the process has ended since it was listed
            state, _, member_of = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(member_of) == group and state not in {"Z", "X"}:
                return True
    return not listed  # without /proc, assume that one is alive
