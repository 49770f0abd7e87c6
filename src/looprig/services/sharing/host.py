"""The host of a run: a process that runs the services of scope "run" for all processes of the run.

Started by `launch`, for the folder and the listening socket that it is given. It ends as soon as the last user has
left or died, and at once if the process that controls the run dies.

Invariants:
1. A service is started once, whatever becomes of it. Everyone who asks for one that failed gets the same error.
2. Services are stopped in the reverse order of their starts.
3. From the moment when it begins to end until it has ended, it holds the folder's lock. So whoever connects is served,
   and whoever comes later waits, and then starts another host.
"""

import asyncio
import atexit
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, final

from looprig.declare.service import ServiceKey, ServiceSpec
from looprig.exceptions import LooprigError, ServiceStartError, summary
from looprig.services.owner import Owner
from looprig.services.sharing.channel import Channel
from looprig.services.sharing.classes import Classes
from looprig.services.sharing.failures import failure_of
from looprig.services.sharing.folder import RunFolder
from looprig.services.sharing.messages import Failed, Lease, Leave, Left, Started, Use
from looprig.services.sharing.state import copied, unpickled
from looprig.services.sharing.watched import watch_process

__all__ = ["main"]

_log: Final = logging.getLogger("looprig")

_STOPS_WITHIN: Final = 60.0
"""Seconds until services that don't stop are given up."""

_HURRY: Final = 0.7
"""The same, if the process that controls the run has died. Its workers are given this time too."""

_HURRIED_END: Final = 1.5
"""Seconds from the death of that process until this one ends, whatever its loop does."""

_EXITS_WITHIN: Final = 10.0
"""Seconds that functions have that run at the exit of the interpreter."""

_POLL: Final = 0.01
"""Seconds between two attempts to take a lock that another process holds only for a moment."""


@dataclass(slots=True)
class _Shared:
    """A service of this host. `state` is done once it has started, and `crash` if it ends while it is in use."""

    fields: dict[str, bytes]
    crash: "asyncio.Future[Failed]"
    state: "asyncio.Task[tuple[Started, list[int]]] | None" = None
    service: Any = None
    owner: Owner | None = None


@dataclass(slots=True, eq=False)
class _User:
    """A process that has a lease."""

    pid: int
    channel: Channel
    gone: "asyncio.Event" = field(default_factory=asyncio.Event)


