"""Rewriting of aiomisc's `services` fixture to a service class with `autouse=True`, so that every test still uses it.

aiomisc's services still run under aiomisc's entrypoint, which looprig's `Entrypoint` opens.

Invariant: the fixture is left unchanged if other fixtures of aiomisc affect it (`default_context`, `entrypoint_kwargs`,
`entrypoint`), if its list is computed at run time, or if something requests it.
"""

import ast
from typing import Any, Final, final

import libcst as cst

from looprig.migrate.inserted import with_import
from looprig.migrate.of_self import OfSelf
from looprig.migrate.rewriting import File
from looprig.migrate.suite import Fixture, Function, Suite

__all__ = ["with_entrypoint"]

_NAME: Final = "services"
_CLASS: Final = "AiomiscServices"
_COMPANIONS: Final = frozenset({"default_context", "entrypoint", "entrypoint_kwargs"})
_KNOWN: Final = {"aiomisc_unused_port": "int", "localhost": "str", "unused_port": "int"}
_TAKEN: Final = frozenset({"run", "self"})


def with_entrypoint(file: File) -> cst.Module:
    """Return a module whose aiomisc services are a service class."""
    found = [each for each in file.suite.fixtures.get(_NAME, ()) if each.function.path == file.path]
    if len(found) != 1 or not _imports_aiomisc(file.suite, found[0].function):
        return file.module
    why = _against(file.suite, found[0])
    if why:
        finding = _Fixture()
        file.module.visit(finding)
        way = "it works as it is with looprig[aiomisc]"
        file.leave(*((node, f"the fixture services: {why}; {way}") for node in finding.found))
        return file.module
    needed = {name: _type(file.suite, found[0].function, name) for name in found[0].function.parameters}
    module = file.module.visit(_Making(needed, file.module.config_for_parsing))
    module = with_import(module, "collections.abc", "AsyncIterator")
    module = with_import(module, "dataclasses", "dataclass")
    if "Any" in needed.values():
        module = with_import(module, "typing", "Any")
    return with_import(with_import(module, "looprig", "Entrypoint"), "looprig", "service_fixture")


def _imports_aiomisc(suite: Suite, function: Function) -> bool:
    """Return whether the fixture's file or conftest imports aiomisc. Other suites use the name `services` too."""
    return any(
        (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aiomisc")
        or (isinstance(node, ast.Import) and any(each.name.partition(".")[0] == "aiomisc" for each in node.names))
        for path, tree in suite.trees.items()
        if path in {function.path, function.path.parent / "conftest.py"}
        for node in ast.walk(tree)
    )


def _against(suite: Suite, fixture: Fixture) -> str:
    """Return why a fixture is left unchanged, or "" if it isn't."""
    function = fixture.function
    if not _COMPANIONS.isdisjoint(suite.fixtures):
        return "other fixtures of aiomisc affect how its services run"
    requested = {name for each in suite.functions for name in each.parameters}
    if _NAME in requested or not _COMPANIONS.isdisjoint(requested):
        return "something requests it, or the entrypoint"
    if function.class_name or function.is_async or {*fixture.options} - {"scope"} or fixture.scope != "function":
        return "it is in a class, or has a scope or other options"
    if len(suite.fixtures[_NAME]) > 1:
        return "it overrides another one, or is overridden"
    match function.node.body:
        case [ast.Return(value=ast.List(elts=[*elements]) | ast.Tuple(elts=[*elements]))] if elements:
            is_plain = not any(isinstance(node, ast.Starred) for node in elements)
            return "" if is_plain and _TAKEN.isdisjoint(function.parameters) else "its list is made at run time"
        case _:
            return "its list is made at run time"


def _type(suite: Suite, function: Function, name: str) -> str:
    """Return the type of a parameter's value, as it is written in its file."""
    arguments = function.node.args
    own = next((each.annotation for each in (*arguments.args, *arguments.kwonlyargs) if each.arg == name), None)
    if own is not None:
        return ast.unparse(own)
    found = suite.find(name, function.path)
    if found is None:
        return _KNOWN.get(name, "Any")
    returns = found.function.node.returns
    is_plain = found.function.path == function.path and isinstance(returns, ast.Name | ast.Attribute)
    return ast.unparse(returns) if returns is not None and is_plain else "Any"


@final
class _Fixture(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[cst.FunctionDef] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        if node.name.value == _NAME and node.decorators:
            self.found.append(node)
        return False


@final
class _Making(cst.CSTTransformer):
    def __init__(self, needed: dict[str, str], config: cst.PartialParserConfig) -> None:
        super().__init__()
        self._needed = needed
        self._config = config

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.BaseStatement:
        if original_node.name.value != _NAME or not original_node.decorators:
            return updated_node
        fields = "".join(f"    {name}: {kind}\n" for name, kind in self._needed.items())
        text = (
            f"@service_fixture(autouse=True)\n@dataclass(kw_only=True)\nclass {_CLASS}:\n{fields}"
            f"{chr(10) if fields else ''}    async def run(self) -> AsyncIterator[None]:\n"
            f"        async with Entrypoint({', '.join(self._elements(updated_node))}):\n            yield\n"
        )
        made: Any = cst.parse_statement(text, self._config)
        return made.with_changes(leading_lines=updated_node.leading_lines)  # type: ignore[no-any-return]

    def _elements(self, fixture: cst.FunctionDef) -> list[str]:
        returned: Any = fixture.body.body[-1]
        made = returned.visit(OfSelf({name: name for name in self._needed}))
        return [cst.Module([]).code_for_node(each.value) for each in made.body[0].value.elements]
