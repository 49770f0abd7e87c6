"""Leaks: the tasks, servers, connections, processes, threads and async generators that tests and fixtures leave.

Compares numbers at the end of each test, and looks closer only if one of them has changed. Does not recognize a leak
(`leak_search` does), and does not end anything: the host ends tasks.

Invariants:
1. A leak is found when its owner ends: a test with its own fixtures, or a fixture that lives longer.
2. What a wider fixture started or holds is that fixture's, even if it was started while a test ran.
3. Each leak is noted once.
"""

from __future__ import annotations

import asyncio
import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from looprig.declare.watchdogs import Leak
    from looprig.runtime.host import Host
    from looprig.runtime.tasks import Party
    from looprig.watch.descriptions import Finding
    from looprig.watch.leak_search import LeakSearch

__all__ = ["LeakNotebook", "Leaks", "Running", "Wide"]


class Wide(NamedTuple):
    """A fixture that lives longer than a test.

    Attributes:
        owner: the fixture as the owner of tasks, or `None` for a sync fixture.
        held: the objects through which it holds what belongs to it.
    """

    owner: object
    held: tuple[object, ...]


class LeakNotebook(Protocol):
    """The object in which the watchdog notes leaks."""

    def wants(self, kind: Leak, /) -> bool:
        """Return whether findings of this kind matter in the current test."""
        ...

    def wide(self) -> Iterable[Wide]:
        """Return the live fixtures that outlive the current test."""
        ...

    def note(self, finding: Finding, /) -> None:
        """Note a finding about the test that is being watched."""


class Running(NamedTuple):
    """Threads, processes and open files, by their numbers."""

    threads: frozenset[threading.Thread] = frozenset()
    processes: frozenset[str] = frozenset()
    files: frozenset[tuple[str, str]] = frozenset()

    def since(self, before: Running) -> Running:
        """Return what was not there before."""
        return Running(self.threads - before.threads, self.processes - before.processes, self.files - before.files)

    def together(self, more: Running) -> Running:
        """Return all that is in this or in `more`."""
        return Running(self.threads | more.threads, self.processes | more.processes, self.files | more.files)

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return any(map(len, self))


# The public function takes a lock.
_threads: Final[dict[int, threading.Thread]] = getattr(threading, "_active", {})


