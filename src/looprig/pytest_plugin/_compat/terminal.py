"""What pytest writes, and where."""

# What is private, and what pytest leaves untyped, is the business of this package.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

import sys
from collections.abc import Iterable
from contextlib import nullcontext

import pytest

__all__ = [
    "print_document",
    "write_lines",
    "write_to_standard_error",
]


def write_to_standard_error(config: pytest.Config) -> None:
    """Has what pytest itself says written to standard error: standard output is for a document."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter._tw._file = sys.stderr


def write_lines(config: pytest.Config, lines: Iterable[str]) -> None:
    """Writes lines where pytest writes its own, at whatever time."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for line in lines:
        if reporter is None:
            print(line.rstrip(), file=sys.stderr)  # noqa: T201 - a worker of pytest-xdist has no terminal
        else:
            reporter.write_line(line.rstrip())


def print_document(config: pytest.Config, text: str) -> None:
    """Writes a document to standard output, past pytest's capturing."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    with nullcontext() if capture is None else capture.global_and_fixture_disabled():
        print(text)  # noqa: T201 - this is what was asked for
