"""The life of one process service: its port, its output, and the processes that run it one after another.

Does not choose the command, or when it is ready; the service does. Does not know pytest: a fixture whose process was
ended on purpose is retired, and revived by the next start.

Invariants:
1. A process is up from the moment that `ready` has said so. Only the end of one that is up, and that nobody asked for,
   is a crash.
2. Starts, stops and kills happen one after another, whoever asks for them. A start that does not succeed, or is
   cancelled, leaves no process.
3. While no process runs, the port is held. With `holds_port=False`, and on systems where a server can't bind a held
   port, it is released just before each start.
"""

import asyncio
import logging
import os
import shlex
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol, final

from looprig.declare.lifecycle import Lifecycle
from looprig.declare.service import START_TIMEOUT, ServiceSpec, spec_of
from looprig.exceptions import DeclarationError, LooprigError, ServiceStartError, summary
from looprig.location import Location, location_of
from looprig.net.ports import hold_port, hold_port_again, servers_can_bind_held
from looprig.runtime.clock import sleep
from looprig.runtime.context import OWNER
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.stacks import raised_at
from looprig.runtime.tasks import party_of
from looprig.scopes import Scope
from looprig.services.address import Address
from looprig.services.hooks import awaitable
from looprig.services.in_use import InUse
from looprig.services.launched import Launched, Launcher
from looprig.services.lifecycle import within_start_timeout
from looprig.services.output import Output
from looprig.services.words import words_of
from looprig.watch.processes import current_watch

