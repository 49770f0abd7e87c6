"""The check that services live no longer than the parametrized values that configure them.

Does not pass values to services (`collection.configuration` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from looprig.pytest_plugin.collection.configuration import unreachable_fields

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["unreachable_configuration"]


def unreachable_configuration(collected: Collected) -> Found:
    """Yield an error for each service with a wider scope than the parametrization that configures it."""
    for group in collected.groups:
        for definition, _ in group.fixtures:
            for error in unreachable_fields(collected.registry, group.tests[0], definition):
                yield error, group.tests
