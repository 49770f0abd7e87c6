"""Errors that no line of the test has raised: they are raised at its definition, which is where reports show them.

Otherwise pytest would show no line at all, or one of looprig's. Loaded only once a watchdog has found something.
"""

from __future__ import annotations

import ast
import linecache
from typing import Final

import pytest

from looprig.location import UNKNOWN, Location, location_of

__all__ = ["at_definition"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_MOST: Final = 100
"""Maximum number of lines that decorators may take."""


def at_definition(item: pytest.Item, error: BaseException) -> BaseException:
    """Return an error with a traceback of one line: the one with the `def` of the test's function."""
    location = location_of(getattr(item, "obj", None))
    if location == UNKNOWN:
        return error
    path, line = _definition(location)
    tree = ast.parse("raise error")
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):  # the whole line, so that nothing in it is underlined
            node.col_offset, node.end_col_offset = 0, len(linecache.getline(path, line).rstrip())
    code = compile(tree, path, "exec")
    name = getattr(item, "originalname", item.name)
    try:
        exec(code.replace(co_firstlineno=line, co_name=name), {"error": error})  # noqa: S102 - the code above
    except BaseException as raised:  # noqa: BLE001 - the same error
        traceback = raised.__traceback__
        return error if traceback is None else error.with_traceback(traceback.tb_next)
    raise AssertionError


def _definition(first: Location) -> Location:
    """Return the line of the `def` below a function's decorators, given its first line."""
    lines = (Location(first.path, number) for number in range(first.line, first.line + _MOST))
    starts = ("async def ", "def ", "class ")
    return next((at for at in lines if linecache.getline(*at).lstrip().startswith(starts)), first)
