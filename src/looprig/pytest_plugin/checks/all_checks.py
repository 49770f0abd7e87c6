"""All checks, in the order in which their errors are reported.

A check takes the result of collection and yields errors, each with the tests that it concerns. To add one, write such a
function in a file beside this one and add it to `CHECKS`.
"""

from collections.abc import Callable
from itertools import chain
from typing import Final

from looprig.pytest_plugin.checks.configuration import unreachable_configuration
from looprig.pytest_plugin.checks.declarations import broken_declarations, late_providers
from looprig.pytest_plugin.checks.existence import missing_fixtures, misunderstood_names
from looprig.pytest_plugin.checks.item_errors import Found
from looprig.pytest_plugin.checks.markers import wrong_markers
from looprig.pytest_plugin.checks.services import wrong_services
from looprig.pytest_plugin.checks.testcases import loops_of_test_cases
from looprig.pytest_plugin.checks.unawaited import unawaited_functions
from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["check"]

Check = Callable[[Collected], Found]


def _mixed_owners(collected: Collected) -> Found:
    if collected.owners:
        from looprig.pytest_plugin.checks.owners import mixed_owners  # noqa: PLC0415 - few runs have other plugins

        yield from mixed_owners(collected)


CHECKS: Final[tuple[Check, ...]] = (
    wrong_services,
    unreachable_configuration,
    unawaited_functions,
    loops_of_test_cases,
    _mixed_owners,
    wrong_markers,
    broken_declarations,
    late_providers,
)


def check(collected: Collected, *, is_run: bool) -> Found:
    """Yield the errors that keep tests from running as declared.

    With `is_run`, pytest itself reports missing fixtures when it sets a test up. Otherwise they are among the errors.
    """
    checks = (*CHECKS, misunderstood_names if is_run else missing_fixtures)
    return chain.from_iterable(each(collected) for each in checks)
