"""All checks, in the order in which their errors are reported.

A check takes the result of collection and yields errors, each with the tests that it concerns. To add one, write such a
function in a file beside this one and add it to `CHECKS`, or to `CHECKS` in `of_services` if it is about services.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from looprig.pytest_plugin._compat import is_unittest
from looprig.pytest_plugin.checks.markers import wrong_markers
from looprig.pytest_plugin.checks.unawaited import unawaited_functions

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import Found
    from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["check"]

Check: TypeAlias = Callable[["Collected"], "Found"]
_HOMES: Final = ("looprig.declare.service", "looprig.services", "looprig.http")
"""Modules of which a suite with services, or with annotations that name services, has imported one."""


def _mixed_owners(collected: Collected) -> Found:
    if collected.owners:
        from looprig.pytest_plugin.checks.owners import mixed_owners  # noqa: PLC0415 - few runs have other plugins

        yield from mixed_owners(collected)


def _loops_of_test_cases(collected: Collected) -> Found:
    if any(is_unittest(test) for test in collected.tests):
        from looprig.pytest_plugin.checks.testcases import loops_of_test_cases  # noqa: PLC0415 - few suites have any

        yield from loops_of_test_cases(collected)


CHECKS: Final[tuple[Check, ...]] = (unawaited_functions, _loops_of_test_cases, _mixed_owners, wrong_markers)


def check(collected: Collected, *, is_run: bool) -> Found:
    """Yield the errors that keep tests from running as declared.

    With `is_run`, pytest itself reports missing fixtures when it sets a test up. Otherwise they are among the errors.
    """
    checks = CHECKS
    if not is_run or any(name in sys.modules for name in _HOMES):
        from looprig.pytest_plugin.checks import of_services  # noqa: PLC0415 - most suites have none

        last = of_services.misunderstood_names if is_run else of_services.missing_fixtures
        checks = (*of_services.CHECKS, *CHECKS, last)
    return chain.from_iterable(each(collected) for each in checks)
