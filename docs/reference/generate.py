"""Writes the reference from the docstrings, signatures, options and fixtures of the sources.

    python docs/reference/generate.py

Reads the sources and runs nothing of them but `add_options` and the table of markers, so that what it writes is the
same on every Python. Does not judge: a test holds what is written against what would be
(`tests/docs/test_reference.py`).
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from looprig.pytest_plugin.markers import MARKERS
from looprig.pytest_plugin.options import add_options

__all__ = ["main", "pages"]

HERE: Final = Path(__file__).resolve().parent
SOURCES: Final = HERE.parents[1] / "src"
NOTE: Final = "<!-- Written by docs/reference/generate.py from the sources: change those. -->"

TOPICS: Final = {
    "Declare": ("service_fixture", "Fixture", "loop_config", "LoopConfig", "timeout"),
    "Services": (
        "AiohttpService",
        "AsgiService",
        "AsgiApp",
        "TcpService",
        "ProcessService",
        "StartsAndStops",
        "Runs",
        "EntersItself",
    ),
    "Ask a service over HTTP": ("TestClient", "Response"),
    "While a test runs": ("ask", "current_context", "Context", "Key", "Entrypoint"),
    "Outside pytest": ("rig", "Rig"),
}
PACKAGES: Final = {
    "looprig.toxics": ("Toxics for TCP", "These, and the effects for a toxic of your own, come from `looprig.toxics`."),
    "looprig.toxics.udp": (
        "Toxics for UDP",
        "These come from `looprig.toxics.udp`, their effects from `looprig.toxics`.",
    ),
    "looprig.net": ("What a proxy returns", "These come from `looprig.net`."),
    "looprig.net.tcp": ("A connection through a TCP proxy", "This comes from `looprig.net.tcp`."),
    "looprig.net.udp": ("A connection through a UDP proxy", "This comes from `looprig.net.udp`."),
    "looprig.http": ("What a client returns", "These come from `looprig.http`. You rarely name them."),
}
WIDTH: Final = 100

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    """Write all pages."""
    for name, text in pages().items():
        (HERE / name).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """The pages by file name."""
    made = {"pytest.md": _pytest_page(), "names.md": _names_page(), "errors.md": _errors_page()}
    texts = {name: "\n".join([NOTE, "", *lines]).rstrip() + "\n" for name, lines in made.items()}
    return {name: re.sub(r"\n{3,}", "\n\n", text) for name, text in texts.items()}


# Options, markers and fixtures


class _Options:
    """Stands for pytest's parser and notes what is added to it."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str]] = []
        self.inis: list[tuple[str, str, str]] = []

    def getgroup(self, *_: str) -> "_Options":
        return self

    def addoption(self, name: str, *, help: str, metavar: str = "", nargs: str = "", **_: Any) -> None:  # noqa: A002 - pytest's name
        value = f"={metavar}" if metavar else ""
        self.options.append((f"{name}[{value}]" if nargs else f"{name}{value}", re.sub(r" \(ini: \w+\)", "", help)))

    def addini(self, name: str, help: str, *, default: object = None, **_: Any) -> None:  # noqa: A002 - as above
        self.inis.append((name, help, "" if default in (None, "", []) else str(default).lower()))


def _pytest_page() -> Iterator[str]:
    noted: Any = _Options()
    add_options(noted)
    yield from ("# Options, markers and fixtures", "", "## Command line", "")
    yield from ("| option | meaning |", "| --- | --- |")
    yield from (f"| `{option}` | {meaning} |" for option, meaning in noted.options)
    yield from ("", "## Ini file", "", "The command line goes before the ini file.", "")
    yield from ("| option | meaning | default |", "| --- | --- | --- |")
    yield from (
        f"| `{name}` | {meaning} | {f'`{default}`' if default else ''} |" for name, meaning, default in noted.inis
    )
    yield from ("", "## Markers", "", "| marker | meaning |", "| --- | --- |")
    yield from (f"| `{marker}` | {meaning} |" for marker, _, meaning in (line.partition(": ") for line in MARKERS))
    yield from ("", "## Fixtures", "", "Each can be overridden in a conftest, module or class.", "")
    yield from ("| fixture | scope | what it gives |", "| --- | --- | --- |")
    fixtures = [
        f"| `{node.name}` | {scope} | {' '.join(_doc(node).split())} |"
        for file in SOURCES.joinpath("looprig", "pytest_plugin").glob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, Function) and (scope := _fixture_scope(node))
    ]
    # By name, since which file of the plugin has one is the plugin's business.
    yield from sorted(fixtures, key=lambda row: row.split("`")[1])
    yield from ("", "A service class is a fixture too, called like the class in snake_case or as `name=` says.")


