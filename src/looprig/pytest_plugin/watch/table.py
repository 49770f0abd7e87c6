"""The watchers of a run, and the condition under which each is active. A new watcher gets a row here.

Does not watch anything (`looprig.watch` does). Loaded only if a test has one of the markers below. A new marker must
be added to `MARKERS` in `options`, and to `pytest_collection_finish` in the plugin. A condition may also look at an
option of pytest.

The watcher of proxies has no row: `proxies` adds it when the first proxy opens.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import pytest

from looprig.pytest_plugin.options import CATCH, FORBID
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.pytest_plugin.watch.hooks import Condition, watchers_of
from looprig.watch.get_event_loop import GetEventLoopBan
from looprig.watch.loop_exceptions import LoopExceptions
from looprig.watch.watcher import Watcher

__all__ = ["WATCHERS", "Row", "watch"]


class Row(NamedTuple):
    """A watcher: the function that creates it, once for each run, and the condition on the tests that it watches."""

    make: Callable[[], Watcher]
    watches: Condition


def marked(name: str) -> Condition:
    """Return a condition that is true for tests with this marker."""
    return lambda item: item.get_closest_marker(name) is not None


def _ban() -> Watcher:
    return GetEventLoopBan(lambda: pytest.fail("asyncio.get_event_loop is forbidden in this test"))


WATCHERS: Final = (
    Row(LoopExceptions, marked(CATCH)),
    Row(_ban, marked(FORBID)),
)


def watch(config: pytest.Config, hosts: Hosts) -> None:
    """Start the watchers of a run, and pass them the loops of `hosts`."""
    watchers = watchers_of(config)
    watchers.connect(hosts)
    for row in WATCHERS:
        watchers.add(row.make(), row.watches)
