"""Writes suites in which no folder is a package, as pytest takes them by default.

`tests.plugin.suite` makes packages of them: these must be told apart where names of modules clash.
"""

from collections.abc import Mapping
from textwrap import dedent

import pytest

__all__ = ["put"]


def put(pytester: pytest.Pytester, files: Mapping[str, str]) -> None:
    """Writes files by their paths; the folders are made."""
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
