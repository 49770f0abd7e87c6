"""The pytest plugin: it collects, checks, plans and runs.

A run reads from top to bottom, and so do the rooms: `collection` makes fixtures of services and sums up what was
collected, `checks` finds what is wrong, `loops` makes the plan, and `run` runs the tests, watched by `watch`. `peers`
has other async plugins, `inspect` the options that run no test, and `_compat` everything that is private to pytest.

Loading this imports no asyncio, aiohttp, uvloop or type checker. What one hook leaves for another is registered with
pytest, under a name that starts with `looprig.`: there is no state but that.
"""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from looprig.exceptions import LooprigError
from looprig.pytest_plugin._compat.definitions import give_way
from looprig.pytest_plugin.checks.all_checks import check
from looprig.pytest_plugin.checks.existence import Existence
from looprig.pytest_plugin.checks.item_errors import ItemErrors
from looprig.pytest_plugin.checks.report import Refusal, Summary
from looprig.pytest_plugin.collection import builtins
from looprig.pytest_plugin.collection.collected import Collected, collect
from looprig.pytest_plugin.collection.hooks import Collection
from looprig.pytest_plugin.loops.loop_plan import LoopPlan, plan_loops
from looprig.pytest_plugin.loops.settings import LoopSettings
from looprig.pytest_plugin.markers import MARKERS, has_watched_markers
from looprig.pytest_plugin.options import Options, add_options, looks_only
from looprig.pytest_plugin.peers import has_policy_fixture, header, policy_fixture
from looprig.pytest_plugin.run.waking import Waking
from looprig.pytest_plugin.watch.proxies import ProxyWatch

if TYPE_CHECKING:
    from looprig.pytest_plugin.inspect.inspection import Inspection

__all__: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Add markers and fixtures."""
    config.pluginmanager.register(builtins, "looprig.fixtures")
    if not has_policy_fixture(config):
        config.pluginmanager.register(policy_fixture, "looprig.policy_fixture")
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if looks_only(config) is not None and hasattr(config.option, "dist"):
        config.option.dist = "no"  # each worker of pytest-xdist would inspect all of the suite
    Options.of(config)  # wrong values are reported before anything is collected


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say that looprig stands back, if it does and tests are run."""
    line = header(config) if looks_only(config) is None else None
    return [] if line is None else [line]


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin to look for services, for `--fixtures` as well as for a run."""
    give_way(session, {builtins.__name__, policy_fixture.__name__})
    try:
        collection = Collection(session)
    except LooprigError as error:
        raise pytest.UsageError(str(error)) from error
    manager = session.config.pluginmanager
    manager.register(collection, "looprig.collection")
    manager.register(LoopSettings(session, collection.owners, collection.dialect), "looprig.loop_settings")
    manager.register(Summary(), "looprig.summary")
    if collection.owners.stands_back:
        from looprig.pytest_plugin.peers.shield import Shield  # noqa: PLC0415 - only then

        manager.register(Shield(collection.owners), "looprig.standing_back")
    if (option := looks_only(session.config)) is not None:
        _begin_inspection(option, session, collection)
    session.config.add_cleanup(ProxyWatch(session.config).close)


def _begin_inspection(option: str, session: pytest.Session, collection: Collection) -> None:
    """Inspect fixtures instead of running tests."""
    from looprig.pytest_plugin.inspect import INSPECTIONS  # noqa: PLC0415 - only when asked

    session.config.pluginmanager.register(INSPECTIONS[option](session, collection.registry), "looprig.inspection")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Go on when hooks have added fixtures to tests, with all tests that were there before hooks deselected any."""
    before = list(items)
    result = yield
    _check_plan_run(session, list(dict.fromkeys((*before, *items))))
    return result


def _check_plan_run(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    manager = session.config.pluginmanager
    collection: Any = manager.get_plugin("looprig.collection")
    settings: Any = manager.get_plugin("looprig.loop_settings")
    inspection: Inspection | None = manager.get_plugin("looprig.inspection")

    collected = collect(items, collection)
    found = [*check(collected, is_run=inspection is None)]
    loops = plan_loops(collected, settings)
    errors = ItemErrors([*found, *loops.errors])
    if inspection is not None:
        inspection.note(errors.all(), loops)
    else:
        _run(collected, loops, errors)


def _run(collected: Collected, loops: LoopPlan, errors: ItemErrors) -> None:
    session, existence = collected.session, Existence(collected.registry, collected.broken_names)
    manager = session.config.pluginmanager
    if session.config.getoption("explain_loops"):
        from looprig.pytest_plugin.loops.explanation import Explanation  # noqa: PLC0415 - only when asked

        manager.register(
            Explanation(loops, lambda items: [*errors.of_tests(), *(error for error, _ in existence.missing(items))])
        )
    is_for_others = collected.owners.stands_back and not (loops.has_async or errors.items)
    if is_for_others or session.config.getoption("collectonly"):
        return
    manager.register(Refusal(session, errors, existence.hints), "looprig.refusal")
    waking = Waking(session, loops)
    manager.register(waking, "looprig.waking")
    waking.arrange(collected.items)


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run an async test, unless a hook of the suite's does: those are registered later, and called before."""
    running = pyfuncitem.config.pluginmanager.get_plugin("looprig.running")
    return None if running is None else running.call(pyfuncitem)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watch tests that have a marker for it, whatever hook put it there."""
    waking = session.config.pluginmanager.get_plugin("looprig.waking")
    if waking is not None and waking.may_watch and has_watched_markers(session.items):
        from looprig.pytest_plugin.watch.marked import Watching  # noqa: PLC0415 - asyncio

        running = waking.wake()  # it watches all loops, and may as well see them opened
        session.config.pluginmanager.register(Watching(running.hosts), "looprig.watching")
