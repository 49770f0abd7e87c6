"""Watches the proxies of a run: gives them their seed, fails tests for their errors, and shows their log.

Its hooks are registered when the first proxy starts: a run without one pays nothing. Does not start or stop proxies.

Invariants:
1. An error of a proxy that nobody took fails the test that is running, once; if that fails anyhow, it is shown beside.
2. The report of a failed test has the events of its own time, of each proxy that it uses.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.net.proxy.watch import current_watch

if TYPE_CHECKING:
    from looprig.exceptions import ProxyError
    from looprig.net.proxy.fault_controls import FaultControls

__all__ = ["ProxyWatch"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_SEEDS: Final = 1 << 32


def _seed_of(config: pytest.Config) -> int:
    """The seed of a run: the same in all workers of pytest-xdist."""
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
        # Those that are open, with how many events each had told when the test in hand began; then those that ended
        # during it.
        self._open: dict[int, tuple[FaultControls[Any, Any], int]] = {}
        self._ended: list[tuple[FaultControls[Any, Any], int]] = []
        self._seed: int | None = None
        self._token = current_watch.set(self)

    def close(self) -> None:
        """The run is over."""
        with suppress(ValueError):  # ended in another context than it began in
            current_watch.reset(self._token)

    # What proxies tell

    @property
    def seed(self) -> int:
        """What random faults come from, where a proxy does not declare it."""
        if self._seed is None:
            self._seed = _seed_of(self._config)
        return self._seed

    def begin(self, proxy: "FaultControls[Any, Any]") -> None:
        """A proxy is open."""
        manager = self._config.pluginmanager
        if not manager.is_registered(self):
            manager.register(self, "looprig.proxy_watch")
        self._open[id(proxy)] = (proxy, 0)

    def end(self, proxy: "FaultControls[Any, Any]") -> None:
        """A proxy is about to close, and raises by itself what nobody takes until then."""
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

    def _all(self) -> "list[tuple[FaultControls[Any, Any], int]]":
        return [*self._open.values(), *self._ended]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds the log of events to a failure."""
        report = yield
        active = [(proxy, told) for proxy, told in self._all() if proxy.told > told]
        if report.failed and active:
            shown = [proxy.render(since=told) for proxy, told in active]
            random = [told for proxy, told in active if proxy.seed == self._seed and _has_toxics(proxy, told)]
            if any(random):
                # The numbers come from the index of a connection, which counts from when its proxy began.
                run = f"--proxy-seed={self._seed}, with the tests that use that proxy before"
                shown.append(f"The same faults again: pytest {run} '{item.nodeid}'")
            elif random:
                shown.append(f"The same faults again: pytest '{item.nodeid}' --proxy-seed={self._seed}")
            report.sections.append(("Network faults", "\n".join(shown)))
        return report


def _has_toxics(proxy: "FaultControls[Any, Any]", told: int) -> bool:
    recent = proxy.events[max(0, len(proxy.events) - (proxy.told - told)) :]
    return any(event.kind == "toxic" for event in recent)
