"""The proxies of a run: seeds them, fails tests for their errors, and adds their logs to reports.

Also fails tests for the errors of other sources (`looprig.watch.sources`), such as the handlers of a server. Does not
start or stop proxies or sources. A run without any pays nothing, since the watcher is added when the first one
starts.

Invariant: the report of a failed test shows the events that happened during that test, for each proxy with events.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.net.faults.watch import Watched
from looprig.watch.sources import ErrorSource
from looprig.watch.watcher import WatchedTest, Watcher

if TYPE_CHECKING:
    from looprig.pytest_plugin.watch.timeline import Timeline  # most runs have none

__all__ = ["ProxyWatch"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_SEEDS: Final = 1 << 32


def _seed_of(config: pytest.Config) -> int:
    """Return the seed of a run: the same in all workers of pytest-xdist."""
    given: int | None = config.getoption("proxy_seed")
    if given is not None:
        return given
    run: str | None = getattr(config, "workerinput", {}).get("testrunuid")
    if run is None:
        import secrets  # noqa: PLC0415 - most runs open no proxy

        return secrets.randbelow(_SEEDS)
    import hashlib  # noqa: PLC0415 - as above

    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:4], "big")


@final
class ProxyWatch(Watcher):
    """The proxies of one run, and other sources of errors."""

    prefix = "Besides: "

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._timeline: Timeline | None = config.pluginmanager.get_plugin("looprig.timeline")
        # Each proxy, and the number of its events when the current test began. `_ended` has those that ended during it.
        self._open: dict[int, tuple[Watched, int]] = {}
        self._ended: list[tuple[Watched, int]] = []
        self._has_joined = False
        self._test = 0
        self._seed: int | None = None
        self._sources: dict[int, ErrorSource] = {}

    # Called by proxies (`Watch`)

    @property
    def seed(self) -> int:
        """The seed of proxies that declare none."""
        if self._seed is None:
            self._seed = _seed_of(self._config)
        return self._seed

    @property
    def test(self) -> int:
        """The number of the running test, or of the last one."""
        return self._test

    def begin(self, proxy: Watched) -> None:
        """Record that a proxy has opened."""
        self._join()
        self._open[id(proxy)] = (proxy, 0)
        if self._timeline is not None:
            self._timeline.begin_proxy(proxy)

    def end(self, proxy: Watched) -> None:
        """Record that a proxy is about to close. It raises its unhandled errors itself."""
        found = self._open.pop(id(proxy), None)
        if found is not None:
            self._ended.append(found)
            if self._timeline is not None:
                self._timeline.end_proxy(proxy)

    # Called by other sources of errors (`SourceWatch`)

    def add(self, source: ErrorSource) -> None:
        """Record that a source has started."""
        self._join()
        self._sources[id(source)] = source

    def remove(self, source: ErrorSource) -> None:
        """Record that a source is about to stop. It raises its unhandled errors itself."""
        self._sources.pop(id(source), None)

    def _join(self) -> None:
        if not self._has_joined:
            from looprig.pytest_plugin.watch.hooks import always, watchers_of  # noqa: PLC0415 - as above

            self._has_joined = True
            watchers_of(self._config).add(self, always)

    # Called for tests (`Watcher`)

    def begin_test(self, test: WatchedTest) -> None:
        """Start over: events from now on belong to this test."""
        self._test += 1
        self._ended.clear()
        self._open = {key: (proxy, proxy.event_count) for key, (proxy, _) in self._open.items()}

    def take_errors(self) -> Sequence[Exception]:
        """Return the unhandled errors of all proxies that were open during the test, and of the other sources."""
        sources: list[ErrorSource] = [*(proxy for proxy, _ in self._all()), *self._sources.values()]
        return [error for source in sources for error in source.take_errors()]

    def _all(self) -> list[tuple[Watched, int]]:
        return [*self._open.values(), *self._ended]

    def sections(self, test_id: str) -> Sequence[tuple[str, str]]:
        """Return the log of events during the test, and the command that repeats random faults."""
        rendered = [
            (proxy, before, proxy.render(since=before)) for proxy, before in self._all() if proxy.event_count > before
        ]
        active = [(proxy, before) for proxy, before, text in rendered if text]
        if not active:
            return ()
        shown = [text for *_, text in rendered if text]
        random = [before for proxy, before in active if proxy.seed == self._seed and _has_toxics(proxy, before)]
        if any(random):
            # Random numbers depend on the index of a connection, which is counted from the start of the proxy.
            run = f"run '{test_id}', and the tests before it that use the proxy"
            shown.append(f"The same faults again: {run}, with --proxy-seed={self._seed}")
        elif random:
            shown.append(f"The same faults again: pytest '{test_id}' --proxy-seed={self._seed}")
        return [("Network faults", "\n".join(shown))]


def _has_toxics(proxy: Watched, before: int) -> bool:
    recent = proxy.events[max(0, len(proxy.events) - (proxy.event_count - before)) :]
    return any(event.kind == "toxic" for event in recent)
