"""Output: lines on pytest's terminal, and documents on standard output."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from typing import IO

import pytest

__all__ = ["file_of_terminal", "print_document", "write_lines", "write_to_standard_error"]


def write_to_standard_error(config: pytest.Config) -> None:
    """Redirect pytest's own output to standard error, so that standard output contains only a document."""
    if config.pluginmanager.has_plugin("terminalreporter"):
        config.get_terminal_writer()._file = sys.stderr


def write_lines(config: pytest.Config, lines: Iterable[str]) -> None:
    """Write lines to pytest's output, at any time."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for line in lines:
        if reporter is None:
            print(line.rstrip(), file=sys.stderr)  # noqa: T201 - a worker of pytest-xdist has no terminal
        else:
            reporter.write_line(line.rstrip())


def file_of_terminal(config: pytest.Config) -> IO[str]:
    """Return the file that pytest writes its own output to, whatever is captured, or standard error of the process."""
    found: IO[str] | None = None
    if config.pluginmanager.has_plugin("terminalreporter"):
        found = getattr(config.get_terminal_writer(), "_file", None)
    return found or sys.__stderr__ or sys.stderr


def print_document(config: pytest.Config, text: str) -> None:
    """Write a document to standard output, past pytest's capturing."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    with nullcontext() if capture is None else capture.global_and_fixture_disabled():
        print(text)  # noqa: T201 - the user asked for the document
