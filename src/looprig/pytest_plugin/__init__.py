"""The pytest plugin: thin. It adds options and markers, has the loop plan made, and registers what runs it.

Loading it imports no asyncio, aiohttp, uvloop or type checker. Reading order of the folder: `options`, `markers`,
`owners` (other async plugins), `recognize`, `loop_settings`, `planning` (collection), `hosts`, `setting_up`,
`running`, `watching` (the run), `terminal`. Everything private of pytest is in `_compat`.
"""

from typing import TYPE_CHECKING

import pytest

from looprig.pytest_plugin import fixtures
from looprig.pytest_plugin.markers import MARKERS
from looprig.pytest_plugin.options import Options, add_options
from looprig.pytest_plugin.owners import Owners, claims_everything
from looprig.pytest_plugin.state import state_of

if TYPE_CHECKING:
    from looprig.pytest_plugin.planning import Planning

__all__: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Adds the markers, and refuses to start beside a plugin that claims every async test too."""
    config.pluginmanager.register(fixtures, "looprig.fixtures")
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if complaints := claims_everything(config):
        raise pytest.UsageError("\n".join(complaints))
    Options.of(config)  # wrong values are told before anything is collected


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Makes the loop plan, of all that was collected, before anything is deselected."""
    from looprig.pytest_plugin.planning import Planning  # noqa: PLC0415 - a suite may hold nothing

    owners = Owners(config)
    planning = Planning(session, items, owners)
    if errors := planning.errors():
        raise pytest.UsageError("\n\n".join(str(error) for error in errors))
    state_of(config).planning = planning
    if planning.has_async and not config.getoption("collectonly"):
        _activate(config, planning, owners)


def _activate(config: pytest.Config, planning: "Planning", owners: Owners) -> None:
    # From here on the run needs asyncio.
    from looprig.pytest_plugin.activation import activate  # noqa: PLC0415

    activate(config, planning, owners)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Shows the plan, if asked to."""
    planning = state_of(config).planning
    if planning is None or not config.getoption("explain_loops"):
        return []
    from looprig.plan.explain import explain  # noqa: PLC0415

    return list(explain(planning.plan, lambda test: getattr(test, "name", str(test)), planning.own))