def _fixture_scope(node: Function) -> str:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.fixture":
            scopes = [ast.literal_eval(each.value) for each in decorator.keywords if each.arg == "scope"]
            if node.name in {"loop", "event_loop"}:
                return "any"  # it is answered anew for each request
            return str(scopes[0]) if scopes else "function"
        if ast.unparse(decorator) == "pytest.fixture":
            return "function"
    return ""


# Public names


def _names_page() -> Iterator[str]:
    modules = _public("looprig")
    errors = set(_classes("looprig.exceptions"))
    placed = {name for names in TOPICS.values() for name in names} | errors | {"__version__"}
    topics = {**TOPICS, "Other": tuple(sorted(set(modules) - placed))}
    yield from (
        "# Public names",
        "",
        "Most of these come from `looprig` itself: `from looprig import service_fixture`.",
    )
    yield from (
        "Toxics and a few more come from packages of their own, at the end of this page. The",
        "[errors](errors.md)",
    )
    yield from ("have a page of their own.",)
    for topic, names in topics.items():
        if known := [name for name in names if name in modules]:
            yield from ("", f"## {topic}")
            for name in known:
                yield from _entry(name, modules[name], "###")
    for package, (topic, text) in PACKAGES.items():
        yield from ("", f"## {topic}", "", text)
        for name, module in _public(package).items():
            if name not in modules:
                yield from _entry(name, module, "###")


def _errors_page() -> Iterator[str]:
    face = ", ".join(f"`{name}`" for name in _public("looprig") if name in _classes("looprig.exceptions"))
    yield from ("# Errors", "", f"All come from `looprig.exceptions`. From `looprig` itself you can import {face} too.")
    for name, node in _classes("looprig.exceptions").items():
        yield from ("", f"## {name}", "", f"`{name}({', '.join(ast.unparse(base) for base in node.bases)})`", "")
        yield from _markdown(_doc(node))


def _entry(name: str, module: str, heading: str) -> Iterator[str]:
    found = _definitions(name, module)
    yield from ("", f"{heading} {name}")
    for node in found:
        if isinstance(node, ast.ClassDef):
            yield from _class_entry(node)
        else:
            yield from _function_entry(node, found)


def _function_entry(node: Function, found: "list[Definition]") -> Iterator[str]:
    overloads = [each for each in found if isinstance(each, Function) and _is_overload(each)]
    if _is_overload(node):
        return
    yield from ("", "```py", *(line for each in overloads or [node] for line in _signature(each)), "```", "")
    yield from _markdown(_doc(node))


def _class_entry(node: ast.ClassDef) -> Iterator[str]:
    yield from ("", "```py", *_constructor(node), "```", "")
    yield from _markdown(_doc(node))
    shown: set[str] = set()
    for member in node.body:
        if not isinstance(member, Function) or member.name.startswith("_") or member.name in shown:
            continue
        shown.add(member.name)
        same = [each for each in node.body if isinstance(each, Function) and each.name == member.name]
        text = " ".join(_doc(same[-1]).split("\n\n")[0].split())
        if any(ast.unparse(each) == "property" for each in member.decorator_list):
            kind = f": {ast.unparse(member.returns)}" if member.returns else ""
            yield from ("", f"- **`{member.name}{kind}`** (property): {text}")
            continue
        signatures = [each for each in same if _is_overload(each)] or same
        written = "; ".join(f"`{' '.join(_signature(each, method=True, wide=True))}`" for each in signatures)
        yield from ("", f"- **{written}**: {text}")


def _constructor(node: ast.ClassDef) -> Iterator[str]:
    for member in node.body:
        if isinstance(member, Function) and member.name == "__init__":
            yield from _wrapped(f"class {node.name}", _parameters(member.args, method=True), "")
            return
    bases = [ast.unparse(base) for base in node.bases]
    if not _is_dataclass(node):
        yield f"class {node.name}({', '.join(bases)})" if bases else f"class {node.name}"
        return
    fields = [
        f"{ast.unparse(each.target)}: {ast.unparse(each.annotation)}{_default(each.value)}"
        for each in node.body
        if isinstance(each, ast.AnnAssign) and not ast.unparse(each.target).startswith("_")
    ]
    yield from _wrapped(f"class {node.name}", fields, "")


