"""Removal of pytest-asyncio's and anyio's marks, since looprig runs every `async def` test, and finds its loop's scope.

Invariants:
1. A mark is removed only if it has no arguments except a loop scope.
2. A loop scope that no fixture explains becomes `loop_config(scope=...)`, since tests may share a loop on purpose.
3. anyio's mark stays wherever a test runs on more than asyncio, or on asyncio with options.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Final, final

import libcst as cst

from looprig.migrate.backends import Backends
from looprig.migrate.loop_scopes import is_explained, with_loop_config
from looprig.migrate.names import Names
from looprig.migrate.rewriting import File
from looprig.migrate.statements import (
    without_decorators,
    without_elements,
    without_statements,
    without_statements_inside,
)
from looprig.migrate.suite import Function
from looprig.scopes import SCOPE_NAMES

__all__ = ["without_marks"]

ASYNCIO: Final = "pytest.mark.asyncio"
ANYIO: Final = "pytest.mark.anyio"
_SCOPES: Final = {"loop_scope", "scope"}


def without_marks(file: File) -> cst.Module:
    """Return a module without needless marks."""
    if not any(word in file.text for word in (b"mark.asyncio", b"mark.anyio", b"anyio_backend")):
        return file.module
    marks = _Marks(file)
    module = file.module.visit(marks)
    file.leave(*marks.left)
    if marks.scope != SCOPE_NAMES[0]:
        return with_loop_config(module, marks.scope)
    return module


@final
class _Marks(cst.CSTTransformer):
    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file
        self._names: Final[Names] = file.names
        self._backends = Backends(file.suite)
        self._classes: list[str] = []
        self._depth = 0
        self.scope = SCOPE_NAMES[0]
        self.left: list[tuple[cst.CSTNode, str]] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._classes.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.BaseStatement:
        where = ".".join(self._classes)
        self._classes.pop()
        return _without(original_node, updated_node, lambda each: self._is_needless(each, where))

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._depth += 1

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.BaseStatement:
        self._depth -= 1
        if self._depth:
            return updated_node
        where, name = ".".join(self._classes), original_node.name.value
        return _without(
            original_node,
            updated_node,
            lambda each: self._is_needless(each, where, name) or self._is_one_backend(each, original_node),
        )

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.BaseSuite:
        return updated_node if self._depth else without_statements_inside(updated_node, self._is_empty)

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return without_statements(updated_node, self._is_empty)

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.BaseSmallStatement:
        if self._depth or not _is_pytestmark(original_node):
            return updated_node
        where = ".".join(self._classes)
        value = updated_node.value
        if isinstance(value, cst.List | cst.Tuple):
            return updated_node.with_changes(value=without_elements(value, lambda each: self._is_needless(each, where)))
        if self._is_needless(value, where):
            return updated_node.with_changes(value=cst.List([]))
        return updated_node

    @staticmethod
    def _is_empty(statement: cst.BaseSmallStatement) -> bool:
        match statement:
            case cst.Assign(value=cst.List(elements=[]) | cst.Tuple(elements=[])):
                return _is_pytestmark(statement)
            case _:
                return False

    def _is_needless(self, mark: cst.BaseExpression, where: str, name: str = "") -> bool:
        """Return whether a mark of a file, class or function can be removed. If its loop scope can't, remember that."""
        kind = self._names.called(mark)
        arguments = mark.args if isinstance(mark, cst.Call) else ()
        if kind == ANYIO:
            return not arguments and self._backends.is_asyncio(self._file.path, where, name)
        if kind != ASYNCIO:
            return False
        scopes = [_text(each.value) for each in arguments if each.keyword is not None and each.keyword.value in _SCOPES]
        if len(scopes) < len(arguments) or any(each not in SCOPE_NAMES for each in scopes):
            return False
        for scope in scopes:
            if not is_explained(self._file.suite, scope, self._tests(where, name)):
                self.scope = max(self.scope, scope, key=SCOPE_NAMES.index)
        return True

    def _tests(self, where: str, name: str) -> Iterator[Function]:
        """Yield the tests that a mark applies to."""
        for test in self._file.suite.tests(self._file.path):
            is_below = f"{test.class_name}.".startswith(f"{where}." if where else "")
            if is_below and name in {"", test.node.name}:
                yield test

    def _is_one_backend(self, mark: cst.BaseExpression, function: cst.FunctionDef) -> bool:
        """Return whether a mark parametrizes a test only over asyncio, and the test doesn't use the backend's value."""
        match mark:
            case cst.Call(
                args=[cst.Arg(value=name), cst.Arg(value=cst.List(elements=[one]) | cst.Tuple(elements=[one]))]
            ):
                is_plain = _text(name) == "anyio_backend" and _text(one.value) == "asyncio"
                if not is_plain or self._names.called(mark) != "pytest.mark.parametrize":
                    return False
                where = ".".join(self._classes)
                requests = any(each.name.value == "anyio_backend" for each in function.params.params)
                return not requests and self._backends.is_asyncio(self._file.path, where, function.name.value)
            case _:
                return False


def _without(
    before: cst.FunctionDef | cst.ClassDef,
    after: cst.FunctionDef | cst.ClassDef,
    is_needless: Callable[[cst.BaseExpression], bool],
) -> cst.FunctionDef | cst.ClassDef:
    """Return a function or class without some of its decorators, chosen by the original ones."""
    pairs = zip(after.decorators, before.decorators, strict=True)
    gone = {id(new) for new, old in pairs if is_needless(old.decorator)}
    return without_decorators(after, lambda each: id(each) in gone)


def _is_pytestmark(node: cst.Assign) -> bool:
    return [each.target.value for each in node.targets if isinstance(each.target, cst.Name)] == ["pytestmark"]


def _text(node: cst.BaseExpression) -> str:
    """Return the value of a string literal, or "" for any other expression."""
    value = ast.literal_eval(node.value) if isinstance(node, cst.SimpleString) else ""
    return value if isinstance(value, str) else ""
