"""The open loops of a run: finds the loop of an item, and opens and closes loops.

Does not run tests or fixtures, create hosts (`host_factory` does), or refuse requests (`admission` does).

Invariants:
1. A host is opened while its node is set up, before its first async fixture. So it is closed after its last one.
2. The loop of an item never changes, except that a sync test without a loop may join one at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.exceptions import FixtureError
from looprig.location import location_of
from looprig.pytest_plugin._compat import has_fixtures
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.instances import is_cached
from looprig.pytest_plugin.is_async import is_async_test
from looprig.pytest_plugin.run.ends import Ends

if TYPE_CHECKING:
    from looprig.plan import Component
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
    from looprig.pytest_plugin.run.host_factory import HostFactory
    from looprig.pytest_plugin.run.limits import Limits
    from looprig.pytest_plugin.run.threads import Threads
    from looprig.runtime.host import Host
    from looprig.runtime.tasks import RunningTest

__all__ = ["Hosts"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Hosts:
    """The open hosts, by component, or by test if the test has a loop of its own."""

    def __init__(self, loops: LoopPlan, factory: HostFactory, limits: Limits) -> None:
        self._factory = factory
        self._loops = loops
        self._plan = loops.plan
        self._settings = loops.settings
        self._open: dict[object, Host] = {}
        # Both are looked up several times in each test.
        self._latest: tuple[pytest.Item | None, Host | None] = (None, None)
        self._placed: tuple[pytest.Item | None, Component | None] = (None, None)
        self.ends: Final = Ends(self._end, limits)
        self.on_end: Callable[[Host | None, RunningTest], None] | None = None
        """Called when a test has ended, with its host unless that has been closed with it."""
        self._limits = limits
        self.in_thread: Final = loops.registry.in_thread
        """The names of the fixtures whose services run in a thread."""
        self._subscribers: list[Callable[[Host, pytest.Item], None]] = []
        self._made_from: dict[object, tuple[Definition, ...]] = {}
        self._joined: dict[pytest.Item, Component] = {}

    def subscribe(self, opened: Callable[[Host, pytest.Item], None]) -> None:
        """Call `opened` with each host that is opened from now on, and the item that it is opened for."""
        self._subscribers.append(opened)

    # Looking up

    def of_item(self, item: pytest.Function) -> Host:
        """Return the host of an item's loop, and open it if necessary.

        Raises:
            FixtureError: something closed the loop.
        """
        known, host = self._latest
        if known is not item or host is None:
            placed = self._placed
            component = placed[1] if placed[0] is item else self.component(item)
            key: object = item if component is None else component
            host = self._open.get(key) or self._make(key, item, component)
            self._latest = item, host
        if host.loop.is_closed():
            raise _closed(host, item)
        return host

    def open_host(self, item: pytest.Function) -> Host | None:
        """Return the host of an item's loop if it is open."""
        component = self.component(item)
        return self._open.get(item if component is None else component)

    def of_sync_fixture(self, item: pytest.Function, node: object) -> Host | None:
        """Return the host whose loop is the current one while a sync fixture is set up on `node`, or `None`."""
        component = self.component(item)
        host = self._open.get(item if component is None else component)
        if not self.outlives(item, component, node):
            return None
        if host is not None or (component is None and not is_async_test(item)):
            return host
        # The fixtures that the loop is made from are set up first, without a loop.
        is_made = self._settings.is_silent(item) or all(is_cached(d) for d in self._settings.fixtures(item))
        return self.of_item(item) if is_made else None

    def component(self, item: pytest.Item) -> Component | None:
        """Return the component of an item, planned or joined at run time, or `None` if its loop would be its own."""
        placed = self._placed
        if placed[0] is not item:
            placed = self._placed = item, self._plan.component(item) or self._joined.get(item)
        return placed[1]

    def outlives(self, item: pytest.Function, component: Component | None, node: Any) -> bool:
        """Return whether the item's loop lives at least as long as `node`."""
        if node is item or component is None:
            return node is item
        return component.place.depth <= self._loops.place(node).depth

    @property
    def are_open(self) -> bool:
        """Whether any loop is open, so that something may be alive on it."""
        return bool(self._open) or (bool(self.in_thread) and self.threads.thread is not None)

    def join(self, item: pytest.Function, component: Component) -> bool:
        """Let a sync test without a loop share one from now on. Return False if the test can't change its loop."""
        if self.component(item) is not None or item in self._open or is_async_test(item):
            return False
        self._joined[item] = component
        self._latest = self._placed = (None, None)
        return True

    # Opening and closing

    def _make(self, key: object, item: pytest.Function, component: Component | None) -> Host:
        host, made_from = self._factory.make(item, component)
        self._open[key] = host
        for opened in self._subscribers:
            opened(host, item)
        if made_from:
            self._made_from[key] = made_from
        if component is None:  # a test's own loop ends with the test
            self.ends.begin(item)
            return host

        def close() -> None:
            self._close(key)

        node: Any = component.place.node
        node.addfinalizer(close)
        for definition in made_from:
            definition.addfinalizer(close)
        return host

    @cached_property
    def threads(self) -> Threads:
        """The thread of services that are declared to run in one."""
        from looprig.pytest_plugin.run.threads import Threads  # noqa: PLC0415 - if there are any

        return Threads(self._limits, self._make_for_thread)

    def uses_thread(self, item: pytest.Item) -> bool:
        """Return whether a test declares that it uses a service in the thread."""
        names = self.in_thread
        return bool(names) and has_fixtures(item) and not names.isdisjoint(closure_of(item).names)

    def _make_for_thread(self, item: pytest.Function) -> Host:
        host = self._factory.make_for_thread(item)
        for opened in self._subscribers:
            opened(host, item)
        return host

    def _close(self, key: object, owner: object = None) -> None:
        host = self._open.pop(key, None)
        self._latest = (None, None)
        self._made_from.pop(key, None)
        if host is not None:
            host.close(owner)

    def _end(self, item: pytest.Function, running: RunningTest) -> None:
        """End the tasks that a test left running, and close its own loop."""
        host: Host | None = None
        try:
            if item in self._open:
                self._close(item, running)
                return
            known, host = self._latest
            if known is not item:
                host = self.open_host(item)
            if host is not None and not host.loop.is_closed():
                host.end_tasks_of(running, search=running.may_have_left_unnoted)
        finally:
            if self.in_thread:
                self.threads.end_tasks_of(running)
            if self._joined:
                self._joined.pop(item, None)
            self._placed = (None, None)
            if self.on_end is not None:
                self.on_end(host, running)

    def made_from(self, item: pytest.Function) -> Sequence[Definition]:
        """Return the fixtures that the item's open loop was made from. Fixtures on the loop end before they do."""
        component = self.component(item)
        return self._made_from.get(item if component is None else component, ())

    def to_be_made_from(self, item: pytest.Function) -> Sequence[Definition]:
        """Return the live fixtures from which the item's loop should have been made. For when making it failed."""
        settings = self._settings
        return () if settings.is_silent(item) else tuple(d for d in settings.fixtures(item) if is_cached(d))


def _closed(host: Host, item: pytest.Function) -> FixtureError:
    by = host.closed_by
    return FixtureError(
        f"The loop of {item.name} is closed: {'something' if by is None else by[0]} closed it before the test.",
        [(item.name, location_of(item.obj)), *([] if by is None else [by])],
        "Don't close the loop: looprig does so after the last test and fixture on it.",
    )
