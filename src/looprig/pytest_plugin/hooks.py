"""The pytest plugin: it collects, checks, plans and runs.

The subpackages follow the order of a run: `collection` makes fixtures of services and sums up what was collected,
`checks` finds mistakes, `loops` makes the loop plan, `run` runs the tests, and `watch` watches them. In addition,
`peers` describes other async plugins, `inspect` implements the options that run no test, and `_compat` contains
everything that is private to pytest.

Hooks share state only through objects registered with pytest, under names that start with `looprig.`.

Invariants:
1. Importing this module imports neither asyncio, aiohttp, uvloop nor a type checker.
2. A run that doesn't use looprig loads no subpackage but `_compat` and `peers`: only what such a run needs is imported
   at the top.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from copy import copy
from functools import cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig import process_watch, proxy_watch
from looprig.pytest_plugin import builtins
from looprig.pytest_plugin._compat import (
    Definition,
    call_before_set_up,
    fixture_names,
    give_way,
    is_installed_file,
)
from looprig.pytest_plugin.is_async import async_on_request, needs_loops
from looprig.pytest_plugin.options import (
    CATCH,
    FORBID,
    MARKERS,
    USED_MARKERS,
    WATCHDOGS,
    Options,
    add_options,
    adoption_asked_for,
    end_bare_options,
    inspection_asked_for,
    used_markers,
)

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import ItemErrors
    from looprig.pytest_plugin.collection.collected import Collected
    from looprig.pytest_plugin.collection.hooks import Collection
    from looprig.pytest_plugin.inspect.inspection import Inspection
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
    from looprig.pytest_plugin.run.standby import Standby

__all__: list[str] = []

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Leave what follows `--explain-loops` to pytest, which looks for conftests there."""
    if end_bare_options(args):
        given = parser.parse_known_args(args, copy(early_config.option))
        early_config.known_args_namespace.file_or_dir = given.file_or_dir


def pytest_configure(config: pytest.Config) -> None:
    """Add markers and fixtures."""
    config.pluginmanager.register(builtins, "looprig.fixtures")
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if config.option.adopt_report or config.option.explain_loops is not None:
        _add_sections(config)
    if config.option.loop_trace is not None:
        from looprig.pytest_plugin.watch.timeline import Timeline  # noqa: PLC0415 - only when asked

        config.pluginmanager.register(Timeline(config, config.option.loop_trace), "looprig.timeline")
    if inspection_asked_for(config) is not None and hasattr(config.option, "dist"):
        config.option.dist = "no"  # each worker of pytest-xdist would inspect all of the suite
    Options(config)  # wrong values are reported before anything is collected


def _add_sections(config: pytest.Config) -> None:
    from looprig.pytest_plugin.loops import explanation  # noqa: PLC0415 - only when asked
    from looprig.pytest_plugin.peers import adoption_report  # noqa: PLC0415
    from looprig.pytest_plugin.sections import Sections, Show  # noqa: PLC0415

    shows: dict[str, Show] = {
        explanation.SECTION: explanation.show_plan,
        adoption_report.SECTION: adoption_report.show_report,
    }
    config.pluginmanager.register(Sections(config, shows), "looprig.sections")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which process controls it."""
    from looprig.pytest_plugin.workers import tell_worker  # noqa: PLC0415 - in a controller only

    tell_worker(node)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return the header line that says that looprig stands back, if it does and the run runs tests."""
    if inspection_asked_for(config) is not None or not _has_other_plugins(config.pluginmanager):
        return []
    from looprig.pytest_plugin.peers import header  # noqa: PLC0415 - only then

    line = header(config)
    return [] if line is None else [line]


