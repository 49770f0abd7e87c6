"""A real server in a process of its own: a database, a broker, a worker.

Does not find, install or configure the server; `command` says how to run it. POSIX only.

Invariants:
1. The service is ready when `ready` says so, not when a port is open. An error of `ready` means "not yet".
2. A process that ends during its start or while it is in use is reported at once, with the end of its output.
3. None of its processes outlives the test process, even one killed by SIGKILL (see `looprig.services.launched`).
"""

import asyncio
import logging
import os
import shlex
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import FLAG, PATH, SECONDS, TEXT, WHOLE, Check
from looprig.exceptions import DeclarationError, LooprigError, ServiceStartError, summary
from looprig.location import Location, location_of
from looprig.net.ports import HeldPort, hold_port, localhost
from looprig.runtime.context import OWNER
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.stacks import raised_at
from looprig.runtime.tasks import Party, hidden, party_of
from looprig.services.address import Address, bound_address
from looprig.services.hooks import awaitable
from looprig.services.in_use import InUse
from looprig.services.launched import Launched
from looprig.watch.processes import current_watch

__all__ = ["ProcessService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_log: Final = logging.getLogger(__name__)

_TAIL: Final = 30
"""Number of lines of output that an error shows."""

_MISTAKES: Final = (AttributeError, ImportError, NameError, TypeError)
"""Errors of `ready` that are most likely mistakes in it."""

_FIRST_POLL: Final = 0.005
_LAST_POLL: Final = 0.1
"""Seconds between two calls of `ready`, which double from the first to the last."""

_SIGNALS: Final = tuple(signal.Signals)
_SIGNAL: Final = Check("a signal", lambda value: WHOLE.accepts(value) and value in _SIGNALS)


@dataclass(kw_only=True)
class ProcessService(Configured, ABC):
    """Base class of a service that is a process. Implement `command`, and `ready` to say when it is ready.

        @service_fixture(scope="session")
        @dataclass(kw_only=True)
        class Redis(ProcessService):
            def command(self) -> Sequence[str]:
                return ["redis-server", "--bind", self.host, "--port", str(self.port), "--save", ""]

            async def ready(self) -> bool:
                return await accepts_connections(*self.address)

    Configuration:
        host: the address to listen on.
        cwd: the working directory of the command.
        stop_signal: the signal that asks the process group to end.
        stop_timeout: seconds from that signal until the group is killed.
        holds_port: set it to False for a server that binds without `SO_REUSEADDR`. The port is then released just
            before the server starts.

    Raises `ServiceStartError` if the command cannot be run or ends before it is ready, and `LooprigError` if it ends
    while it is in use. Both show the end of its output.
    """

    _of_host: ClassVar[tuple[str, ...]] = ("kill",)
    _checks: ClassVar[Mapping[str, Check]] = {
        "host": TEXT,
        "cwd": PATH.or_none(),
        "stop_signal": _SIGNAL,
        "stop_timeout": SECONDS,
        "holds_port": FLAG,
    }

    host: str = config_field(factory=localhost)
    cwd: str | Path | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    stop_signal: signal.Signals = config_field(signal.SIGTERM)  # noqa: RUF009 - it makes a dataclass field
    stop_timeout: float = config_field(5.0)
    holds_port: bool = config_field(True)
    _address: Address | None = field(default=None, init=False, repr=False, compare=False)
    _process: Launched | None = field(default=None, init=False, repr=False, compare=False)
    _may_end: bool = field(default=False, init=False, repr=False, compare=False)
    _owner: object = field(default=None, init=False, repr=False, compare=False)
    _not_yet: str = field(default="", init=False, repr=False, compare=False)

    @abstractmethod
    def command(self) -> Sequence[str | os.PathLike[str]]:
        """Return the program and its arguments, to be run without a shell. `port` and `address` are already known."""

    def env(self) -> Mapping[str, str | None]:
        """Return environment variables to set on top of this process's own. `None` removes one."""
        return {}

    async def ready(self) -> bool | None:
        """Return whether the process is ready to serve. `None` counts as True.

        Called again after False or any `Exception`. If the process isn't ready within the service's `start_timeout`,
        the error shows what `ready` returned or raised last. A `NameError`, `TypeError`, `AttributeError` or
        `ImportError` is most likely a mistake, so it is also logged at once. By default, the service is ready as soon
        as its command runs.
        """
        return True

    @property
    def address(self) -> Address:
        """The host and the port that is held for the process while it runs."""
        return bound_address(self, self._address)

    @property
    def port(self) -> int:
        """The port that is held for the process to listen on."""
        return self.address.port

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._launched().pid

    @property
    def output(self) -> str:
        """The output to stdout and stderr so far. After the stop, only its last MiB."""
        return self._launched().output()

    @property
    def output_of_test(self) -> str:
        """The output since the current test began, its fixtures included. Outside pytest, the same as `output`."""
        return self._launched().output_of_test()

    async def kill(self) -> None:
        """Kill it and all processes it started, like a crash. This end is expected and does not raise an error.

        Later tests that use the same service fail at their set-up, with an error that names the test that killed it.
        """
        process = self._launched()
        self._may_end = True
        process.signal_group(signal.SIGKILL)
        await process.wait_exited()
        user = OWNER.get(None)
        if isinstance(self._owner, LiveFixture) and user is not self._owner:
            self._owner.retire(self._killed_by(party_of(user)))

    async def run(self) -> AsyncIterator[None]:
        """Run the command until this generator is closed or resumed. It yields once, when `ready` says so."""
        self._may_end = False
        self._owner = OWNER.get(None)
        with hold_port(self.host) as held:
            self._address = Address(held.host, held.port)
            try:
                process = self._process = self._launch(None if self.holds_port else held)
                in_use = InUse(f"{type(self).__qualname__} has ended")
                watch = current_watch()
                if watch is not None:
                    watch.begin(process, (type(self).__qualname__, location_of(type(self))))
                try:
                    await self._start(process)
                    watching = asyncio.create_task(self._watch(process, in_use))
                    try:
                        with hidden(watching), in_use:
                            yield
                    finally:
                        self._may_end = True
                        watching.cancel()
                    if in_use.was_interrupted:
                        raise LooprigError(*self._ended(process, "while it was in use")) from None
                finally:
                    try:
                        await process.stop(self.stop_signal, self.stop_timeout)
                    finally:
                        if watch is not None:
                            watch.end(process, is_reported=in_use.was_interrupted or not self._may_end)
            finally:
                self._address = None

    def _launch(self, let_go: HeldPort | None) -> Launched:
        name = type(self).__qualname__
        given = self.command()
        if isinstance(given, str) or not given:
            raise ServiceStartError(
                f"{name}.command returned {given!r}, which is not a program and its arguments.",
                self._parties(),
                "Return a list of strings: there is no shell to split a command line.",
            )
        command = [os.fspath(part) for part in given]
        env = {name: value for name, value in {**os.environ, **self.env()}.items() if value is not None}
        if let_go is not None:
            let_go.close()
        try:
            process = Launched(command, env=env, cwd=self.cwd)
        except OSError as error:
            raise ServiceStartError(f"{name} cannot be started: {error}.", self._parties()) from error
        _log.info("%s runs as process %d: %s", name, process.pid, shlex.join(command))
        return process

    async def _start(self, process: Launched) -> None:
        try:
            await process.wait_running()
            if process.problem:
                raise ServiceStartError(
                    f"{type(self).__qualname__} cannot run {process.command[0]!r}: {process.problem}.",
                    self._parties(),
                )
            failure = await _first_of(f"ready of {type(self).__qualname__}", self._until_ready(), process.wait_exited())
        except asyncio.CancelledError as cancelled:  # most likely by the start timeout, whose error has the notes
            for note in (self._not_yet, _printed(process) if process.output() else ""):
                if note:
                    cancelled.add_note(note)
            raise
        if process.has_exited:
            raise ServiceStartError(*self._ended(process, "before it was ready")) from failure
        if failure is not None:
            failure.add_note(_printed(process))
            raise failure

    async def _until_ready(self) -> None:
        pause = _FIRST_POLL
        self._not_yet = ""
        while True:
            try:
                answer = await awaitable(self.ready(), self, "ready")
            except DeclarationError:
                raise
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._refused(error)  # a client has cancelled only itself
            except Exception as error:  # noqa: BLE001 - each client library has errors of its own
                self._refused(error)
            else:
                if answer or answer is None:
                    return
                self._not_yet = f"Its `ready` returned {answer!r}."
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_POLL)

    def _refused(self, error: BaseException) -> None:
        why = "\n".join((f"Its `ready` raised {summary(error)}", *raised_at(error)[-1:]))
        if why != self._not_yet:
            level = logging.WARNING if isinstance(error, _MISTAKES) else logging.DEBUG
            _log.log(level, "%s is asked again whether it is ready. %s", type(self).__qualname__, why)
        self._not_yet = why

    async def _watch(self, process: Launched, in_use: InUse) -> None:
        await process.wait_exited()
        if not self._may_end:
            in_use.interrupt()

    def _ended(self, process: Launched, when: str) -> tuple[str, Sequence[tuple[str, Location]], str]:
        how = "an unknown status"
        if process.status is not None:
            code = process.status
            how = f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        return f"{type(self).__qualname__} ended with {how} {when}.", self._parties(), _printed(process)

    def _killed_by(self, user: Party | None) -> LooprigError:
        name = type(self).__qualname__
        return LooprigError(
            f"{name} is gone: {user[0] if user else 'a test'} killed it.",
            [(name, location_of(type(self))), *([user] if user else [])],
            f'Give {name} the scope "function", or let a test that kills it start its own: `async with rig({name})`.',
        )

    def _parties(self) -> Sequence[tuple[str, Location]]:
        return ((f"{type(self).__qualname__}.command", location_of(type(self).command)),)

    def _launched(self) -> Launched:
        if self._process is None:
            bound_address(self, None)
            raise AssertionError
        return self._process


async def _first_of(name: str, *ways: Coroutine[Any, Any, None]) -> BaseException | None:
    """Run coroutines in tasks called `name` until one is done. Cancel the others; return the first error, if any."""
    tasks = [asyncio.create_task(way, name=name) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    return next((each for each in ended if each and not isinstance(each, asyncio.CancelledError)), None)


def _printed(process: Launched) -> str:
    lines = process.output().splitlines()
    if not lines:
        return "It printed nothing."
    cut = [f"    ... ({len(lines) - _TAIL} lines before)"] if len(lines) > _TAIL else []
    return "\n".join(["It printed:", *cut, *(f"    {line}" for line in lines[-_TAIL:])])
