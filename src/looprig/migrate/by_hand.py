"""The places to change by hand, since only their author knows their purpose, each with a reason and advice.

Looks at modules after all rewritings, so that it finds only what is left.
"""

import ast
from typing import Final, final

import libcst as cst

from looprig.migrate.names import imported
from looprig.migrate.rewriting import File

__all__ = ["find_by_hand"]

_FIXTURES: Final = {
    "event_loop": "delete it if its purpose is that fixtures and tests share a loop, since looprig ensures that; "
    'for one loop for all tests, call loop_config(scope="session") in the top conftest.py',
    "event_loop_policy": "set the ini option loop_factory, or call loop_config(factory=...)",
    "aiomisc_test_timeout": "use @looprig.timeout(seconds), or loop_config(timeout=seconds)",
    "loop_debug": "call loop_config(debug=True)",
    "aiomisc_func_wrap": "looprig has nothing to wrap",
}
_HOOKS: Final = {"pytest_asyncio_loop_factories": "call loop_config(factories={...})"}
_REQUESTED: Final = {
    "aiohttp_server": "declare an AiohttpService, and request it",
    "aiohttp_raw_server": "write a service class with a `url`",
    "aiohttp_client_cls": "write functions that take a TestClient",
    "anyio_backend_name": "looprig runs only on asyncio",
    "aiomisc_socket_factory": "use unused_port_factory",
}
_MARKS: Final = {"pytest.mark.asyncio": "asyncio", "pytest.mark.anyio": "anyio"}
_WORDS: Final = (
    *(name.encode() for name in (*_FIXTURES, *_HOOKS, *_REQUESTED)),
    *(b"pytest_asyncio", b"mark.asyncio", b"mark.anyio", b"plugin", b"importorskip", b"add_marker"),
)
_LOADERS: Final = frozenset({"importorskip", "hasplugin", "get_plugin", "getplugin", "add_marker"})
_LOADED: Final = frozenset({"asyncio", "pytest_asyncio", "pytest_aiohttp", "anyio", "aiomisc_pytest"})


def find_by_hand(file: File) -> None:
    """Record what is left to do by hand in a module."""
    if not any(word in file.text for word in _WORDS):
        return
    finding = _Finding(file)
    file.module.visit(finding)
    file.leave(*finding.left)


@final
class _Finding(cst.CSTVisitor):
    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file
        self._names = file.names
        self._functions: list[cst.FunctionDef] = []
        self._is_aiomisc = any(origin.startswith("aiomisc") for origin in file.names.origins.values())
        self._marks: dict[str, cst.CSTNode] = {}
        self.left: list[tuple[cst.CSTNode, str]] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        name = node.name.value
        is_fixture = any(self._names.called(each.decorator).endswith("fixture") for each in node.decorators)
        is_outer = not self._functions
        self._functions.append(node)
        if is_fixture and name in _FIXTURES and not (self._is_aiomisc and name == "event_loop"):
            self.left.append((node, f"the fixture {name}: {_FIXTURES[name]}"))
        elif name in _HOOKS:
            self.left.append((node, f"the hook {name}: {_HOOKS[name]}"))
        if is_outer and (is_fixture or name.startswith("test")):
            for each in (*node.params.params, *node.params.kwonly_params):
                wanted = each.name.value
                if wanted in _REQUESTED and wanted not in self._file.suite.fixtures:
                    self.left.append((each, f"{wanted}: {_REQUESTED[wanted]}"))

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self._functions.pop()

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        for _, origin in imported(node):
            if origin.startswith("pytest_asyncio."):
                self.left.append((node, f"{origin.partition('.')[2]} is pytest-asyncio's; {_way_without(origin)}"))
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool | None:
        name = self._names.of(node)
        if name in _MARKS:
            hook = self._functions[0].name.value if self._functions else ""
            self._note_mark(node, name, hook)
            return False
        if name.startswith("pytest_asyncio."):
            self.left.append((node, f"{name.partition('.')[2]} is pytest-asyncio's; {_way_without(name)}"))
            return False
        return None

    def _note_mark(self, node: cst.CSTNode, name: str, hook: str) -> None:
        if hook.startswith("pytest_"):
            why = f"{hook} adds a mark that looprig does not need: it runs every async test"
            self.left.append((node, why))
        elif name == "pytest.mark.anyio":
            if name not in self._marks:
                self._marks[name] = node
                why = (
                    "anyio runs tests with this mark on Trio too, or on asyncio with options; to use only asyncio, "
                    'define a fixture anyio_backend that returns "asyncio"'
                )
                self.left.append((node, why))
        else:
            self.left.append((node, "the mark has arguments, or is in a place where only you can tell its purpose"))

    def visit_Call(self, node: cst.Call) -> None:
        called = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        if called in _LOADERS and node.args and isinstance(node.args[0].value, cst.SimpleString):
            value = ast.literal_eval(node.args[0].value.value)
            if value in _LOADED and not (called == "importorskip" and value in {"asyncio", "anyio"}):
                self.left.append((node, f"{called}({value!r}): looprig needs no such mark or plugin"))


def _way_without(origin: str) -> str:
    if origin.endswith("is_async_test"):
        return (
            "if it chooses tests to mark, remove it, since looprig needs no mark; otherwise use "
            "inspect.iscoroutinefunction(item.obj)"
        )
    return "looprig has no such name"
