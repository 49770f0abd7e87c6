"""The hooks through which watchers follow the tests of a run, and fail them.

Does not know what a watcher looks for: any `Watcher` can be added, at any time.

Invariants:
1. An error that a watcher finds fails the running test, once. If the test fails for another reason too, the error is
   added to that failure as a note.
2. A run without a watcher has none of these hooks.
"""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.exceptions import BackgroundError, LooprigError, summary
from looprig.pytest_plugin._compat import has_fixtures
from looprig.runtime.errors import raise_together
from looprig.watch.watcher import WatchedTest, Watcher

if TYPE_CHECKING:
    from looprig.pytest_plugin.run.hosts import Hosts  # a sync suite may watch proxies, and has no hosts
    from looprig.runtime.host import Host

__all__ = ["Condition", "Watchers", "always", "watchers_of"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

Condition = Callable[[pytest.Item], bool]
"""Whether a test is watched."""


def always(_item: pytest.Item) -> bool:
    """Return true: every test is watched."""
    return True


def watchers_of(config: pytest.Config) -> "Watchers":
    """Return the watchers of a run, and register their hooks the first time."""
    manager = config.pluginmanager
    found: Watchers | None = manager.get_plugin("looprig.watchers")
    if found is None:
        found = Watchers(config)
        manager.register(found, "looprig.watchers")
    return found


@final
class Watchers:
    """The watchers of a run, and those that watch the current test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._all: list[tuple[Watcher, Condition]] = []
        self._active: list[Watcher] = []
        self._hosts: Hosts | None = None

    def connect(self, hosts: "Hosts") -> None:
        """Pass loops that are opened from now on to the watchers."""
        self._hosts = hosts
        hosts.subscribe(self._add_loop)

    def add(self, watcher: Watcher, watches: Condition, *, is_first: bool = False) -> None:
        """Add a watcher for the tests for which `watches` returns true, and for the current one.

        Reports show the sections of a watcher that `is_first` before those of the others.
        """
        at = 0 if is_first else len(self._all)
        self._all.insert(at, (watcher, watches))
        self._active.insert(at, watcher)
        self._config.add_cleanup(watcher.close)

    # Events

    def _add_loop(self, host: "Host", _item: pytest.Item) -> None:
        for watcher in self._active:
            watcher.add_loop(host.loop)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Begin to watch the test, before its first fixture is set up."""
        self._active = [watcher for watcher, watches in self._all if watches(item)]
        if self._active:
            test = WatchedTest(item.name, getattr(item, "obj", None), getattr(item, "module", None))
            host = self._hosts.open_host(item) if self._hosts is not None and has_fixtures(item) else None
            for watcher in self._active:
                watcher.begin_test(test)
                if host is not None:
                    watcher.add_loop(host.loop)
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fail the test if watchers have found errors so far."""
        return (yield from self._failing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Fail the test if watchers have found errors since the call, or since the set-up if there was no call."""
        try:
            return (yield from self._failing())
        finally:
            for watcher in reversed(self._active):
                watcher.end_test()

    def _failing(self) -> Generator[None, object, object]:
        try:
            result = yield
        except pytest.skip.Exception:
            self._raise()
            raise
        except BackgroundError as failure:
            errors = [error for error, _ in self._take()]
            if errors:
                errors[0].add_note(f"Besides: {_noted(failure)}")  # the failure may be a consequence of the error
                raise_together(errors, "unhandled errors")
            raise
        except BaseException as failure:
            for error, watcher in self._take():
                failure.add_note(f"{watcher.prefix}{_noted(error)}")
            raise
        self._raise()
        return result

    def _raise(self) -> None:
        raise_together([error for error, _ in self._take()], "unhandled errors")

    def _take(self) -> list[tuple[Exception, Watcher]]:
        return [(error, watcher) for watcher in self._active for error in watcher.take_errors()]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the watchers' sections to the report of a failure."""
        report = yield
        if report.failed and self._config.getoption("showcapture", default="all") != "no":
            sections = [section for watcher in self._active for section in watcher.sections(item.nodeid)]
            # In the failure itself, they come before captured output, and are in JUnit XML too.
            add: Callable[[str, str], None] | None = getattr(report.longrepr, "addsection", None)
            if add is None:  # a failure without a traceback
                report.sections[:0] = sections
                return report
            for title, text in sections:
                add(title, text)
        return report


def _noted(error: Exception) -> str:
    """Return the text of an error, as a note on another one."""
    text = str(error) if isinstance(error, LooprigError) else summary(error)
    return "\n".join((text, *getattr(error, "__notes__", ())))
