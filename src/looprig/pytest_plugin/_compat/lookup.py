"""pytest's report of a fixture that it did not find, without the names that only looprig uses.

The report lists all visible fixtures. pytest has no hook for it, and composes it only when it shows the error.
"""

import re
from typing import Any, cast

import pytest

__all__ = ["leave_out"]


def leave_out(error: pytest.FixtureLookupError, prefix: str) -> None:
    """Remove the fixtures whose names start with `prefix` from the report of an error."""
    report = cast("Any", error)
    original = report.formatrepr

    def formatrepr() -> Any:
        shown = original()
        shown.errorstring = re.sub(rf"\b{re.escape(prefix)}\w*(?:, )?", "", shown.errorstring)
        return shown

    report.formatrepr = formatrepr
