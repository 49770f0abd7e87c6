"""All checks, in the order in which their errors are reported.

Each takes what was collected and yields errors, each with the tests that it concerns. To add a check, write such a
function in a file beside this one and add it to `CHECKS`.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from looprig.pytest_plugin.checks.declarations import broken_declarations, late_providers
from looprig.pytest_plugin.checks.existence import missing_fixtures, misunderstood_names
from looprig.pytest_plugin.checks.item_errors import Found
from looprig.pytest_plugin.checks.owners import mixed_owners
from looprig.pytest_plugin.checks.services import wrong_services
from looprig.pytest_plugin.checks.testcases import loops_of_test_cases
from looprig.pytest_plugin.checks.unawaited import unawaited_functions
from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["check", "inspect"]

Check = Callable[[Collected], Found]

CHECKS: Final[tuple[Check, ...]] = (
    wrong_services,
    unawaited_functions,
    loops_of_test_cases,
    mixed_owners,
    broken_declarations,
    late_providers,
)


def check(collected: Collected) -> Found:
    """Find what keeps tests from running as they are declared."""
    return _all(collected, (*CHECKS, misunderstood_names))


def inspect(collected: Collected) -> Found:
    """Find the same where no test is run, and what pytest itself reports when it sets a test up."""
    return _all(collected, (*CHECKS, missing_fixtures))


def _all(collected: Collected, checks: Iterable[Check]) -> Found:
    found: Iterator[Found] = (each(collected) for each in checks)
    return chain.from_iterable(found)
