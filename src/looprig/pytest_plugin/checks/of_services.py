"""The checks of services and of what requests them. A run without services doesn't load them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from looprig.pytest_plugin.checks.configuration import unreachable_configuration
from looprig.pytest_plugin.checks.declarations import broken_declarations, late_providers
from looprig.pytest_plugin.checks.existence import missing_fixtures, misunderstood_names
from looprig.pytest_plugin.checks.services import wrong_services

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.all_checks import Check

__all__ = ["CHECKS", "missing_fixtures", "misunderstood_names"]

CHECKS: Final[tuple[Check, ...]] = (
    wrong_services,
    unreachable_configuration,
    broken_declarations,
    late_providers,
)
