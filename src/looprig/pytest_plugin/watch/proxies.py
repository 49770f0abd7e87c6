"""Watches the proxies of a run: gives them their seed, fails tests for their errors, and shows their log.

Its hooks are registered when the first proxy starts: a run without one pays nothing. Does not start or stop proxies.

Invariants:
1. An unhandled error of a proxy fails the test that is running, once; if that fails anyway, the error is a note on it.
2. The report of a failed test has the events from its own time, of each proxy that it uses.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import Final, final

import pytest

from looprig.exceptions import ProxyError
from looprig.net.faults.watch import Watched, current_watch

__all__ = ["ProxyWatch", "watch_proxies"]

__tracebackhide__: Final = True  # the messages say what is wrong

_SEEDS: Final = 1 << 32
_WATCHED: Final = pytest.StashKey[bool]()


def watch_proxies(config: pytest.Config) -> None:
    """Watch the proxies that open in a run from now on. Call it as often as you like."""
    if not config.stash.get(_WATCHED, False):
        config.stash[_WATCHED] = True
        config.add_cleanup(ProxyWatch(config).close)


def _seed_of(config: pytest.Config) -> int:
    """Return the seed of a run: the same in all workers of pytest-xdist."""
    given: int | None = config.getoption("proxy_seed")
    if given is not None:
        return given
    run: str | None = getattr(config, "workerinput", {}).get("testrunuid")
    if run is None:
        import secrets  # noqa: PLC0415 - not before a proxy is opened

        return secrets.randbelow(_SEEDS)
    import hashlib  # noqa: PLC0415 - as above

    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:4], "big")


@final
class ProxyWatch:
    """The proxies of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        # Those that are open, each with the number of its events when the current test began; then those that ended
        # during that test.
        self._open: dict[int, tuple[Watched, int]] = {}
        self._ended: list[tuple[Watched, int]] = []
        self._seed: int | None = None
        self._token = current_watch.set(self)

    def close(self) -> None:
        """End watching, as the run is over."""
        with suppress(ValueError):  # ended in another context than it began in
            current_watch.reset(self._token)

    # What proxies call (`Watch`)

    @property
    def seed(self) -> int:
        """The seed of proxies that declare none."""
        if self._seed is None:
            self._seed = _seed_of(self._config)
        return self._seed

    def begin(self, proxy: Watched) -> None:
        """Take note that a proxy is open."""
        manager = self._config.pluginmanager
        if not manager.is_registered(self):
            manager.register(self, "looprig.proxy_watch")
        self._open[id(proxy)] = (proxy, 0)

    def end(self, proxy: Watched) -> None:
        """Take note that a proxy is about to close. It raises its unhandled errors itself."""
        found = self._open.pop(id(proxy), None)
        if found is not None:
            self._ended.append(found)

    # The current test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Start over with each test."""
        self._ended.clear()
        self._open = {key: (proxy, proxy.event_count) for key, (proxy, _) in self._open.items()}
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fail a test for the unhandled errors of its proxies."""
        return (yield from self._failing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Do the same for errors in set-up, if there was no call, or after the call."""
        return (yield from self._failing())

    def _failing(self) -> Generator[None, object, object]:
        try:
            result = yield
        except pytest.skip.Exception:
            self._raise()
            raise
        except BaseException as failure:
            for error in self._take():
                failure.add_note(f"Besides, in a proxy: {error}")
            raise
        self._raise()
        return result

    def _raise(self) -> None:
        errors = self._take()
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup("unhandled errors of proxies", errors)

    def _take(self) -> list[ProxyError]:
        return [error for proxy, _ in self._all() for error in proxy.take_errors()]

    def _all(self) -> list[tuple[Watched, int]]:
        return [*self._open.values(), *self._ended]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the log of events to a failure."""
        report = yield
        active = [(proxy, before) for proxy, before in self._all() if proxy.event_count > before]
        if report.failed and active:
            shown = [proxy.render(since=before) for proxy, before in active]
            random = [before for proxy, before in active if proxy.seed == self._seed and _has_toxics(proxy, before)]
            if any(random):
                # The numbers come from the index of a connection, which counts from when its proxy began.
                run = f"--proxy-seed={self._seed}, with the tests that use that proxy before"
                shown.append(f"The same faults again: pytest {run} '{item.nodeid}'")
            elif random:
                shown.append(f"The same faults again: pytest '{item.nodeid}' --proxy-seed={self._seed}")
            report.sections.append(("Network faults", "\n".join(shown)))
        return report


def _has_toxics(proxy: Watched, before: int) -> bool:
    recent = proxy.events[max(0, len(proxy.events) - (proxy.event_count - before)) :]
    return any(event.kind == "toxic" for event in recent)