@final
class _Host:
    def __init__(self, folder: RunFolder, listener: socket.socket, controller: int) -> None:
        self._classes = Classes()
        self._controller = controller
        self._folder = folder
        self._is_hurried = False
        self._leavers: list[Channel] = []
        self._listener = listener
        self._lock: int | None = None
        self._names: dict[int, ServiceKey] = {}
        self._over = asyncio.Event()
        self._services: dict[ServiceKey, _Shared] = {}
        self._started: list[_Shared] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._users: set[_User] = set()

    async def serve(self) -> None:
        """Serve until nobody needs the services any more, and stop them."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._over.set)
        self._classes.install()
        if self._controller:
            watch_process(self._controller, self._controller_died)
        accepting = self._spawn(self._accept())
        await self._over.wait()
        accepting.cancel()
        self._listener.close()
        failures = await self._stop()
        self._folder.remove()
        for channel in self._leavers:
            with suppress(OSError):
                await channel.send(Left(failures))
        if self._is_hurried:  # users that are still there get SIGKILL soon
            await asyncio.gather(*(user.gone.wait() for user in self._users))
        for failure in failures:
            _log.error("%s\n%s", failure.what, failure.traceback)

    def _spawn(self, coroutine: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Users

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            self._spawn(self._answer(Channel(connection)))

    async def _answer(self, channel: Channel) -> None:
        message: Any = None
        try:
            message, _ = await channel.receive()
            if isinstance(message, Lease):
                await self._hold(channel, message)
            else:
                await self._give(channel, message)
        except (EOFError, OSError):  # the user is gone
            if message is None:
                await self._end_if_unused()
        finally:
            if channel not in self._leavers:
                channel.close()

    async def _hold(self, channel: Channel, lease: Lease) -> None:
        """Keep a user until it leaves, closes its connection, or dies. A child that it forked may keep the latter."""
        user = _User(lease.pid, channel)
        self._users.add(user)
        unwatch = watch_process(lease.pid, user.gone.set)
        parting = asyncio.ensure_future(channel.receive())
        gone = asyncio.ensure_future(user.gone.wait())
        try:
            await asyncio.wait([parting, gone], return_when=asyncio.FIRST_COMPLETED)
            if parting.done() and parting.exception() is None and isinstance(parting.result()[0], Leave):
                await self._part(user)
        finally:
            user.gone.set()
            unwatch()
            parting.cancel()
            gone.cancel()
            self._users.discard(user)
        await self._end_if_unused()

    async def _part(self, user: _User) -> None:
        if self._users == {user}:
            self._leavers.append(user.channel)
        else:
            await user.channel.send(Left(()))

    async def _end_if_unused(self) -> None:
        """End, unless there is a user, or one that has just connected. Connecting takes the lock too."""
        while not self._users and not self._over.is_set():
            lock = None if self._is_asked() else self._folder.try_lock()
            if lock is None and self._folder.lock.exists():
                await asyncio.sleep(_POLL)
            elif lock is not None and (self._is_asked() or self._users):
                os.close(lock)
            else:  # with the lock, or without the folder, which somebody has removed
                self._lock = lock  # until this process ends
                self._over.set()
        if self._users and self._leavers:
            for channel in self._leavers:
                with suppress(OSError):
                    await channel.send(Left(()))
                channel.close()
            self._leavers.clear()

    def _is_asked(self) -> bool:
        return bool(select.select([self._listener], [], [], 0)[0])

    def _controller_died(self) -> None:
        """End at once. The workers, which would go on for seconds, get a signal, since nobody reads their reports."""
        _log.warning("process %d, which controls the run, has died", self._controller)
        self._is_hurried = True
        signal.setitimer(signal.ITIMER_REAL, _HURRIED_END)  # its signal kills this process
        self._signal_users(signal.SIGTERM)
        asyncio.get_running_loop().call_later(_HURRY, self._signal_users, signal.SIGKILL)
        self._over.set()

    def _signal_users(self, number: int) -> None:
        for user in [*self._users]:
            with suppress(ProcessLookupError):
                os.kill(user.pid, number)

    # Services

    async def _give(self, channel: Channel, use: Use) -> None:
        """Start a service if necessary, send its state, and stay connected to say if it crashes."""
        shared = self._services.get(use.reference.key)
        if shared is None:
            crash = asyncio.get_running_loop().create_future()
            shared = self._services[use.reference.key] = _Shared(dict(use.fields), crash)
            shared.state = asyncio.create_task(self._start(shared, use))
        try:
            assert shared.state is not None
            state, descriptors = await asyncio.shield(shared.state)
            self._check_fields(use, shared)
        except BaseException as error:  # noqa: BLE001 - the user raises it
            await channel.send(failure_of(error))
            return
        if shared.crash.done():
            await channel.send(shared.crash.result())
            return
        await channel.send(state, descriptors)
        parting = asyncio.ensure_future(channel.receive())
        try:
            waited: set[asyncio.Future[Any]] = {parting, shared.crash}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if shared.crash.done():
                await channel.send(shared.crash.result())
        finally:
            parting.cancel()

    async def _start(self, shared: _Shared, use: Use) -> tuple[Started, list[int]]:
        key = use.reference.key
        try:
            spec = self._classes.find(use.reference)
        except BaseException as error:
            what = f"The module of {key[1]} can't be imported in the process that all workers share: {summary(error)}."
            raise ServiceStartError(what, [], "") from error
        fields = {name: unpickled(data, self._dereference) for name, data in use.fields.items()}
        shared.owner = Owner(spec, fields, self._crashed(shared, key[1]))
        shared.owner.on_cancelled(lambda: self._crashed(shared, key[1])(_cancelled(spec)))
        self._started.append(shared)
        _log.info("%s starts", key[1])
        shared.service = await shared.owner.started()
        self._names[id(shared.service)] = key
        return copied(shared.service, self._names)

    def _crashed(self, shared: _Shared, name: str) -> Callable[[BaseException], None]:
        def crashed(error: BaseException) -> None:
            # The users raise it, with its traceback and the output of a process.
            _log.error("%s crashed: %s", name, summary(error))
            shared.crash.set_result(failure_of(error))

        return crashed

    def _dereference(self, reference: Any) -> object:
        return self._services[reference[1]].service

    def _check_fields(self, use: Use, shared: _Shared) -> None:
        """Refuse a user whose values differ from those that the service was started with."""
        for name in sorted({*use.fields, *shared.fields}):
            given, first = use.fields.get(name), shared.fields.get(name)
            if given == first or (given is not None and first is not None and self._are_equal(given, first)):
                continue
            raise LooprigError(
                f"{use.reference.key[1]}.{name} has another value than in the worker that started it. A service of "
                'scope "run" has one value for all workers and tests.',
                [],
                'Let its fixture return the same in each worker, or give the service scope="session".',
            )

    def _are_equal(self, one: bytes, other: bytes) -> bool:
        with suppress(Exception):
            return bool(unpickled(one, self._dereference) == unpickled(other, self._dereference))
        return False

    async def _stop(self) -> tuple[Failed, ...]:
        failures: list[Failed] = []

        async def stop() -> None:
            for shared in reversed(self._started):
                assert shared.owner is not None
                try:
                    await shared.owner.stop()
                except Exception as error:  # noqa: BLE001 - every service is stopped
                    failures.append(failure_of(error))

        try:
            async with asyncio.timeout(_HURRY if self._is_hurried else _STOPS_WITHIN):
                await stop()
        except TimeoutError:
            failures.append(failure_of(LooprigError(f"Services of the run did not stop within {_STOPS_WITHIN:g} s.")))
        return tuple(failures)


def _cancelled(spec: ServiceSpec) -> LooprigError:
    name = spec.cls.__qualname__
    return LooprigError(
        f"{name} ended while it was in use: its task was cancelled.",
        [spec.party],
        "If its `run` iterates over an inherited one, an exception at its own `yield` doesn't reach that.",
    )


def main() -> NoReturn:
    """Run the host. Its arguments are the folder, the descriptor of the socket, and the pid of the controller, or 0."""
    folder = RunFolder(Path(sys.argv[1]))
    listener = socket.socket(fileno=int(sys.argv[2]))
    listener.setblocking(False)
    os.set_inheritable(listener.fileno(), False)
    folder.marker.write_text(f"{os.getpid()}\n", "utf-8")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(_Host(folder, listener, int(sys.argv[3])).serve())
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, _EXITS_WITHIN)
    run_exit_functions: Callable[[], None] = vars(atexit)["_run_exitfuncs"]  # `sys.exit` would also wait for threads
    run_exit_functions()
    os._exit(0)
