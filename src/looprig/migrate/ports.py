"""Rewriting of other plugins' fixtures of unused ports to looprig's, whose ports are held until the test ends.

Invariants:
1. The suite's own fixtures are left unchanged, and so are functions that already use the new name.
2. Fixtures with a wider scope than a test are left unchanged, since looprig's ports are for one test.
"""

import ast
from collections.abc import Iterable
from typing import Final, final

import libcst as cst

from looprig.migrate.rewriting import File
from looprig.migrate.suite import Function
from looprig.scopes import SCOPE_NAMES

__all__ = ["with_held_ports"]

_REPLACED: Final = {
    "unused_tcp_port": "unused_port",
    "unused_tcp_port_factory": "unused_port_factory",
    "free_tcp_port": "unused_port",
    "free_tcp_port_factory": "unused_port_factory",
    "aiohttp_unused_port": "unused_port_factory",
}
_UDP: Final = frozenset({"free_udp_port", "free_udp_port_factory", "unused_udp_port", "unused_udp_port_factory"})
_WAY_OF_UDP: Final = "request aiomisc_unused_port_factory and call it with (socket.AF_INET, socket.SOCK_DGRAM)"


def with_held_ports(file: File) -> cst.Module:
    """Return a module that requests looprig's ports."""
    names = {name for name in (*_REPLACED, *_UDP) if name.encode() in file.text}
    if not names:
        return file.module
    renaming = _Renaming(file)
    if not any(renaming.concerns(function, name) for function in renaming.functions for name in names):
        return file.module
    module = file.module.visit(renaming)
    file.leave(*renaming.left)
    return module


@final
class _Renaming(cst.CSTTransformer):
    def __init__(self, file: File) -> None:
        super().__init__()
        self._suite = file.suite
        self._classes: list[str] = []
        self._depth = 0
        self._functions: Final = {
            (each.class_name, each.node.name): each for each in file.suite.functions if each.path == file.path
        }
        self.left: list[tuple[cst.CSTNode, str]] = []

    @property
    def functions(self) -> Iterable[Function]:
        """The tests and fixtures of the file."""
        return [each for each in self._functions.values() if each.is_test or self._suite.is_fixture(each)]

    def concerns(self, function: Function, name: str) -> bool:
        """Return whether a function requests another plugin's fixture of this name."""
        return name in function.parameters and self._suite.find(name, function.path, function.class_name) is None

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._classes.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.BaseStatement:
        self._classes.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._depth += 1

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.BaseStatement:
        self._depth -= 1
        function = self._functions.get((".".join(self._classes), original_node.name.value))
        if self._depth or function is None or not (function.is_test or self._suite.is_fixture(function)):
            return updated_node
        new: dict[str, str] = {}
        for parameter in (*original_node.params.params, *original_node.params.kwonly_params):
            name = parameter.name.value
            if not self.concerns(function, name):
                continue
            if name in _REPLACED and (why := self._against(function, name)):
                self.left.append((parameter, f"{name}: {why}"))
            elif name in _REPLACED:
                new[name] = _REPLACED[name]
            elif name in _UDP:
                self.left.append((parameter, f"{name}: {_WAY_OF_UDP}"))
        if not new:
            return updated_node
        renamed = updated_node.visit(_Names(new))
        assert isinstance(renamed, cst.FunctionDef)
        return renamed

    def _against(self, function: Function, name: str) -> str:
        """Return why a name has to stay, or "" if it can be replaced."""
        new = _REPLACED[name]
        if any(
            isinstance(node, ast.Name | ast.arg) and new in {getattr(node, "id", ""), getattr(node, "arg", "")}
            for node in ast.walk(function.node)
        ):
            return f"the function has something else with the name {new} already"
        if self._suite.find(new, function.path, function.class_name) is not None:
            return f"the suite has a fixture {new} of its own"
        fixtures = self._suite.fixtures.get(function.node.name, ())
        if any(each.function is function and each.scope != SCOPE_NAMES[0] for each in fixtures):
            return f"looprig's {new} is for one test, and this fixture lives longer; use looprig.net.PortFactory"
        if any(_is_binding(node) and name in ast.unparse(node) for node in ast.walk(function.node)):
            return f"looprig holds the ports of {new}, so a socket can bind one only with SO_REUSEADDR"
        return ""


def _is_binding(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "bind"


@final
class _Names(cst.CSTTransformer):
    """Renames a function's variables, but not attributes and keywords with the same names."""

    def __init__(self, new: dict[str, str]) -> None:
        super().__init__()
        self._new = new

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return updated_node.with_changes(value=self._new.get(updated_node.value, updated_node.value))

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)
