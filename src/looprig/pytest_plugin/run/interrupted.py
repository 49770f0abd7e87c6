"""Errors beside an exception that ends the run, which pytest reports without them.

Does not handle signals (`looprig.runtime.interrupts` does).
"""

from __future__ import annotations

import traceback
from typing import Any, Final, cast

import pytest

from looprig.pytest_plugin._compat.terminal import write_lines
from looprig.pytest_plugin.run.ends import INTERRUPTS

__all__ = ["raise_interrupt", "show"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def show(config: pytest.Config, error: BaseException) -> None:
    """Show an error with its traceback, since pytest won't."""
    write_lines(config, ["", *traceback.format_exception(error)])


def raise_interrupt(error: BaseException, config: pytest.Config) -> None:
    """Raise an exception that ends the run, if it is in a group, or the cause of a crash or of an expired limit."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, INTERRUPTS) and not isinstance(found, SystemExit):
            others: Any = error
            if isinstance(others, BaseExceptionGroup):
                others = cast("Any", others).split(INTERRUPTS)[1]
            if others is not None and others is not found:  # pytest shows only the text of an interrupt
                show(config, others)
            raise found from None
        left += (found.__cause__, *getattr(found, "exceptions", ()))
