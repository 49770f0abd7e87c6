"""A running command, and the process that starts commands and ends them with all that came from them.

The latter is a child of the test process (see `_supervisor`), and a thread listens to it. So commands behave the same
on every loop, and neither need nor disturb asyncio's child watchers or uvloop's SIGCHLD handler.

Does not know what a command is for; `ProcessService` does. POSIX only.

Invariants:
1. After `stop` or `kill` has ended, in whatever way, the command and its descendants have ended or were killed.
2. If this process dies without that, the supervisor kills them.
3. Signals come from the supervisor, which knows whether a pid is still the command's.
"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from looprig.runtime.clock import Timeout
from looprig.services import _supervisor

__all__ = ["Launched", "Launcher"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_DYING: Final = 5.0
"""Seconds to wait for killed processes to end. It takes only a moment unless the kernel is stuck."""


@final
class Launcher:
    """The starter of commands, one after another, which write to `output`. Use it on the loop that it was made on."""

    def __init__(self, output: int) -> None:
        self._current: Launched | None = None
        self._has_supervisor = True
        self._lock = threading.Lock()  # around these two
        self._loop = asyncio.get_running_loop()
        self._over = _Event(self._loop)
        self._channel, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", _supervisor.__file__, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()
        threading.Thread(target=self._listen, name=f"looprig-{self._process.pid}", daemon=True).start()

    def launch(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | Path | None,
        on_exit: Callable[[], object] = lambda: None,
    ) -> "Launched":
        """Run a command. The one before must have been stopped.

        `on_exit` is called on the loop when the command has ended. Raises `ValueError` for a NUL in an argument.
        """
        launched = Launched(command, Path.cwd() / (cwd or ""), self._send, self._loop, on_exit)
        variables = [f"{name}={value}" for name, value in env.items()]
        fields = [str(launched.folder), str(len(command)), *command, *variables]
        if any("\0" in field for field in fields):
            raise ValueError("embedded null byte")
        with self._lock:
            self._current = launched
            has_supervisor = self._has_supervisor
        if not has_supervisor:
            launched.hear(_supervisor.GONE, [])
        self._send(_supervisor.START, *map(os.fsencode, fields))
        return launched

    async def close(self) -> None:
        """Kill the command if it runs, and end the supervisor."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
        try:
            await self._over.wait(_DYING)
        finally:
            self._over.block(_DYING)

    def _send(self, *fields: bytes) -> None:
        with suppress(OSError):  # the supervisor has been killed, as the thread finds out too
            self._channel.sendall(_supervisor.pack(*fields))

    def _listen(self) -> None:
        """Pass on, in a thread, what the supervisor says until it ends."""
        received = bytearray()
        with suppress(OSError):
            while data := self._channel.recv(1 << 16):
                received += data
                for kind, *fields in _supervisor.unpack(received):
                    if self._current is not None:
                        self._current.hear(kind, fields)
        with self._lock:
            self._has_supervisor, last = False, self._current
        if last is not None:
            last.hear(_supervisor.GONE, [])
        self._channel.close()
        self._process.wait()
        self._over.set()


@final
class Launched:
    """A running command."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        send: Callable[..., None],
        loop: asyncio.AbstractEventLoop,
        on_exit: Callable[[], object],
    ) -> None:
        self._exited = _Event(loop, on_exit)
        self._gone = _Event(loop)
        self._running = _Event(loop)
        self._send = send
        self.command: Final = command
        self.folder: Final = folder
        self.pid: int = 0
        """The process id, once it runs."""
        self.problem: OSError | str | None = None
        """The error of its folder, or the reason why the command could not be run."""
        self.status: int | None = None
        """The exit code, or minus the signal that ended it. `None` while it runs, or if it can't be known."""

    @property
    def has_exited(self) -> bool:
        """Whether the command has ended."""
        return self._exited.is_set

    async def wait_running(self) -> None:
        """Wait until the command runs, or could not be run (see `problem`)."""
        await self._running.wait()

    async def wait_exited(self) -> None:
        """Wait until the command has ended."""
        await self._exited.wait()

    async def stop(self, stop_signal: int, grace: float) -> None:
        """Ask its process group to end, then those that have left the group. After `grace` seconds, kill what is left.

        Return at once if the command has been stopped before.
        """
        self._send(_supervisor.STOP, b"%d" % stop_signal)
        try:
            is_gone = await self._gone.wait(grace)
        except BaseException:
            self._send(_supervisor.KILL)
            self._gone.block(_DYING)
            raise
        if not is_gone:
            await self.kill()

    async def kill(self) -> None:
        """Kill the command and all that came from it."""
        self._send(_supervisor.KILL)
        try:
            await self._gone.wait(_DYING)  # the kernel may let it die later, as in uninterruptible sleep
        except BaseException:
            self._gone.block(_DYING)
            raise

    def hear(self, kind: bytes, fields: Sequence[bytes]) -> None:
        """Take a message from the supervisor, in the thread that listens to it. `GONE` also means that it has ended."""
        if kind == _supervisor.RUNS:
            self.pid = int(fields[0])
            self._running.set()
            return
        if kind == _supervisor.ENDED:
            self.status = int(fields[0])
        elif kind == _supervisor.CANNOT:
            number, reason = fields[0], fields[1].decode()
            self.problem = OSError(int(number), reason, str(self.folder)) if number else reason
        elif not self._running.is_set:
            self.problem = "the process that should start it has ended"
        self._running.set()
        self._exited.set()
        if kind != _supervisor.ENDED:
            self._gone.set()


@final
class _Event:
    """An event that a thread sets, and the loop waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, then: Callable[[], object] = lambda: None) -> None:
        self._loop = loop
        self._on_loop = asyncio.Event()
        self._anywhere = threading.Event()
        self._then = then

    @property
    def is_set(self) -> bool:
        return self._anywhere.is_set()

    def set(self) -> None:
        """Set it, in a thread. The first time, `then` is called on the loop."""
        if not self._anywhere.is_set():
            self._anywhere.set()
            with suppress(RuntimeError):  # the loop is closed, so nobody waits
                self._loop.call_soon_threadsafe(self._set_on_loop)

    def _set_on_loop(self) -> None:
        self._on_loop.set()
        self._then()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait, for `seconds` at most. Return whether it has been set."""
        if seconds is None:
            await self._on_loop.wait()
            return True
        with suppress(TimeoutError):
            async with Timeout(seconds):
                await self._on_loop.wait()
        return self.is_set

    def block(self, seconds: float) -> None:
        """Wait without the loop, because this task has been cancelled."""
        self._anywhere.wait(seconds)
