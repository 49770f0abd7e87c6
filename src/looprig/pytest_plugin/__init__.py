"""The pytest plugin: thin. It adds options and markers, has the loop plan made, and registers what runs it.

Loading it imports no asyncio, aiohttp, uvloop or type checker. Reading order of the folder: `options`, `markers`,
`owners` (other async plugins); `collecting`, `registering`, `recognize`, `loop_settings`, `planning` (collection);
`activation`, `hosts`, `setting_up`, `running`, `watching` (the run). Everything private of pytest is in `_compat`.
"""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin import _compat, fixtures, policy_fixture
from looprig.pytest_plugin.collecting import Collecting
from looprig.pytest_plugin.markers import MARKERS, has_watched_markers
from looprig.pytest_plugin.options import Options, add_options, looks_only
from looprig.pytest_plugin.owners import claims_everything, has_policy_fixture
from looprig.pytest_plugin.planning import Planning
from looprig.pytest_plugin.proxy_watch import ProxyWatch
from looprig.pytest_plugin.state import RunState, state_of
from looprig.pytest_plugin.waking import Waking

if TYPE_CHECKING:
    from looprig.pytest_plugin.looking import Looking

__all__: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Adds markers and fixtures, and refuses to start beside a plugin that claims every async test too."""
    config.pluginmanager.register(fixtures, "looprig.fixtures")
    if not has_policy_fixture(config):
        config.pluginmanager.register(policy_fixture, "looprig.policy_fixture")
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    # Where no test is run, nobody's are taken.
    if looks_only(config) is None and (complaints := claims_everything(config)):
        raise pytest.UsageError("\n".join(complaints))
    if looks_only(config) is not None and hasattr(config.option, "dist"):
        config.option.dist = "no"  # workers of pytest-xdist would each look at all of it
    Options.of(config)  # wrong values are told before anything is collected


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Begins to look for services, for `--fixtures` as well as for a run."""
    _compat.give_way(session, {fixtures.__name__, policy_fixture.__name__})
    try:
        collecting = state_of(session.config).collecting = Collecting(session)
    except LooprigError as error:
        raise pytest.UsageError(str(error)) from error
    session.config.pluginmanager.register(collecting, "looprig.collecting")
    if (wanted := looks_only(session.config)) is not None:
        _look(wanted, session)
    session.config.add_cleanup(ProxyWatch(session.config).close)


def _look(wanted: str, session: pytest.Session) -> None:
    """Has fixtures looked at in the place of running tests. What that takes is loaded now."""
    from looprig.pytest_plugin.annotating import Annotating  # noqa: PLC0415 - only when asked
    from looprig.pytest_plugin.checking import Checking  # noqa: PLC0415 - as above
    from looprig.pytest_plugin.revealing import Revealing  # noqa: PLC0415 - as above

    kinds: dict[str, Callable[[pytest.Session, RunState], Looking]] = {
        "check_fixtures": Checking,
        "reveal_fixtures": Revealing,
        "annotate_fixtures": Annotating,
    }
    state = state_of(session.config)
    state.looking = kinds[wanted](session, state)
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
    _plan(session, config, collected, items)
    return result


def _plan(
    session: pytest.Session, config: pytest.Config, collected: list[pytest.Item], items: list[pytest.Item]
) -> None:
    state = state_of(config)
    assert state.collecting is not None
    planning = state.planning = Planning(session, collected, state.collecting)
    errors = [*planning.errors(), *state.collecting.existence.errors(collected)]
    if state.looking is not None:
        # Beside a plugin that claims every async test nobody's loops are at stake, since looprig runs none.
        is_alone = not claims_everything(config)
        state.looking.note(errors if is_alone else [error for error in errors if _is_of_a_parameter(error)])
        return
    if errors:
        _refuse(config, "\n\n".join(dict.fromkeys(str(error) for error in errors)))
        items.clear()
    if config.getoption("collectonly"):
        return
    state.waking = Waking(config, planning, state.collecting)
    state.waking.arrange(collected)


def _is_of_a_parameter(error: LooprigError) -> bool:
    return isinstance(error, DeclarationError) and bool(error.parameter)


def _refuse(config: pytest.Config, text: str) -> None:
    """Ends the run with an error; in a worker of pytest-xdist as one of collection, which the controller shows."""
    if not hasattr(config, "workerinput"):
        raise pytest.UsageError(text)
    config.hook.pytest_collectreport(report=pytest.CollectReport("", "failed", text, []))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watches tests that are marked for it, by whatever hook."""
    if not session.config.getoption("collectonly") and has_watched_markers(session.items):
        from looprig.pytest_plugin.watching import Watching  # noqa: PLC0415 - asyncio

        state = state_of(session.config)
        if state.waking is not None:
            state.waking.wake()  # it watches all loops, and may as well see them opened
        session.config.pluginmanager.register(Watching(state.hosts), "looprig.watching")


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Shows the plan, if asked to."""
    planning = state_of(config).planning
    if planning is None or not config.getoption("explain_loops"):
        return []
    from looprig.plan.explain import explain  # noqa: PLC0415 - only when asked

    return list(explain(planning.plan, lambda test: getattr(test, "name", str(test)), planning.way, planning.own))