def _has_other_plugins(manager: pytest.PytestPluginManager) -> bool:
    """Return whether there is a plugin besides pytest's own, looprig and conftests."""
    names = {getattr(plugin, "__name__", None) or type(plugin).__module__ for plugin in manager.get_plugins()}
    return any(
        name.partition(".")[0] not in {"_pytest", "looprig"} and name.rpartition(".")[2] != "conftest" for name in names
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Register the hooks that look for uses of looprig, both for `--fixtures` and for a run."""
    builtins.add_policy_fixture(session)
    give_way(session, {builtins.__name__})
    session.config.pluginmanager.register(Entry(session), "looprig.entry")


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run an async test, unless a hook of the suite runs it: those are registered later, so pytest calls them first."""
    runner = pyfuncitem.config.pluginmanager.get_plugin("looprig.runner")
    return None if runner is None else runner.call(pyfuncitem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show each error for which looprig refused to run tests, once, and what watchdogs noted without failing a test."""
    seen = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.user_properties
    ]
    if not seen:
        return
    from looprig.pytest_plugin.properties import BLOCKED, NOTED, REFUSED, texts_in  # noqa: PLC0415 - only then

    refused = [report for report in seen if report.when == "setup" and report.failed and texts_in(report, REFUSED)]
    if refused:
        from looprig.pytest_plugin.checks.report import show_summary  # noqa: PLC0415 - only then

        show_summary(terminalreporter, refused)
    noted = [report for report in seen if texts_in(report, NOTED)]
    if noted:
        from looprig.pytest_plugin.watch.noted import show_noted  # noqa: PLC0415 - only then

        show_noted(terminalreporter, noted)
    blocked = [report for report in seen if texts_in(report, BLOCKED)]
    if blocked:
        from looprig.pytest_plugin.watch.blocked import show_blocked  # noqa: PLC0415 - only then

        show_blocked(terminalreporter, blocked)


# Fixtures whose override uses looprig without importing it: those of aiomisc's dialect, and the settings of loops.
_OVERRIDES: Final = frozenset(
    {"default_context", "entrypoint", "entrypoint_kwargs", "event_loop", "event_loop_policy", "loop", "loop_factory"}
    | {"services", "thread_pool_executor", "thread_pool_size"}
)
_IMPORTS: Final = ("looprig.declare", "looprig.aiomisc", "aiomisc")
"""Modules that every declaration needs: if none is imported, there are no declarations."""


@final
class Entry:
    """The hooks that load the rest of the plugin: at the first declaration, or else once something async is collected.

    Until then it looks once at each conftest, folder, module and class, and once at each test.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._manager = session.config.pluginmanager
        self._collection: Collection | None = None
        self._looked_at: pytest.Collector | None = None
        self._items: Sequence[pytest.Item] = ()
        self._undo: list[Callable[[], None]] = []
        self._is_asked_for = False
        self._standby: Standby | None = None
        _provide_watches(session.config)
        for plugin in self._manager.get_plugins():
            self.pytest_plugin_registered(plugin)
        is_inspected = inspection_asked_for(session.config) is not None
        if is_inspected or adoption_asked_for(session.config) != frozenset() or self._may_begin():
            self._begin()

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Check whether a conftest, or another plugin of the suite's own, overrides one of looprig's fixtures."""
        if self._collection is None and isinstance(plugin, ModuleType):
            path: str | None = getattr(plugin, "__file__", None)
            is_foreign = path is None or is_installed_file(path) or plugin.__name__.startswith("looprig.")
            self._is_asked_for |= not is_foreign and _overrides(plugin)

    def _may_begin(self) -> bool:
        """Return whether there may be declarations: one of the modules is imported, or a fixture is overridden."""
        return self._is_asked_for or any(name in sys.modules for name in _IMPORTS)

    def _begin(self) -> Collection:
        """Find the services of plugins and conftests, and register the hooks that find more."""
        from looprig.exceptions import LooprigError  # noqa: PLC0415 - not before it is needed

        collection = self._load()
        try:
            collection.begin()
        except LooprigError as error:
            raise pytest.UsageError(str(error)) from error
        self._manager.register(collection, "looprig.collection")
        self._manager.register(self._settings, "looprig.loop_settings")
        if collection.owners.stands_back:
            from looprig.pytest_plugin.peers.shield import Shield  # noqa: PLC0415 - only then

            self._manager.register(Shield(collection.owners), "looprig.standing_back")
        if (option := inspection_asked_for(self._session.config)) is not None:
            from looprig.pytest_plugin.inspect import INSPECTIONS  # noqa: PLC0415 - only when asked

            self._manager.register(INSPECTIONS[option](self._session, collection.registry), "looprig.inspection")
        return collection

    def _load(self) -> Collection:
        from looprig.pytest_plugin.collection.hooks import Collection  # noqa: PLC0415 - not before it is needed
        from looprig.pytest_plugin.loops.settings import LoopSettings  # noqa: PLC0415

        collection = self._collection = Collection(self._session)
        self._settings = LoopSettings(collection)
        return collection

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Load the rest if a folder's conftest declares something, before the folder's files are collected."""
        report = yield
        if self._collection is None and isinstance(collector, pytest.Directory) and self._may_begin():
            self._begin().catch_up([collector])
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Module | pytest.Class, name: str, obj: object) -> None:
        """Load the rest if a module or class declares something, before its first test is collected."""
        if collector is self._looked_at or self._collection is not None:
            return
        self._looked_at = collector
        if self._may_begin() or _overrides(collector.obj):
            collection = self._begin()
            collection.catch_up([collector])
            collection.pytest_pycollect_makeitem(collector, name, obj)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Check and plan all tests, including deselected ones, after other hooks have added fixtures to them."""
        before = list(items)
        result = yield
        self._items = list(dict.fromkeys((*before, *items)))
        if (
            self._collection is not None
            or self._session.config.getoption("explain_loops") is not None
            or self._session.config.getoption("adopt_report")
            or needs_loops(self._session, self._items)
        ):
            self._check_plan_run()
        else:
            for definition in async_on_request(self._session):
                self._undo.append(call_before_set_up(definition, partial(self._asked, definition)))
        return result

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the watchers if any test has a marker that needs them, even if a hook added the marker."""
        used = session.config.stash[USED_MARKERS] = used_markers(session.items, {CATCH, FORBID, WATCHDOGS})
        if used <= {WATCHDOGS}:
            return
        standby = self._standby
        if standby is None and self._collection is None:
            standby = self._check_plan_run()
        if standby is not None and standby.may_watch:
            from looprig.pytest_plugin.watch.table import watch  # noqa: PLC0415 - this loads asyncio

            watch(session.config, standby.activate().hosts)

    def _asked(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        """Load the rest of looprig during the tests: a fixture is requested at run time, and no test declares it."""
        standby = self._check_plan_run()
        if standby is not None:
            standby.requested(definition, request)

    def _check_plan_run(self) -> Standby | None:
        from looprig.pytest_plugin.checks.all_checks import check  # noqa: PLC0415 - not if nothing is async
        from looprig.pytest_plugin.checks.item_errors import ItemErrors  # noqa: PLC0415
        from looprig.pytest_plugin.collection.collected import collect  # noqa: PLC0415
        from looprig.pytest_plugin.loops.loop_plan import plan_loops  # noqa: PLC0415

        for undo in self._undo:
            undo()
        self._undo.clear()
        collection = self._collection
        if collection is None and self._may_begin():
            collection = self._begin()
            collection.catch_up(dict.fromkeys(item.parent for item in self._items))
        elif collection is None:
            collection = self._load()  # without its hooks, since nothing is declared
        inspection: Inspection | None = self._manager.get_plugin("looprig.inspection")

        extra = () if inspection is None else inspection.stand_ins()
        collected = collect([*self._items, *extra], collection)
        found = [*check(collected, is_run=inspection is None)]
        loops = plan_loops(collected, self._settings)
        errors = ItemErrors([*found, *loops.errors])
        if inspection is None:
            self._standby = _run(collected, loops, errors)
            return self._standby
        inspection.note(errors.all(), loops)
        return None


def _run(collected: Collected, loops: LoopPlan, errors: ItemErrors) -> Standby | None:
    from looprig.pytest_plugin.checks.report import Refusal  # noqa: PLC0415 - as above
    from looprig.pytest_plugin.run.standby import Standby  # noqa: PLC0415

    session = collected.session
    manager = session.config.pluginmanager
    sections: Any = manager.get_plugin("looprig.sections")
    if session.config.getoption("explain_loops") is not None:
        from looprig.pytest_plugin.checks.existence import Existence  # noqa: PLC0415 - only when asked
        from looprig.pytest_plugin.loops.explanation import Explanation  # noqa: PLC0415

        existence = Existence(collected.registry, collected.is_broken)
        manager.register(
            Explanation(
                loops,
                collected,
                lambda items: [*errors.of_tests(), *(error for error, _ in existence.missing(items))],
                sections,
            )
        )
    if session.config.option.adopt_report:
        from looprig.pytest_plugin.peers.adoption_report import AdoptionReport  # noqa: PLC0415 - only when asked

        manager.register(AdoptionReport(collected.owners, sections), "looprig.adoption_report")
    is_for_others = collected.owners.stands_back and not (loops.has_async or errors.items)
    if is_for_others or session.config.getoption("collectonly"):
        return None
    standby = Standby(session, loops)
    manager.register(Refusal(collected, errors, standby.note_failure), "looprig.refusal")
    standby.arrange(collected.items)
    return standby


def _provide_watches(config: pytest.Config) -> None:
    """Let proxies and processes find their watches, each of which is created when the first one starts."""

    @cache
    def proxies() -> object:
        from looprig.pytest_plugin.watch.proxies import ProxyWatch  # noqa: PLC0415 - most runs have no proxy

        return ProxyWatch(config)

    @cache
    def processes() -> object:
        from looprig.pytest_plugin.watch.processes import Processes  # noqa: PLC0415 - most runs have no process

        return Processes(config)

    tokens = proxy_watch.set(proxies), process_watch.set(processes)

    def stop() -> None:
        for token in tokens:
            with suppress(ValueError):  # set in another context
                token.var.reset(token)

    config.add_cleanup(stop)


def _overrides(holder: object) -> bool:
    """Return whether a module, a class or one of its base classes defines one of the fixtures in `_OVERRIDES`."""
    holders = holder.__mro__[:-1] if isinstance(holder, type) else (holder,) if isinstance(holder, ModuleType) else ()
    return any(not _OVERRIDES.isdisjoint(fixture_names(each)) for each in holders)
