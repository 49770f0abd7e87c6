"""Declarations in the source of a suite that looprig makes needless, found in its syntax tree.

Does not import the files or consider a run (`adoption_report` says in which files the declarations are needless).

Invariant: a declaration is found only if it is written literally. A mark under another name, or one that a function
returns, is not found.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from looprig.pytest_plugin.peers.peer import Words

__all__ = ["needless_in", "needless_options"]

_LOOP_SCOPES: Final = ("loop_scope", "scope")


def needless_in(path: Path, words: Words) -> Iterator[tuple[int, str]]:
    """Yield the line and description of each needless declaration in a Python file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    names = dict(_imported(tree, words))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_parametrization(node, words)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_function(node, words)
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node)
            name = names.get(name, name)
            is_mark = name.startswith("pytest.mark.") and name.removeprefix("pytest.mark.") in words.marks
            if is_mark or (name in words.decorators and not isinstance(node.ctx, ast.Store)):
                yield node.lineno, name + _scope_in(called.get(id(node)), is_mark=is_mark)


def _imported(tree: ast.Module, words: Words) -> Iterator[tuple[str, str]]:
    """Yield the names by which a file refers to a decorator, with the decorators' full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in words.decorators:
                    yield alias.asname or alias.name, whole
                elif whole == "pytest.mark":
                    yield from ((f"{alias.asname or alias.name}.{mark}", f"{whole}.{mark}") for mark in words.marks)


def _scope_in(call: ast.Call | None, *, is_mark: bool) -> str:
    scopes = _LOOP_SCOPES if is_mark else _LOOP_SCOPES[:1]
    found = [word.arg for word in (call.keywords if call is not None else ()) if word.arg in scopes]
    return f" with {found[0]}" if found else ""


def _of_parametrization(call: ast.Call, words: Words) -> Iterator[tuple[int, str]]:
    if _dotted(call.func).endswith("mark.parametrize") and len(call.args) > 1:
        name = getattr(call.args[0], "value", None)
        if name in words.backends and _all_asyncio([call.args[1]]):
            yield call.lineno, f"the parametrization of {name}"


def _of_function(function: ast.FunctionDef | ast.AsyncFunctionDef, words: Words) -> Iterator[tuple[int, str]]:
    line = min([function.lineno, *(each.lineno for each in function.decorator_list)])
    instead = dict(words.fixtures).get(function.name)
    if instead is not None and (function.decorator_list or function.name.startswith("pytest_")):
        yield line, f"{function.name} ({instead})"
    elif function.name in words.backends and function.decorator_list:
        given = [
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Return | ast.Yield) and each.value is not None
        ]
        params = [
            word.value
            for decorator in function.decorator_list
            if isinstance(decorator, ast.Call)
            for word in decorator.keywords
            if word.arg == "params"
        ]
        if _all_asyncio(params or given):
            yield line, f"the fixture {function.name}"


def _all_asyncio(values: Iterable[ast.expr]) -> bool:
    found = [
        each
        for value in values
        for each in (value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else (value,))
    ]
    return bool(found) and all(isinstance(each, ast.Constant) and each.value == "asyncio" for each in found)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def needless_options(path: Path, words: Words) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each needless option in an ini file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for number, line in enumerate(lines, 1):
        name = line.partition("=")[0].strip().strip("\"'")
        if "=" in line and name in words.options:
            yield number, name