def _default(value: ast.expr | None) -> str:
    """The default of a field, without the function that declares it."""
    if value is None:
        return ""
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"config_field", "field"}:
        factories = [each.value for each in value.keywords if each.arg in {"factory", "default_factory"}]
        given = ast.unparse(value.args[0]) if value.args else f"{ast.unparse(factories[0])}()" if factories else "..."
        return f" = {given}"
    return f" = {ast.unparse(value)}"


def _signature(node: Function, *, method: bool = False, wide: bool = False) -> Iterator[str]:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    decorators = {ast.unparse(each) for each in node.decorator_list}
    if "asynccontextmanager" in decorators:
        yield "@asynccontextmanager"
    name = node.name if method else f"{keyword} {node.name}"
    if method and isinstance(node, ast.AsyncFunctionDef):
        name = f"await {name}" if "AsyncIterator" not in returns else name
    parameters = _parameters(node.args, method=method)
    if wide:
        yield f"{name}({', '.join(parameters)}){returns}"
    else:
        yield from _wrapped(name, parameters, returns)


def _wrapped(name: str, parameters: list[str], returns: str) -> Iterator[str]:
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{name}("
    yield from (f"    {each}," for each in parameters)
    yield f"){returns}"


def _parameters(arguments: ast.arguments, *, method: bool) -> list[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    parts = [
        _parameter(each, default) for each, default in zip(positional, [*defaults, *arguments.defaults], strict=True)
    ]
    if arguments.posonlyargs:
        parts.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg is not None:
        parts.append(f"*{_parameter(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        parts.append("*")
    parts += [_parameter(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg is not None:
        parts.append(f"**{_parameter(arguments.kwarg, None)}")
    return parts[1:] if method else parts


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    if default is None:
        return f"{argument.arg}{kind}"
    return f"{argument.arg}{kind} = {ast.unparse(default)}" if kind else f"{argument.arg}={ast.unparse(default)}"


# Docstrings


def _markdown(doc: str) -> Iterator[str]:
    """A docstring as Markdown: its sections as lists, and what looks like a session as one."""
    section = re.compile(r"(Args|Raises|Returns|Yields):$")
    for block in doc.split("\n\n"):
        lines = block.splitlines()
        if lines and section.match(lines[0]):
            yield from (f"{'Parameters' if lines[0] == 'Args:' else lines[0].rstrip(':')}:", "")
            yield from _items(textwrap.dedent("\n".join(lines[1:])).splitlines())
        elif lines and lines[0].startswith(">>>"):
            yield from ("```pycon", *lines, "```")
        else:
            yield from lines
        yield ""


def _items(lines: list[str]) -> Iterator[str]:
    item = ""
    for line in lines:
        if item and line.startswith(" "):
            item += f" {line.strip()}"
            continue
        if item:
            yield item
        name, colon, text = line.partition(": ")
        item = f"- `{name}`: {text}" if colon else f"- {line}"
    if item:
        yield item


# Sources


def _tree(module: str) -> ast.Module:
    path = SOURCES.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def _public(package: str) -> dict[str, str]:
    """The names that a package hands on, with the modules that define them."""
    return {
        alias.name: node.module
        for node in ast.walk(_tree(package))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("looprig")
        for alias in node.names
        if alias.asname == alias.name
    }


def _definitions(name: str, module: str) -> list[Definition]:
    """What a module calls `name`, which it may itself have from another one."""
    found = [node for node in _tree(module).body if isinstance(node, Definition) and node.name == name]
    for node in _tree(module).body if not found else ():
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return _definitions(name, node.module)
    return found


def _classes(module: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in _tree(module).body if isinstance(node, ast.ClassDef)}


def _doc(node: Definition) -> str:
    return inspect.cleandoc(ast.get_docstring(node) or "")


def _is_overload(node: Function) -> bool:
    return any(ast.unparse(each) == "overload" for each in node.decorator_list)


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(each) for each in node.decorator_list)


if __name__ == "__main__":
    main()