@final
class Leaks:
    """The watchdog for leaks."""

    def __init__(self, notebook: LeakNotebook) -> None:
        self._notebook = notebook
        self.is_listing: bool = False
        """Whether it lists open files, which takes longer than all the rest."""
        # The containers of each loop's descriptors, transports and async generators, and lengths at the last look.
        self._loops: dict[Host, tuple[Any, Any, Any, tuple[int, int, int]]] = {}
        self._pinned: tuple[object, ...] = ()
        self._known = Running()
        self._alive: list[threading.Thread] = []  # the threads in `_known`, if it is as old as the test
        self._is_following = False
        self._is_unsure = True

    @cached_property
    def _search(self) -> LeakSearch:
        from looprig.watch.leak_search import LeakSearch  # noqa: PLC0415 - few tests leak anything

        return LeakSearch(self._notebook, self._loops)

    # What it follows

    def follow(self, host: Host) -> None:
        """Remember what is open on a loop that outlives the test. From now on, only a change is looked at."""
        for other in [other for other in self._loops if other.loop.is_closed()]:
            del self._loops[other]
        loop: Any = host.loop
        descriptors = _container(getattr(loop, "_selector", None), "_fd_to_key")
        transports = _container(getattr(loop, "_transports", None), "data")
        generators = _container(getattr(loop, "_asyncgens", None), "data")
        sizes = len(descriptors), len(transports), len(generators)
        self._loops[host] = descriptors, transports, generators, sizes

    def begin_test(self) -> None:
        """Begin a test. What runs now is not its own."""
        self._is_following = True
        if self._is_unsure or self.is_listing:
            self._alive = [*_threads.values()]
            self._known = self.running()
            self._is_unsure = False
        elif self._alive != [*_threads.values()]:  # plugins may start a thread for each test
            self._alive = [*_threads.values()]
            self._known = Running(frozenset(self._alive), self._known.processes)

    def leave(self) -> None:
        """Stop following: the next test isn't watched."""
        self._is_following, self._is_unsure = False, True

    # What it finds

    def pin(self, host: Host) -> None:
        """Keep what is open on a loop until the test ends, although the garbage collector runs before that."""
        loop: Any = host.loop
        transports, generators = getattr(loop, "_transports", None), getattr(loop, "_asyncgens", None)
        if _container(transports, "data") or _container(generators, "data"):
            self._pinned = (*getattr(loop, "_transports", {}).values(), *getattr(loop, "_asyncgens", ()))

    def see_tasks(self, host: Host, tasks: list[asyncio.Task[Any]], owner: object, *, is_last: bool) -> None:
        """Note the tasks that a test or fixture left, except those that a wider fixture holds."""
        if tasks:
            self._search.look_at_tasks(host, tasks, owner, is_last=is_last)

    def see_end(self, host: Host, owner: object) -> None:
        """Note what is open on a loop that is about to be closed."""
        if isinstance(host.loop, asyncio.BaseEventLoop):  # uvloop doesn't list what is open
            self._search.look_at(host, owner, is_last=True)

    def end_test(self, host: Host | None, owner: object) -> None:
        """Note what a test and its own fixtures have left. Their tasks have ended, and a loop of its own is closed."""
        if not self._is_following:
            return
        if host is not None and (host not in self._loops or self._has_changed(host)):
            self._look_at(host, owner)
        self._pinned = ()
        if len(_threads) != len(self._known.threads) or self.is_listing or _has_children():
            before, self._known = self._known, self.running()
            self._alive = []
            if new := self._known.since(before):
                self._search.look_at_running(new, owner)

    def _has_changed(self, host: Host) -> bool:
        descriptors, transports, generators, sizes = self._loops[host]
        return (len(descriptors), len(transports), len(generators)) != sizes

    def _look_at(self, host: Host, owner: object) -> None:
        if not host.loop.is_closed():
            self._search.look_at(host, owner)
            self.follow(host)

    # Fixtures that outlive a test

    def running(self) -> Running:
        """Return what runs now."""
        return Running(
            frozenset(_threads.values()),
            frozenset(_numbers("/proc")) if _has_children() else frozenset(),
            frozenset(_files()) if self.is_listing else frozenset(),
        )

    def assign(self, before: Running, fixture: Party, host: Host | None) -> None:
        """End the set-up of a wider fixture, on `host` if it is async. What was started since `before` is its own."""
        if host is not None:
            self.follow(host)
        if new := self.running().since(before):
            self._search.assign(new, fixture)
            self._known = self._known.together(new)
            self._alive = []

    def end_fixture(self, fixture: Party) -> None:
        """Note what a wider fixture has left."""
        if "_search" in vars(self) or any(self._has_changed(host) for host in self._loops):
            self._search.forget_holders()
            for host in [*self._loops]:
                self._look_at(host, None)
            self._search.end_fixture(fixture)


def _container(holder: object, name: str) -> Any:
    """Return a dict or set of asyncio's. uvloop doesn't have them, and a suite may have a selector of its own."""
    found: Any = getattr(holder, name, None)
    return found if type(found) in {dict, set} else ()


def _has_children() -> bool:
    """Return whether this process has child processes, whoever started them."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, OSError):  # there are none, or the platform can't say
        return False
    return True


def _numbers(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.isdigit()]  # noqa: PTH208 - much faster
    except OSError:  # not on Linux
        return []


def _files() -> list[tuple[str, str]]:
    """Return the open descriptors, with what they refer to."""
    found: list[tuple[str, str]] = []
    for number in _numbers("/proc/self/fd"):
        try:
            found.append((number, os.readlink(f"/proc/self/fd/{number}")))  # noqa: PTH115 - much faster
        except OSError:  # that of the listing itself
            continue
    return found
