"""The search for what a test or fixture has left: on its loop, and in the process.

Loaded when numbers show that something may have been left. Does not describe it (`leak_reports` does).

Invariants:
1. An object isn't a leak while its owner is alive. The owner is the wider fixture that holds it or, if there is none,
   the fixture or test in whose context it was started. If a module holds it and later tests can use it, it isn't a leak
   either.
2. A connection that a server accepted belongs to the server, and so do the tasks that handle it.
3. What is already being closed or cancelled is no leak.
"""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from selectors import BaseSelector
from typing import Any, Final, cast, final
from weakref import WeakSet

from looprig.declare.watchdogs import LEAKS
from looprig.runtime.clock import now
from looprig.runtime.context import OWNER
from looprig.runtime.ending import is_closing
from looprig.runtime.host import Host
from looprig.runtime.own_descriptors import OWN_DESCRIPTORS
from looprig.runtime.tasks import Party, is_of_connection, is_started_in, owner_of, party_of
from looprig.watch.holders import held, of_modules
from looprig.watch.leak_reports import Left, finding_of
from looprig.watch.leaks import LeakNotebook, Running

__all__ = ["LeakSearch"]

SETTLE: Final = 0.1
"""Seconds that threads and processes get to end, and files to be closed, since that may be on its way."""
_OF_LIBRARIES: Final = (
    "waitpid-",
    "asyncio-waitpid-",
    "looprig",
    "QueueFeederThread",
    "QueueManagerThread",
    "ExecutorManagerThread",
)
"""Names of threads that belong to a child process or to a library, which ends them."""


@final
class _Unknown:
    """The owner of an object that doesn't say whose it is: the test that ends, unless something wider holds it."""

    is_over: Final = True


_UNKNOWN: Final = _Unknown()


