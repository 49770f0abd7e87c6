"""The anyio backends that a test runs on.

Without the fixture `anyio_backend` in the suite, a test with anyio's mark runs on all backends, Trio among them.
"""

import ast
from functools import lru_cache
from pathlib import PurePath
from typing import final

from looprig.migrate.suite import Fixture, Function, Suite

__all__ = ["Backends", "returns_asyncio"]

NAME = "anyio_backend"


@final
class Backends:
    """The backends of a suite's tests."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._is_plain = _is_plain(suite)

    def is_asyncio(self, path: PurePath, class_name: str, name: str = "") -> bool:
        """Return whether all tests of a file or class, or one test, run only on asyncio, with no options."""
        tests = [
            each
            for each in self._suite.tests(path)
            if f"{each.class_name}.".startswith(f"{class_name}." if class_name else "") and name in {"", each.node.name}
        ]
        return self._is_plain and all(self._is_asyncio(each) for each in tests)

    def _is_asyncio(self, test: Function) -> bool:
        if _parametrized(test):  # only over asyncio, since otherwise `_is_plain` is false
            return True
        fixture = self._suite.find(NAME, test.path, test.class_name)
        return fixture is not None and returns_asyncio(fixture)


@lru_cache(maxsize=1)
def _is_plain(suite: Suite) -> bool:
    """Return whether no test has a backend other than asyncio.

    If some tests stay with anyio, all do, since an async fixture can't be on the loops of both plugins.
    """
    return all(returns_asyncio(each) for each in suite.fixtures.get(NAME, ())) and all(
        each == ["asyncio"] for test in suite.tests() for each in _parametrized(test)
    )


def returns_asyncio(fixture: Fixture) -> bool:
    """Return whether a fixture `anyio_backend` returns the string "asyncio" for all tests."""
    params = fixture.options.get("params")
    if params is not None:
        return _strings(params) == ["asyncio"]
    body = [each for each in fixture.function.node.body if not _is_text(each)]
    match body:
        case [ast.Return(value=ast.Constant(value="asyncio"))]:
            return True
        case _:
            return False


def _parametrized(test: Function) -> list[list[str]]:
    """Return the values of each parametrization of a test's backend."""
    found: list[list[str]] = []
    for each in test.node.decorator_list:
        match each:
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[ast.Constant(value=name), values, *_]):
                if isinstance(name, str) and NAME in name:
                    found.append(_strings(values) if name == NAME else [])
            case _:
                pass
    return found


def _strings(node: ast.expr) -> list[str]:
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return [each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "" for each in elements]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
