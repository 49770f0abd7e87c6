"""The pytest plugin: thin. It adds options and markers, has the loop plan made, and registers what runs it.

Loading it imports no asyncio, aiohttp, uvloop or type checker. Reading order of the folder: `options`, `markers`,
`owners` (other async plugins); `collecting`, `registering`, `recognize`, `loop_settings`, `planning` (collection);
`activation`, `hosts`, `setting_up`, `running`, `watching` (the run). Everything private of pytest is in `_compat`.
"""

from collections.abc import Generator, Sequence

import pytest

from looprig.exceptions import LooprigError
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin.checks.report import Refused, Refusing
from looprig.pytest_plugin.collection import builtins
from looprig.pytest_plugin.collection.hooks import Collecting
from looprig.pytest_plugin.loops.planning import Planning
from looprig.pytest_plugin.markers import MARKERS, has_watched_markers
from looprig.pytest_plugin.options import Options, add_options, looks_only
from looprig.pytest_plugin.peers import has_policy_fixture, header, policy_fixture
from looprig.pytest_plugin.run.waking import Waking
from looprig.pytest_plugin.state import state_of
from looprig.pytest_plugin.watch.proxies import ProxyWatch

__all__: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Adds markers and fixtures."""
    config.pluginmanager.register(builtins, "looprig.fixtures")
    if not has_policy_fixture(config):
        config.pluginmanager.register(policy_fixture, "looprig.policy_fixture")
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if looks_only(config) is not None and hasattr(config.option, "dist"):
        config.option.dist = "no"  # workers of pytest-xdist would each look at all of it
    Options.of(config)  # wrong values are told before anything is collected


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say that looprig stands back, where it does and tests are run."""
    line = header(config) if looks_only(config) is None else None
    return [] if line is None else [line]


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Begins to look for services, for `--fixtures` as well as for a run."""
    _compat.give_way(session, {builtins.__name__, policy_fixture.__name__})
    try:
        collecting = state_of(session.config).collecting = Collecting(session)
    except LooprigError as error:
        raise pytest.UsageError(str(error)) from error
    session.config.pluginmanager.register(collecting, "looprig.collecting")
    session.config.pluginmanager.register(Refused(), "looprig.refused")
    if collecting.owners.stands_back:
        from looprig.pytest_plugin.peers.shield import Shield  # noqa: PLC0415 - only then

        session.config.pluginmanager.register(Shield(collecting.owners), "looprig.standing_back")
    if (wanted := looks_only(session.config)) is not None:
        _look(wanted, session)
    session.config.add_cleanup(ProxyWatch(session.config).close)


def _look(wanted: str, session: pytest.Session) -> None:
    """Inspect fixtures instead of running tests."""
    from looprig.pytest_plugin.inspect import INSPECTIONS  # noqa: PLC0415 - only when asked

    state = state_of(session.config)
    assert state.collecting is not None
    state.looking = INSPECTIONS[wanted](session, state.collecting.registry)
    session.config.pluginmanager.register(state.looking, "looprig.looking")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Makes the loop plan when hooks have added fixtures to tests, but of all that was there before they deselected."""
    collected = list(items)
    result = yield
    known = set(collected)
    collected += [item for item in items if item not in known]
    _plan(session, config, collected)
    return result


def _plan(session: pytest.Session, config: pytest.Config, collected: list[pytest.Item]) -> None:
    state = state_of(config)
    collecting = state.collecting
    assert collecting is not None
    planning = state.planning = Planning(session, collected, collecting)
    if state.looking is not None:
        state.looking.note(
            [*planning.errors.all(), *collecting.existence.errors(collected), *collecting.errors()], planning
        )
        return
    for item, error in (*collecting.errors_of(collected), *collecting.existence.misunderstood(collected)):
        planning.errors.add(item, [error])
    is_for_others = collecting.owners.stands_back and not (planning.has_async or planning.errors)
    if is_for_others or config.getoption("collectonly"):
        return
    config.pluginmanager.register(Refusing(session, planning.errors, collecting.existence), "looprig.refusing")
    state.waking = Waking(config, planning, collecting)
    state.waking.arrange(collected)


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run an async test, unless a hook of the suite's own does: those are registered later, and called before."""
    running = state_of(pyfuncitem.config).running
    return None if running is None else running.call(pyfuncitem)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watches tests that are marked for it, by whatever hook."""
    state = state_of(session.config)
    if state.collecting is not None and state.collecting.owners.stands_back and state.hosts is None:
        return
    if not session.config.getoption("collectonly") and has_watched_markers(session.items):
        from looprig.pytest_plugin.watch.marked import Watching  # noqa: PLC0415 - asyncio

        if state.waking is not None:
            state.waking.wake()  # it watches all loops, and may as well see them opened
        session.config.pluginmanager.register(Watching(state.hosts), "looprig.watching")


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Show the plan, and what is wrong with it and with declarations, if asked to."""
    state = state_of(config)
    planning, collecting = state.planning, state.collecting
    if planning is None or collecting is None or not config.getoption("explain_loops"):
        return []
    from looprig.plan.explain import explain  # noqa: PLC0415 - only when asked

    lines = list(explain(planning.plan, lambda test: getattr(test, "name", str(test)), planning.way, planning.own))
    for error in (*planning.errors.all(), *collecting.existence.errors(items)):
        lines += [*str(error).splitlines(), ""]
    return lines
