"""The user properties in which texts travel with the report of a test, to the controller of pytest-xdist too.

Does not show them: the summaries do. Loaded only if a report has user properties.
"""

from __future__ import annotations

from typing import Final, cast

import pytest

__all__ = ["BLOCKED", "NOTED", "REFUSED", "texts_in"]

REFUSED: Final = "looprig"
"""The error of a test that was refused."""

NOTED: Final = "looprig noted"
"""A finding of a watchdog that fails no test."""

BLOCKED: Final = "looprig blocked"
"""A block of the loop that fails no test: its seconds and its place."""


def texts_in(report: pytest.TestReport, name: str) -> list[str]:
    """Return the texts of all properties with this name."""
    # Other plugins and suites may put properties of any form there.
    found: list[str] = []
    for each in report.user_properties:
        match cast("object", each):
            case [str() as given, str() as text] if given == name:
                found.append(text)
            case _:
                pass
    return found