@final
class LeakSearch:
    """The search, and what it has found so far."""

    def __init__(self, notebook: LeakNotebook, hosts: Iterable[Host]) -> None:
        self._notebook = notebook
        self._hosts = hosts
        self._noted: WeakSet[Any] = WeakSet()
        self._held: WeakSet[Any] = WeakSet()
        self._noted_files: set[str | None] = set()
        # The threads, processes and files that wider fixtures have started.
        self._assigned: dict[object, Party] = {}

    def _note(self, left: list[Left], ended: Party | None) -> None:
        for kind in LEAKS:
            if of_kind := [each for each in left if each.kind == kind]:
                self._notebook.note(finding_of(kind, of_kind, ended))

    # On a loop

    def look_at_tasks(self, host: Host, tasks: "list[asyncio.Task[Any]]", owner: object, *, is_last: bool) -> None:
        """Note the tasks that an owner left. Those that a wider fixture holds belong to that from now on."""
        left = [
            task
            for task in tasks
            if not (is_closing(task) or is_of_connection(task) or task.cancelling() or task in self._noted)
        ]
        if not is_last:
            left = self._bequeath(host, left, owner)
        if left and self._notebook.wants("tasks"):
            kept = set[int]() if is_last else held(of_modules(), left)
            lost = [Left("tasks", task, owner_of(task)) for task in left if id(task) not in kept]
            self._note(lost, party_of(owner))
        self._noted.update(left)

    def _bequeath(self, host: Host, tasks: "list[asyncio.Task[Any]]", owner: object) -> "list[asyncio.Task[Any]]":
        """Pass tasks on to the wider fixtures that hold them, and return the others.

        What the test's own code has started stays the test's.
        """
        own = [task for task in tasks if is_started_in(task, owner)]
        tasks = [task for task in tasks if task not in own]
        for wide in self._notebook.wide():
            kept = held(wide.held, tasks)
            for task in tasks:
                if id(task) in kept and wide.owner is not None:
                    host.bequeath(task, wide.owner)
            tasks = [task for task in tasks if id(task) not in kept]
        return [*own, *tasks]

    def look_at(self, host: Host, owner: object, *, is_last: bool = False) -> None:
        """Note what is open on a loop and whose owner has ended. If the loop is closed next, all owners have."""

        def is_ending(other: object) -> bool:
            return is_last or (other is owner and owner is not None) or getattr(other, "is_over", False)

        things = [*_connections(host), *_generators(host)]
        left = {
            each.thing: each
            for each in things
            if is_ending(each.owner)
            and each.thing not in self._noted
            and (each.thing not in self._held or (is_last and owner is not None))
        }
        unwanted = [thing for thing, each in left.items() if not self._notebook.wants(each.kind)]
        for thing in unwanted:
            del left[thing]
        if left and not is_last:
            holders = [each.thing for each in things if not is_ending(each.owner) and each.owner is not None]
            kept = self._held_by_others([*left], holders, [host])
            self._held.update(thing for thing in left if id(thing) in kept)
            left = {thing: each for thing, each in left.items() if id(thing) not in kept}
        self._noted.update((*left, *unwanted))
        self._noted_files.update(_target(number) for thing in left for number in _descriptors_of_open(thing))
        self._note([*left.values()], party_of(owner))

    def _held_by_others(self, things: list[Any], holders: list[object], hosts: Iterable[Host]) -> set[int]:
        """Return the ids of those that a wider fixture holds, something that runs on these loops, or a module."""
        for host in hosts:
            holders += asyncio.all_tasks(host.loop)
            holders.append(getattr(host.loop, "_default_executor", None))
        for wide in self._notebook.wide():
            holders += wide.held  # the last ones are looked at first
        kept = held(holders, things)
        left = [thing for thing in things if id(thing) not in kept]
        return kept | held(of_modules(), left) if left else kept

    def forget_holders(self) -> None:
        """Look for holders again: a wider fixture has ended."""
        self._held.clear()

    # In the process

    def assign(self, new: Running, fixture: Party) -> None:
        """Remember that a wider fixture has started these, except those of fixtures that it has requested."""
        self._assigned = dict.fromkeys(_each(new), fixture) | self._assigned

    def look_at_running(self, new: Running, owner: object) -> None:
        """Note the threads, processes and files that a test has left."""
        left = [each for each in self._still(_each(new)) if self._notebook.wants(each.kind)]
        hosts = [host for host in self._hosts if not host.loop.is_closed()]
        handles = {each.thing: _handles(each) for each in left}
        kept = self._held_by_others([handle for found in handles.values() for handle in found], [], hosts)
        left = [each for each in left if not any(id(handle) in kept for handle in handles[each.thing])]
        self._note(left, party_of(owner))

    def end_fixture(self, fixture: Party) -> None:
        """Note what a wider fixture has started and left."""
        own = [thing for thing, by in self._assigned.items() if by == fixture]
        for thing in own:
            del self._assigned[thing]
        self._note([each for each in self._still(own) if self._notebook.wants(each.kind)], fixture)

    def _still(self, things: Iterable[object]) -> list[Left]:
        """Return those that are still running or open, after they had a moment to end."""
        found: list[Left] = []
        deadline = now() + SETTLE
        of_loops = set[str]().union(*map(_descriptors_of, self._hosts))
        for thing in things:
            match thing:
                case threading.Thread():
                    if not (_is_of_library(thing) or any(thing in _pool_of(host) for host in self._hosts)):
                        thing.join(max(0.0, deadline - now()))
                        if thing.is_alive():
                            found.append(Left("threads", thing))
                case str():
                    if _lasts(partial(_is_child, thing), deadline):
                        found.append(Left("subprocesses", thing))
                case (str() as number, str() as target):
                    is_known = target in self._noted_files or number in of_loops or _is_of_nobody(target)
                    # Another thread may import a module, or read a source file to measure coverage.
                    if not is_known and _lasts(partial(_is_open, number, target), deadline):
                        found.append(Left("descriptors", thing))
                case _:
                    pass
        return found


def _lasts(is_there: Callable[[], bool], deadline: float) -> bool:
    """Return whether something is still there at the deadline. Checks at least once."""
    while is_there():
        if now() >= deadline:
            return True
        time.sleep(SETTLE / 20)
    return False


def _each(running: Running) -> list[object]:
    return [each for kind in running for each in kind]


# Loops


def _connections(host: Host) -> Iterable[Left]:
    """Yield the servers and connections of a loop, and the descriptors that it watches for the suite."""
    selector = getattr(host.loop, "_selector", None)
    keys: Mapping[Any, Any] | None = selector.get_map() if isinstance(selector, BaseSelector) else None
    watched: set[object] = set()
    for key in [*(keys or {}).values()]:
        handle: Any = next((handle for handle in key.data or () if handle is not None), None)
        if handle is None or handle.cancelled():
            continue
        callback, owner = handle._callback, handle._context.get(OWNER)  # noqa: SLF001 - asyncio's, without public names
        receiver = getattr(callback, "__self__", None)
        if getattr(callback, "__name__", "") == "_accept_connection":
            yield Left("listeners", handle._args[3] or handle._args[1], owner)  # noqa: SLF001 - the server, or its socket
        elif isinstance(receiver, asyncio.BaseTransport):
            watched.add(receiver)
            if _is_left_open(receiver):
                yield Left("transports", receiver, owner)
        elif receiver is not host.loop and not type(receiver).__module__.startswith("asyncio."):
            yield Left("transports", handle, owner)
    # Those whose peer has closed its side, or whose reading is paused.
    for transport in [*getattr(host.loop, "_transports", {}).values()]:
        if transport not in watched and _is_left_open(transport):
            yield Left("transports", transport, _UNKNOWN)


