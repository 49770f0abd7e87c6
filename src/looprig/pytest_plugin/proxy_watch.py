"""Watches the proxies of a run: gives them their seed, fails tests for their errors, and shows their log.

Registered when the first proxy starts: a run without one pays nothing. Does not start or stop proxies.

Invariants:
1. An error of a proxy that nobody took fails the test that is running, once; if that fails anyhow, it is shown beside.
2. The report of a failed test has the events of its own time, of each proxy that it uses.
"""

import hashlib
import secrets
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin.state import state_of

if TYPE_CHECKING:
    from looprig.exceptions import ProxyError
    from looprig.net.proxy.controls import ProxyControls

__all__ = ["ProxyWatch", "proxy_watch_of"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_SEEDS: Final = 1 << 32


def proxy_watch_of(config: pytest.Config) -> "ProxyWatch":
    """The watch of a run, registered now if it is not yet."""
    state = state_of(config)
    if state.proxy_watch is None:
        state.proxy_watch = ProxyWatch(_seed_of(config))
        config.pluginmanager.register(state.proxy_watch, "looprig.proxy_watch")
    return state.proxy_watch


def _seed_of(config: pytest.Config) -> int:
    """The seed of a run: the same in all workers of pytest-xdist."""
    given: int | None = config.getoption("proxy_seed")
    if given is not None:
        return given
    run: str | None = getattr(config, "workerinput", {}).get("testrunuid")
    if run is None:
        return secrets.randbelow(_SEEDS)
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:4], "big")


@final
class ProxyWatch:
    """The proxies of one run."""

    def __init__(self, seed: int) -> None:
        # Those that are open, with how many events each had told when the test in hand began; then those that ended
        # during it.
        self._open: dict[int, tuple[ProxyControls, int]] = {}
        self._ended: list[tuple[ProxyControls, int]] = []
        self.seed: Final = seed
        """What random faults come from, where a proxy does not declare it."""

    # What proxies tell

    def prepare(self, proxy: Any) -> None:
        """A proxy is about to start: one that has no seed of its own gets the run's."""
        if proxy.seed is None:
            proxy.seed = self.seed

    def begin(self, proxy: Any) -> None:
        """A proxy has started."""
        self._open[id(proxy)] = (proxy, 0)

    def end(self, proxy: Any) -> None:
        """A proxy is about to end, and raises by itself what nobody takes until then."""
        found = self._open.pop(id(proxy), None)
        if found is not None:
            self._ended.append(found)

    # The test in hand

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Begins anew with each test."""
        self._ended.clear()
        self._open = {key: (proxy, proxy.told) for key, (proxy, _) in self._open.items()}
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fails a test for what its proxies met and nobody took."""
        return (yield from self._failing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """The same for what came before the call that never was, or after it."""
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
            raise ExceptionGroup("errors of proxies that nobody took", errors)

    def _take(self) -> "list[ProxyError]":
        return [error for proxy, _ in self._all() for error in proxy.take_errors()]

    def _all(self) -> "list[tuple[ProxyControls, int]]":
        return [*self._open.values(), *self._ended]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds the log of events to a failure."""
        report = yield
        active = [(proxy, told) for proxy, told in self._all() if proxy.told > told]
        if report.failed and active:
            shown = [proxy.render(since=told) for proxy, told in active]
            if any(proxy.seed == self.seed for proxy, _ in active):
                shown.append(f"The same faults again: pytest '{item.nodeid}' --proxy-seed={self.seed}")
            report.sections.append(("Network faults", "\n".join(shown)))
        return report
