"""The loop scopes in a pytest-asyncio suite: finding those that looprig doesn't need, and keeping the others.

Usually a suite declares a wider scope because a fixture needs it, and looprig finds that scope by itself. Otherwise,
tests may share a loop on purpose, for example through a global variable, so the scope becomes a `loop_config`.
"""

from collections.abc import Iterable, Mapping
from os.path import commonpath
from pathlib import PurePath

import libcst as cst

from looprig.migrate.ini import is_ini, test_loop_scope
from looprig.migrate.inserted import with_import
from looprig.migrate.suite import Function, Suite
from looprig.scopes import SCOPE_NAMES

__all__ = ["is_explained", "with_default_scope", "with_loop_config"]


def is_explained(suite: Suite, scope: str, tests: Iterable[Function]) -> bool:
    """Return whether a test uses an async fixture with this scope or a wider one."""
    wanted = SCOPE_NAMES.index(scope)
    return wanted == 0 or any(
        fixture.function.is_async and fixture.scope and SCOPE_NAMES.index(fixture.scope) >= wanted
        for test in tests
        for fixture in suite.closure(test).values()
    )


def with_loop_config(module: cst.Module, scope: str) -> cst.Module:
    """Return a module with a `loop_config` after its imports, with a loop scope for all tests below it."""
    module = with_import(module, "looprig", "loop_config")
    body = list(module.body)
    at = 1 + max(index for index, each in enumerate(body) if _is_import(each))
    line = cst.parse_statement(f'loop_config(scope="{scope}")', module.config_for_parsing)
    body.insert(at, line.with_changes(leading_lines=[cst.EmptyLine(indent=False)]))
    return module.with_changes(body=body)


def with_default_scope(files: Mapping[PurePath, bytes]) -> dict[PurePath, bytes]:
    """Return the top conftest with the loop scope that an ini file sets for all tests, if that is needed."""
    scopes = [test_loop_scope(path, text) for path, text in files.items() if is_ini(path)]
    scope = max(scopes, key=SCOPE_NAMES.index, default=SCOPE_NAMES[0])
    if scope == SCOPE_NAMES[0]:
        return {}
    suite = Suite(files)
    tests = [*suite.tests()]
    if not tests or is_explained(suite, scope, tests):
        return {}
    top = type(tests[0].path)(commonpath([each.path.parent for each in tests]), "conftest.py")
    before = files.get(top, b"")
    if b"loop_config(" in before:
        return {}
    module = cst.parse_module(before).with_changes(has_trailing_newline=True)
    return {top: with_loop_config(module, scope).bytes}


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Import | cst.ImportFrom)