__all__ = ["ProcessLife", "Program"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_log: Final = logging.getLogger("looprig.services.process")

_TAIL: Final = 30
"""Number of lines of output that an error shows."""

_MISTAKES: Final = (AttributeError, ImportError, NameError, TypeError)
"""Errors of `ready` that are most likely mistakes in it."""

_FIRST_POLL: Final = 0.005
_LAST_POLL: Final = 0.1
"""Seconds between two calls of `ready`, which double from the first to the last."""

_asking: Final[ContextVar[object]] = ContextVar("looprig.asking")
"""The life whose service is being asked whether it is ready."""


class Program(Protocol):
    """The part of a `ProcessService` that its life uses."""

    host: str
    cwd: str | Path | None
    stop_signal: signal.Signals
    stop_timeout: float
    holds_port: bool

    def command(self) -> Sequence[str | os.PathLike[str]]:
        """Return the program and its arguments."""
        ...

    def env(self) -> Mapping[str, str | None]:
        """Return environment variables, with `None` to remove one."""
        ...

    async def ready(self) -> bool | None:
        """Return whether the process is ready to serve."""


@final
class ProcessLife:
    """The processes of one service, from its start to its stop."""

    def __init__(self, service: Program) -> None:
        self._began_at = 0  # the size of the output when the process was started
        self._is_over = False
        self._is_up = False
        self._is_watched = False
        self._launcher: Launcher | None = None
        self._loop = asyncio.get_running_loop()
        self._name: Final = type(service).__qualname__
        self._not_yet = ""
        self._owner = OWNER.get(None)
        self._process: Launched | None = None
        self._service: Final = service
        self._turn = asyncio.Lock()
        self._was_up = False  # whether it was up at any time
        self._watch = current_watch()
        self._held = hold_port(service.host)
        self._holds_port: Final = service.holds_port and servers_can_bind_held()
        self._output = Output()
        self.address: Final = Address(self._held.host, self._held.port)
        self.in_use: Final = InUse(f"{self._name} has ended")

    @property
    def pid(self) -> int:
        """The process id of the last process, or 0 before the first."""
        return self._process.pid if self._process is not None else 0

    @property
    def command(self) -> Sequence[str]:
        """The command of the last process."""
        return self._process.command if self._process is not None else ()

    @property
    def output_descriptor(self) -> int:
        """The descriptor of the file that the processes print to, open until the end."""
        return self._output.descriptor

    def output(self) -> str:
        """Return what was printed so far. To `ready`, only what the process that is being started has printed."""
        return self._output.since(self._began_at if _asking.get(None) is self else 0)

    def begin_test(self) -> None:
        """Record that a test begins."""
        self._output.begin_test()

    def output_of_test(self) -> str:
        """Return what was printed since the last call of `begin_test`."""
        return self._output.of_test()

    # From the start of the service to its end

    async def begin(self) -> None:
        """Start the service."""
        self._launcher = Launcher(self._output.descriptor)
        await self._bring_up()

    def check(self) -> None:
        """Raise the error of a process that has ended while it was in use."""
        if self.in_use.was_interrupted and self._process is not None:
            raise LooprigError(*self._ended(self._process, "while it was in use")) from None

    async def end(self) -> None:
        """Stop the service."""
        self._is_over = True
        try:
            if self._process is not None:
                await self._process.stop(self._service.stop_signal, self._service.stop_timeout)
        finally:
            try:
                if self._launcher is not None:
                    await self._launcher.close()
            finally:
                self._output.close()
                self._held.close()
                if self._watch is not None and self._is_watched:
                    self._watch.end(self, is_reported=self.in_use.was_interrupted or not self._was_up)

    # What a test asks for

    async def start(self) -> None:
        """Start a process if none runs."""
        async with self._my_turn():
            self._check_usable()
            if not self._is_up:
                await self._bring_up_again()

    async def restart(self) -> None:
        """Stop the process if one runs, and start another."""
        async with self._my_turn():
            self._check_usable()
            await self._bring_down("", self._stop)
            await self._bring_up_again()

    async def stop(self) -> None:
        """Stop the process if one runs."""
        async with self._my_turn():
            await self._bring_down("stopped it", self._stop)

    async def kill(self) -> None:
        """Kill the process if one runs."""
        async with self._my_turn():
            await self._bring_down("killed it", self._kill)

    def _my_turn(self) -> asyncio.Lock:
        """Return the lock under which the process may be changed."""
        if asyncio.get_running_loop() is not self._loop:
            raise LooprigError(
                f"{self._name} runs on another loop, from which it has to be started and stopped.",
                [(self._name, location_of(type(self._service)))],
                "Call it in a test or fixture that runs on the loop of the service.",
            )
        return self._turn

    def _check_usable(self) -> None:
        self.check()
        if self._is_over:
            raise LooprigError(
                f"{self._name} cannot be started again: it has been stopped for good.",
                [(self._name, location_of(type(self._service)))],
                "Start it again only while its fixture or its `rig` is in use.",
            )

    async def _stop(self, process: Launched) -> None:
        await process.stop(self._service.stop_signal, self._service.stop_timeout)

    async def _kill(self, process: Launched) -> None:
        await process.kill()

    # Down and up

    async def _bring_down(self, done: str, end: Callable[[Launched], Awaitable[None]]) -> None:
        """End the process. `done` says what for, unless it is started again at once."""
        process = self._process
        if process is None or not self._is_up or self._is_over:
            return
        self._is_up = False
        if done:
            self._retire(done)
        try:
            await end(process)
        except BaseException:
            self._retire(done or "stopped it")
            raise
        finally:
            self._rest()

    def _rest(self) -> None:
        """Hold the port until the next start."""
        if self._is_over:
            return
        if self._watch is not None and self._is_watched:
            self._watch.pause(self)
        if not self._holds_port:
            with suppress(OSError):  # somebody else has it; the next process will say so
                self._held = hold_port_again(self._held)

    async def _bring_up_again(self) -> None:
        spec = spec_of(type(self._service)) or _undeclared(type(self._service))
        before = self._process
        try:
            await within_start_timeout(self._bring_up, spec)
        except BaseException:
            self._retire("could not start it again")
            try:
                if self._process is not None and self._process is not before:
                    await self._process.kill()
            finally:
                self._rest()
            raise
        if isinstance(self._owner, LiveFixture):
            self._owner.revive()

    async def _bring_up(self) -> None:
        self._check_usable()
        process = self._process = self._launch()
        await process.wait_running()
        if isinstance(process.problem, OSError):
            error = process.problem
            raise ServiceStartError(f"{self._name} cannot be started: {error}.", self._parties()) from error
        if process.problem is not None:
            what = f"{self._name} cannot run {process.command[0]!r}: {process.problem}."
            raise ServiceStartError(what, self._parties())
        _log.info("%s runs as process %d: %s", self._name, process.pid, shlex.join(process.command))
        if self._watch is not None:
            if self._is_watched:
                self._watch.resume(self)
            else:
                self._watch.begin(self, (self._name, location_of(type(self._service))))
                self._is_watched = True
        await self._until_up(process)
        self._was_up = True
        self._is_up = not self._is_over

    def _launch(self) -> Launched:
        command = words_of(self._service.command(), self._name, self._parties())
        changed = {**os.environ, **self._service.env()}
        env = {name: value for name, value in changed.items() if value is not None}
        if not self._holds_port:
            self._held.close()
        assert self._launcher is not None
        self._began_at = self._output.size
        return self._launcher.launch(command, env=env, cwd=self._service.cwd, on_exit=self._note_exit)

    def _note_exit(self) -> None:
        if self._is_up and not self._is_over:
            self.in_use.interrupt()

    async def _until_up(self, process: Launched) -> None:
        try:
            failure = await _first_of(f"ready of {self._name}", self._until_ready(), process.wait_exited())
        except asyncio.CancelledError as cancelled:  # most likely by the start timeout, whose error has the notes
            for note in (self._not_yet, self._printed() if self._output.since(self._began_at) else ""):
                if note:
                    cancelled.add_note(note)
            raise
        if process.has_exited:
            raise ServiceStartError(*self._ended(process, "before it was ready")) from failure
        if failure is not None:
            failure.add_note(self._printed())
            raise failure

    async def _until_ready(self) -> None:
        _asking.set(self)
        pause = _FIRST_POLL
        self._not_yet = ""
        while True:
            try:
                answer = await awaitable(self._service.ready(), self._service, "ready")
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
            await sleep(pause)
            pause = min(pause * 2, _LAST_POLL)

    def _refused(self, error: BaseException) -> None:
        why = "\n".join((f"Its `ready` raised {summary(error)}", *raised_at(error)[-1:]))
        if why != self._not_yet:
            level = logging.WARNING if isinstance(error, _MISTAKES) else logging.DEBUG
            _log.log(level, "%s is asked again whether it is ready. %s", self._name, why)
        self._not_yet = why

    # What is reported

    def _ended(self, process: Launched, when: str) -> tuple[str, Sequence[tuple[str, Location]], str]:
        how = "an unknown status"
        if process.status is not None:
            code = process.status
            how = f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        return f"{self._name} ended with {how} {when}.", self._parties(), self._printed()

    def _retire(self, done: str) -> None:
        """Make later tests fail at their set-up until the next start, since this one has ended the process."""
        owner = OWNER.get(None)
        if not isinstance(self._owner, LiveFixture) or owner is self._owner:
            return
        user, name = party_of(owner), self._name
        reason = LooprigError(
            f"{name} is gone: {user[0] if user else 'a test'} {done}.",
            [(name, location_of(type(self._service))), *([user] if user else [])],
            f'Start it again in that test with `start()`, give {name} the scope "function", or let the test use its '
            f"own: `async with rig({name})`.",
        )
        self._owner.retire(reason)

    def _parties(self) -> Sequence[tuple[str, Location]]:
        return ((f"{self._name}.command", location_of(type(self._service).command)),)

    def _printed(self) -> str:
        lines = self._output.since(self._began_at).splitlines()
        if not lines:
            return "It printed nothing."
        cut = [f"    ... ({len(lines) - _TAIL} lines before)"] if len(lines) > _TAIL else []
        return "\n".join(["It printed:", *cut, *(f"    {line}" for line in lines[-_TAIL:])])


def _undeclared(cls: type) -> ServiceSpec:
    """Return the declaration of a class that runs without one, for example in a user's own context manager."""
    return ServiceSpec(cls, cls.__name__, Scope.FUNCTION, (), False, START_TIMEOUT, Lifecycle.RUNS, location_of(cls))


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
