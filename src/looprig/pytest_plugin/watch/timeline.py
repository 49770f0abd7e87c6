"""The timeline of a run, which `--loop-trace` writes: tests, fixtures, services, processes, and events of proxies.

Does not know the file's format (`looprig.watch.trace` does), or what happens on loops (`loop_tracks` does). Loaded only
if the option is given. With pytest-xdist, each worker writes a file of its own, which the controller adds to the run's.

Invariant: whatever ends the run, short of a kill, the file is complete.
"""

import os
from collections.abc import Generator
from functools import cached_property
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.options import PREFIX
from looprig.pytest_plugin.watch.loop_tracks import LoopTracks
from looprig.runtime.clock import now
from looprig.watch.trace import Trace

if TYPE_CHECKING:
    from looprig.net.faults.watch import Watched
    from looprig.pytest_plugin.collection.hooks import Collection

__all__ = ["Timeline"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_LONGEST: Final = 1000
"""Maximum number of characters of a failure's message."""

_Wrapped = Generator[None, Any, Any]


@final
class Timeline:
    """The hooks that write the timeline."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self._config = config
        self._lives: dict[object, int] = {}
        self._outcome: str = "passed"
        self._proxies: dict[Watched, int] = {}
        self._tracks_of_proxies: dict[str, int] = {}
        worker: str = getattr(config, "workerinput", {}).get("workerid", "")
        self._is_worker = bool(worker)
        self._path = Path(f"{path}.{worker}" if worker else path)
        try:
            for part in self._parts():
                part.unlink()  # of a run that was killed
            file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise pytest.UsageError(f"--loop-trace={path}: {error.strerror}.") from error
        self._trace: Final = Trace(file, os.getpid(), worker or "pytest")
        self.loops: Final = LoopTracks(self._trace)
        config.add_cleanup(self._close)

    @cached_property
    def _tests(self) -> int:
        return self._trace.track("tests")

    # Tests

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> _Wrapped:
        """Write the test."""
        began, self._outcome = now(), "passed"
        try:
            return (yield)
        finally:
            self._trace.span(self._tests, "test", item.name, began, now(), id=item.nodeid, outcome=self._outcome)
            self._trace.flush()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> _Wrapped:
        """Write the phase."""
        return (yield from self._phase("set-up"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> _Wrapped:
        """Write the phase."""
        return (yield from self._phase("call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> _Wrapped:
        """Write the phase, and what ended with it."""
        try:
            return (yield from self._phase("teardown"))
        finally:
            self.loops.end_test()
            for proxy in self._proxies:
                self._add_events(proxy)

    def _phase(self, name: str) -> _Wrapped:
        began = now()
        try:
            return (yield)
        finally:
            self._trace.span(self._tests, "phase", name, began, now())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> _Wrapped:
        """Write the failure."""
        report: pytest.TestReport = yield
        if not report.passed and self._outcome != "failed":
            self._outcome = report.outcome
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message: str = report.longreprtext if crash is None else crash.message
            self._trace.instant(
                self._tests, "failure", f"{item.name} failed", now(), phase=report.when, message=message[:_LONGEST]
            )
        return report

    # Fixtures

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Definition) -> _Wrapped:
        """Write the set-up of a fixture, and its life until it is torn down."""
        kind, name = self._named(fixturedef)
        if name.startswith(PREFIX):  # another name of a service
            return (yield)
        at = str(location_of(fixturedef.func))
        began = now()
        life = self._trace.begin(self._tests, kind, name, began, scope=fixturedef.scope, at=at)
        teardown = 0.0

        # Finalizers run in reverse order, so this is the last one of the fixture, and `begin_teardown` is the first.
        def end() -> None:
            self._trace.end(life, now())
            self._trace.span(self._tests, kind, f"teardown of {name}", teardown, now(), at=at)

        def begin_teardown() -> None:
            nonlocal teardown
            teardown = now()

        fixturedef.addfinalizer(end)
        try:
            return (yield)
        finally:
            self._trace.span(self._tests, kind, f"set-up of {name}", began, now(), at=at)
            fixturedef.addfinalizer(begin_teardown)

    def _named(self, definition: Definition) -> tuple[str, str]:
        """Return the kind of a fixture, and its name. That of a service is its class."""
        collection: Collection | None = self._config.pluginmanager.get_plugin("looprig.collection")
        if collection is None or not collection.registry.is_service(definition):
            return "fixture", definition.argname
        return "service", collection.registry.label(definition)

    # Called by other parts of the plugin

    def pytest_plugin_registered(self, plugin: Any, plugin_name: str) -> None:
        """Follow the loops, once the runner of tests is there."""
        if plugin_name == "looprig.runner":
            self.loops.follow(plugin.hosts)
            plugin.watchdogs.observe_block = self.loops.add_block

    def begin(self, key: object, kind: str, name: str, /, **args: object) -> None:
        """Begin a life, which `end` ends with the same key."""
        self._lives[key] = self._trace.begin(self._tests, kind, name, now(), **args)

    def end(self, key: object) -> None:
        """End a life."""
        self._trace.end(self._lives.pop(key), now())

    def begin_proxy(self, proxy: "Watched") -> None:
        """Show the events of a proxy."""
        self._proxies[proxy] = 0
        if proxy.label not in self._tracks_of_proxies:
            self._tracks_of_proxies[proxy.label] = self._trace.track(proxy.label)

    def end_proxy(self, proxy: "Watched") -> None:
        """Write the last events of a proxy."""
        self._add_events(proxy)
        del self._proxies[proxy]

    def _add_events(self, proxy: "Watched") -> None:
        track, seen = self._tracks_of_proxies[proxy.label], self._proxies[proxy]
        for event in proxy.events[max(0, len(proxy.events) - (proxy.event_count - seen)) :]:
            if self._trace.has_room("proxy"):
                at = proxy.began + event.at
                self._trace.instant(track, "proxy", event.fault, at, connection=event.connection)
        self._proxies[proxy] = proxy.event_count

    # The end

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> _Wrapped:
        """Complete the file after the last teardown, and before a worker says that it has finished."""
        try:
            return (yield)
        finally:
            self._close()

    def _close(self) -> None:
        self.loops.close()
        for part in self._parts():
            with part.open(encoding="utf-8") as lines:
                self._trace.add_part(lines)
            part.unlink()
        self._trace.close(now())

    def _parts(self) -> list[Path]:
        """Return the files of workers."""
        return [] if self._is_worker else sorted(self._path.parent.glob(f"{escape(self._path.name)}.gw[0-9]*"))
