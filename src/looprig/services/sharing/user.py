"""Using the services of a run from a process that runs tests.

Does not know why this process shares them with others, or when it ends: the plugin says so.

Invariants:
1. A process has one lease, from `join` to `leave`. It keeps all services of the run alive.
2. A service that crashes, and a host that dies, interrupt the block in which the service is used, as a crash of a
   service of this process would.
"""

import asyncio
import os
import socket
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Final, final

from looprig.declare.service import ServiceKey, ServiceSpec
from looprig.exceptions import DeclarationError, LooprigError, ServiceStartError, summary
from looprig.posix import is_posix, posix_missing
from looprig.runtime.tasks import hidden
from looprig.services.in_use import InUse
from looprig.services.sharing.channel import Channel, receive_now, send_now
from looprig.services.sharing.classes import reference_to
from looprig.services.sharing.failures import error_of
from looprig.services.sharing.folder import RunFolder
from looprig.services.sharing.launch import connected, connection_to, host_died
from looprig.services.sharing.messages import Failed, Leave, Left, Use
from looprig.services.sharing.state import Copied, SharedProcess, key_of_copy, pickled, rebuilt
from looprig.watch.processes import ProcessWatch, current_watch

__all__ = ["Run", "Shared"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Run:
    """The run that this process takes part in. `controller` is the pid of the process that controls it, or 0."""

    def __init__(self, name: str, controller: int) -> None:
        self._controller = controller
        self._copies: dict[ServiceKey, object] = {}
        self._lease: socket.socket | None = None
        self._problem: LooprigError | None = None
        self._run = name
        self._folder: RunFolder | None = None
        self._has_log = False

    @property
    def folder(self) -> RunFolder:
        """The folder of the run."""
        if self._folder is None:
            self._folder = RunFolder.of(self._run)
        return self._folder

    def join(self) -> None:
        """Take a lease, and start the host if this is the first one. An error is kept for those who need a service."""
        if self._lease is not None or self._problem is not None:
            return
        if not is_posix():
            self._problem = posix_missing(
                'Sharing a service of scope "run" with other workers',
                (),
                'run without pytest-xdist, or use scope="session".',
            )
            return
        try:
            self._lease = connected(self.folder, self._controller)
            self._lease.set_inheritable(False)
        except LooprigError as error:
            self._problem = error
        except OSError as error:
            self._problem = LooprigError(f'Services of scope "run" can\'t be shared by workers: {error}.')

    def leave(self) -> list[Failed]:
        """Give the lease back. If it is the last one, wait until all services have stopped, and return what failed."""
        lease, self._lease = self._lease, None
        if lease is None:
            return []
        with lease, suppress(EOFError, OSError):
            send_now(lease, Leave())
            answer = receive_now(lease)
            if isinstance(answer, Left):
                return list(answer.failures)
        return []

    def connect(self, spec: ServiceSpec) -> socket.socket:
        """Return a new connection to the host, for one service.

        Raises:
            LooprigError: there is no host.
        """
        self.join()
        if self._problem is not None:
            problem = self._problem
            raise LooprigError(problem.what, [spec.party], problem.fix) from None
        try:
            return connection_to(self.folder)
        except OSError:
            raise self.host_died(spec) from None

    def host_died(self, spec: ServiceSpec) -> LooprigError:
        """Return the error for a service whose host has died."""
        error = host_died(self.folder, spec.cls.__qualname__)
        return LooprigError(error.what, [spec.party], error.fix)

    def log_of(self, pid: int) -> SharedProcess | None:
        """Return the host as a process whose output can be read, or `None` if another service in use has it.

        Whoever gets it calls `end_log` when its service is no longer in use here.
        """
        if self._has_log:
            return None
        try:
            log = SharedProcess(pid, (), os.open(self.folder.log, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None
        self._has_log = True
        return log

    def end_log(self) -> None:
        """Let the next service that comes into use have the log."""
        self._has_log = False

    def begin(self, key: ServiceKey, copy: object) -> None:
        """Record that a service is in use here."""
        self._copies[key] = copy

    def end(self, key: ServiceKey) -> None:
        """Record that a service is no longer in use here."""
        self._copies.pop(key, None)

    def find(self, key: ServiceKey) -> object:
        """Return the copy of a service that is in use here."""
        return self._copies[key]


@final
class Shared:
    """A service of the run in use: on entry it is started if it isn't running yet. It isn't stopped on exit.

    Raises:
        ServiceStartError: it did not start, whoever was the first to need it.
        LooprigError: it crashed, its host has died, or a value can't be sent to it.
    """

    def __init__(self, run: Run, spec: ServiceSpec, fields: dict[str, Any]) -> None:
        self._fields = fields
        self._run = run
        self._spec = spec
        self._channel: Channel | None = None
        self._crash: BaseException | None = None
        self._stack = ExitStack()
        self._watching: asyncio.Task[None] | None = None
        self._in_use = InUse(f"{spec.cls.__qualname__} has ended")

    async def __aenter__(self) -> Any:
        fields = {name: self._pickled(name, value) for name, value in self._fields.items()}
        channel = self._channel = Channel(self._run.connect(self._spec))
        try:
            copied = await self._started(channel, Use(reference_to(self._spec), fields))
            self._watch_output(copied, self._run.log_of(copied.pid))
            self._run.begin(self._spec.key, copied.service)
            self._stack.callback(self._run.end, self._spec.key)
            watching = self._watching = asyncio.create_task(self._watch(channel))
            self._stack.callback(watching.cancel)
            self._stack.enter_context(hidden(watching))
            self._stack.enter_context(self._in_use)
        except BaseException:
            self._stack.close()
            channel.close()
            raise
        return copied.service

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        is_handled = bool(self._stack.__exit__(kind, error, traceback))
        if self._watching is not None:
            await asyncio.wait([self._watching])
        if self._channel is not None:
            self._channel.close()  # nothing reads from it any more
        if self._in_use.was_interrupted and self._crash is not None:
            raise self._crash from None
        return is_handled

    def _pickled(self, name: str, value: object) -> bytes:
        def reference(found: object) -> object:
            key = key_of_copy(found)
            return None if key is None else ("service", key)

        try:
            return pickled(value, reference)
        except Exception as error:  # noqa: BLE001 - __reduce__ may be the suite's own
            owner = self._spec.cls.__qualname__
            raise DeclarationError(
                f'{owner}.{name} can\'t be sent to the process that runs {owner} for all workers (scope "run"): '
                f"a {type(value).__qualname__} can't be pickled ({summary(error)}).",
                [self._spec.party],
                f'Create it in {owner} itself, or give {owner} scope="session".',
            ) from None

    async def _started(self, channel: Channel, use: Use) -> Copied:
        try:
            await channel.send(use)
            message, descriptors = await channel.receive()
        except (EOFError, OSError):
            raise self._run.host_died(self._spec) from None
        if isinstance(message, Failed):
            raise error_of(message, self._instead(ServiceStartError, "did not start", message))
        try:
            return rebuilt(self._spec, message, descriptors, self._run.find)
        except BaseException:
            for descriptor in descriptors:
                with suppress(OSError):
                    os.close(descriptor)
            raise

    def _instead(self, kind: type[LooprigError], what: str, failed: Failed) -> LooprigError:
        return kind(f"{self._spec.cls.__qualname__} {what}: {failed.what}.", [self._spec.party])

    def _watch_output(self, copied: Copied, log: SharedProcess | None) -> None:
        """Show what its processes print during a failing test in that test's report, and what the host prints."""
        watch = current_watch()
        host = f'the process that runs {self._spec.cls.__qualname__} (scope "run")'
        if log is not None:
            self._stack.callback(self._run.end_log)
        watched = [(process, self._spec.cls.__qualname__) for process in copied.processes]
        for process, name in [*watched, *([] if log is None else [(log, host)])]:
            self._stack.callback(process.close)
            if watch is not None:
                watch.begin(process, (name, self._spec.location))
                self._stack.callback(self._end_watch, watch, process)

    def _end_watch(self, watch: ProcessWatch, process: SharedProcess) -> None:
        watch.end(process, is_reported=self._in_use.was_interrupted)

    async def _watch(self, channel: Channel) -> None:
        try:
            message, _ = await channel.receive()
        except (EOFError, OSError):
            self._crash = self._run.host_died(self._spec)
        else:
            self._crash = error_of(message, self._instead(LooprigError, "crashed while it was in use", message))
        self._in_use.interrupt()