def _is_left_open(transport: Any) -> bool:
    """Return whether a transport is neither being closed, nor belongs to a server or process."""
    protocol = transport.get_protocol()
    over_tls = getattr(protocol, "_app_transport", None)
    return not (
        transport.is_closing()
        or getattr(transport, "_server", None) is not None
        or type(protocol).__module__ == "asyncio.base_subprocess"
        or (over_tls is not None and over_tls.is_closing())
    )


def _generators(host: Host) -> Iterable[Left]:
    """Yield the async generators of a loop that are suspended at a `yield`. They don't say whose they are."""
    for each in [*getattr(host.loop, "_asyncgens", ())]:
        if each.ag_frame is not None and not each.ag_running:
            yield Left("generators", each, _UNKNOWN)


# The process


def _is_of_library(thread: threading.Thread) -> bool:
    kind = type(thread)
    return (
        kind.__name__ == "_DummyThread"  # one that Python did not start
        or kind.__module__.startswith("anyio.")  # which stops idle ones when the task ends that started them
        or thread.name.startswith(_OF_LIBRARIES)
    )


def _pool_of(host: Host) -> Collection[threading.Thread]:
    """Return the threads of a loop's default executor, which live until the loop is closed."""
    executor: Any = getattr(host.loop, "_default_executor", None)
    executor = getattr(executor, "_made", executor)  # of one that is made late
    return () if host.loop.is_closed() else getattr(executor, "_threads", ())


def _is_child(pid: str) -> bool:
    """Return whether a process is a running child of this one."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return False
    return parent == str(os.getpid()) and state != "Z" and int(pid) not in _pids_of_multiprocessing()


def _pids_of_multiprocessing() -> set[Any]:
    """Return the processes that Python starts once and keeps."""
    tracker: Any = sys.modules.get("multiprocessing.resource_tracker")
    server: Any = sys.modules.get("multiprocessing.forkserver")
    return {
        getattr(getattr(tracker, "_resource_tracker", None), "_pid", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None),
    }


def _handles(left: Left) -> list[object]:
    """Return the objects that stand for a thread or process."""
    if left.kind != "subprocesses":
        return [left.thing]
    pid = int(str(left.thing))
    return [each for each in gc.get_objects() if _pid_of(each) == pid]


def _pid_of(thing: Any) -> int | None:
    kind = cast("Any", type(thing))
    if issubclass(kind, asyncio.SubprocessTransport):
        found: int | None = thing.get_pid()
        return found
    module = str(kind.__module__)  # in Cython's own classes, it is not a string
    is_process = module.startswith(("subprocess", "multiprocessing.p")) or issubclass(kind, subprocess.Popen)
    values: dict[str, Any] = getattr(thing, "__dict__", {}) if is_process else {}
    return values.get("pid")


def _descriptors_of_open(thing: Any) -> Iterable[str]:
    """Yield the descriptors of a server or connection."""
    if isinstance(thing, asyncio.BaseTransport):
        extra = (thing.get_extra_info("socket"), thing.get_extra_info("pipe"))
        yield from (str(each.fileno()) for each in extra if each is not None)
    yield from (str(each.fileno()) for each in getattr(thing, "sockets", ()))


def _descriptors_of(host: Host) -> Iterable[str]:
    """Yield the descriptors of a loop and of what is open on it, which is noted as that."""
    selector = getattr(host.loop, "_selector", None)
    opened: list[Any] = [selector, getattr(host.loop, "_ssock", None), getattr(host.loop, "_csock", None)]
    for each in opened:
        if hasattr(each, "fileno"):
            yield str(each.fileno())
    for number in (selector.get_map() if isinstance(selector, BaseSelector) else None) or ():
        yield str(number)
    for number in [*getattr(host.loop, "_transports", ())]:  # also those whose peer has closed its side
        yield str(number)


def _is_of_nobody(target: str) -> bool:
    return target.startswith(("/dev/", f"/proc/{os.getpid()}/"))  # the patrol reads in the latter at any time


def _is_open(number: str, target: str) -> bool:
    """Return whether a descriptor that the suite may have opened still refers to `target`."""
    return int(number) not in OWN_DESCRIPTORS and _target(number) == target


def _target(number: str) -> str | None:
    """Return what an open descriptor refers to."""
    try:
        return str(Path(f"/proc/self/fd/{number}").readlink())
    except OSError:
        return None
