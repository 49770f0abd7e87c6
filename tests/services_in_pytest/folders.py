"""A helper to write suites whose folders aren't packages, which pytest accepts by default.

`tests.plugin.suite` makes them packages. Here module names may clash, and looprig must tell the modules apart.
"""

from collections.abc import Mapping
from textwrap import dedent

import pytest

__all__ = ["put"]


def put(pytester: pytest.Pytester, files: Mapping[str, str]) -> None:
    """Write files by path, with their folders."""
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
