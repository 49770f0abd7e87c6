"""A real server in a process of its own: a database, a broker, a worker.

Does not find, install or configure the server; `command` says how to run it. Can be declared everywhere, and runs only
on POSIX.

Invariants:
1. The service is ready when `ready` says so, not when a port is open. An error of `ready` means "not yet".
2. A process that ends during its start or while it is in use is reported at once, with the end of its output.
3. None of its processes outlives the test process, even one killed by SIGKILL (see `looprig.services.launched`).

`start` and `stop` don't make its lifecycle, since `run` wins over them: they are for tests (see `process_life`).
"""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import FLAG, PATH, SECONDS, TEXT, WHOLE, Check
from looprig.exceptions import ServiceStartError
from looprig.location import location_of
from looprig.net.ports import localhost
from looprig.posix import is_posix, posix_missing
from looprig.services.address import Address, bound_address
from looprig.services.process_life import ProcessLife

__all__ = ["ProcessService"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_SIGNALS: Final = tuple(signal.Signals)
_SIGNAL: Final = Check("a signal", lambda value: WHOLE.accepts(value) and value in _SIGNALS)


@dataclass(kw_only=True)
class ProcessService(Configured, ABC):
    """Base class of a service that is a process. Implement `command`, and `ready` to say when it is ready.

        from looprig.net import accepts_connections

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
            before the server starts, as it always is on macOS.

    Raises `ServiceStartError` if the command cannot be run or ends before it is ready, and `LooprigError` if it ends
    while it is in use. Both show the end of its output. Requires POSIX: on Windows, its start is a `ServiceStartError`.
    """

    _disturbing: ClassVar[tuple[str, ...]] = ("kill", "restart", "start", "stop")
    _of_host: ClassVar[tuple[str, ...]] = _disturbing
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
    _life: ProcessLife | None = field(default=None, init=False, repr=False, compare=False)

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
        """The process id, which is also the id of its process group. A restart changes it."""
        return self._lived().pid

    @property
    def output(self) -> str:
        """The output to stdout and stderr so far, also of processes before a restart. After the stop, its last MiB.

        In `ready`, it is the output of the process that is being started, and not of those before it.
        """
        return self._lived().output()

    @property
    def output_of_test(self) -> str:
        """The output since the current test began, its fixtures included. Outside pytest, the same as `output`."""
        return self._lived().output_of_test()

    async def restart(self) -> None:
        """Stop it as its teardown would, then `start` it again."""
        await self._lived().restart()

    async def kill(self) -> None:
        """Kill it and all processes it started, like a crash. This end is expected and does not raise an error.

        Do nothing if it doesn't run. Unless it is started again, later tests that use the same service fail at their
        set-up, with an error that names the test that killed it.
        """
        await self._lived().kill()

    async def stop(self) -> None:
        """Stop it as its teardown would. Like `kill`, except that it has `stop_timeout` seconds to end by itself."""
        await self._lived().stop()

    async def start(self) -> None:
        """Start it again on the same port after `kill` or `stop`, and wait until it is ready. Do nothing if it runs.

        `command` and `env` are called again. If it isn't ready within the service's `start_timeout`, or ends, it stays
        stopped.

        Raises:
            ServiceStartError: the command can't be run, ended before it was ready, or wasn't ready in time.
        """
        await self._lived().start()

    async def run(self) -> AsyncIterator[None]:
        """Run the command until this generator is closed or resumed. It yields once, when `ready` says so."""
        self._check_system()
        life = self._life = ProcessLife(self)
        self._address = life.address
        try:
            try:
                await life.begin()
                with life.in_use:
                    yield
                life.check()
            finally:
                await life.end()
        finally:
            self._address = None

    def _check_system(self) -> None:
        """Raise `ServiceStartError` where processes can't be run. Call it first in a `run` that prepares something."""
        if not is_posix():
            name = type(self).__qualname__
            raise posix_missing(
                f"The process of {name}",
                [(name, location_of(type(self)))],
                "start the server before the tests, and declare a service whose `address` is where it listens. "
                'Or skip the tests that use it, with `pytest.mark.skipif(os.name != "posix", reason="needs POSIX")`.',
                ServiceStartError,
            )

    def _lived(self) -> ProcessLife:
        if self._life is None:
            bound_address(self, None)
            raise AssertionError
        return self._life
