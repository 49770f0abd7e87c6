"""Rewriting of `@pytest_asyncio.fixture` to `@pytest.fixture`, with all arguments except the loop scope."""

from typing import Final, final

import libcst as cst

from looprig.migrate.inserted import with_import
from looprig.migrate.names import Names, dotted, imported
from looprig.migrate.rewriting import File

__all__ = ["with_pytests_fixtures"]

_FIXTURE: Final = "pytest_asyncio.fixture"
_PLUGIN: Final = "pytest_asyncio"


def with_pytests_fixtures(file: File) -> cst.Module:
    """Return a module whose fixtures are pytest's."""
    if b"pytest_asyncio" not in file.text:
        return file.module
    making = _Making(file.names)
    module = file.module.visit(making)
    if making.needs_pytest:
        replaced = module.visit(_Importing())
        module = replaced if "pytest" in Names(replaced.bytes).origins else with_import(module, "pytest")
    return module


@final
class _Making(cst.CSTTransformer):
    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names
        self._pytest = names.local("pytest")
        self.needs_pytest = False

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.BaseSmallStatement:
        """Change `from pytest_asyncio import fixture` to import pytest's."""
        found = dict(imported(original_node))
        if set(found.values()) == {_FIXTURE}:
            return updated_node.with_changes(module=cst.Name("pytest"))
        return updated_node

    def leave_Decorator(self, original_node: cst.Decorator, updated_node: cst.Decorator) -> cst.Decorator:
        if self._names.of(original_node.decorator) != _FIXTURE:
            return updated_node
        return updated_node.with_changes(decorator=self._made(updated_node.decorator))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if self._names.of(original_node.func) != _FIXTURE:
            return updated_node
        function = self._made(updated_node.func)
        kept = [each for each in updated_node.args if each.keyword is None or each.keyword.value != "loop_scope"]
        if len(kept) == len(updated_node.args):
            return updated_node.with_changes(func=function)
        if not kept:
            return function
        if kept[-1] is not updated_node.args[-1]:
            kept[-1] = kept[-1].with_changes(
                comma=updated_node.args[-1].comma,
                whitespace_after_arg=updated_node.args[-1].whitespace_after_arg,
            )
        return updated_node.with_changes(func=function, args=kept)

    def _made(self, function: cst.BaseExpression) -> cst.BaseExpression:
        if isinstance(function, cst.Name):  # imported by its name
            return function
        if self._pytest:
            return cst.Attribute(cst.Name(self._pytest), cst.Name("fixture"))
        self.needs_pytest = True
        return cst.Attribute(cst.Name("pytest"), cst.Name("fixture"))


@final
class _Importing(cst.CSTTransformer):
    """`import pytest_asyncio` becomes `import pytest`, if nothing else uses it."""

    def visit_Module(self, node: cst.Module) -> None:
        self._used = f"{_PLUGIN}." in "".join(
            line for line in node.code.splitlines(keepends=True) if not line.lstrip().startswith(("import", "from"))
        )

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        match original_node.names:
            case [cst.ImportAlias(name=name, asname=None)] if dotted(name) == _PLUGIN and not self._used:
                return updated_node.with_changes(names=[cst.ImportAlias(cst.Name("pytest"))])
            case _:
                return updated_node
