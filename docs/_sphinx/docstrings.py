"""Docstrings of the public names, turned into what autodoc reads.

They are written as plain text with single backticks for code and indented examples. Sections such as `Raises:` are left
to napoleon.

Invariant: a name becomes a link only if it is public and documented, so that no link is broken.
"""

import dataclasses
import inspect
import re
import typing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from docutils.nodes import TextElement, document, paragraph
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import inspect as sphinx_inspect

PACKAGES: Final = (
    "looprig",
    "looprig.exceptions",
    "looprig.http",
    "looprig.kits",
    "looprig.net",
    "looprig.net.tcp",
    "looprig.net.udp",
    "looprig.toxics",
    "looprig.toxics.udp",
)
PUBLIC: Final = {name for package in PACKAGES for name in import_module(package).__all__}
_SECTION: Final = re.compile(r"(?:Args|Attributes|Configuration|Raises|Returns|Yields):$")
_COLON: Final = "\N{RATIO}"  # napoleon takes what is before a colon in the docstring of an attribute for its type
# Not a single lower-case word: `timeout` is more often a parameter than the decorator, which is written `timeout()`.
_NAME: Final = re.compile(r"[A-Z]\w*(?:\.\w+)?(?:\(\))?|[a-z]+_\w+(?:\(\))?|[a-z]+\(\)")
_MADE: Final = re.compile(r"<factory>|<[\w.]+ object at 0x\w+>")
_CODE: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks with Sphinx."""
    for package in PACKAGES:
        _analyze(import_module(package))
    app.connect("autodoc-process-docstring", _rewrite, priority=400)  # napoleon comes later
    app.connect("autodoc-process-docstring", _restore, priority=600)
    app.connect("autodoc-skip-member", _skip_faults)
    app.connect("autodoc-process-signature", _readable)
    app.connect("autodoc-process-bases", _hide_private_bases)
    app.connect("doctree-read", _drop_empty_bases)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True}


def _analyze(package: ModuleType) -> None:
    """Let autodoc find the overloads and the order of members of names that a package hands on.

    autodoc looks into the source of `__module__`, which is the public package.
    """
    for name in package.__all__:
        getattr(package, name)  # loads it
    homes = set(_homes(package.__name__).values())
    if not homes:
        return
    source = "\n".join(Path(str(import_module(home).__file__)).read_text("utf-8") for home in sorted(homes))
    ModuleAnalyzer.cache["module", package.__name__] = ModuleAnalyzer(source, package.__name__, package.__name__)


def _rewrite(_: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    text: list[str] = []
    in_section = in_code = False
    for index, line in enumerate(lines):
        indented = line.startswith("    ")
        if line.strip() and not indented:
            in_section, in_code = _SECTION.match(line) is not None, False
        elif indented and not in_section and not in_code and (index == 0 or not lines[index - 1].strip()):
            text += [".. code-block:: python", ""]
            in_code = True
        text.append(line)
    if text and what in {"attribute", "data", "property"}:
        text[0] = text[0].replace(":", _COLON)
    lines[:] = _CODE.sub(lambda match: _role(match[1], name), "\n".join(text)).split("\n")


def _hide_private_bases(_: Sphinx, name: str, obj: Any, options: Any, bases: list[Any]) -> None:
    """Leave only what a reader can look up; the members of private bases are listed with the class."""
    bases[:] = [base for base in bases if _tells(typing.get_origin(base) or base)]


def _skip_faults(_: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out how each toxic makes its fault. How a toxic works is documented once, with their base."""
    is_fault = name.startswith("on_") and not str(getattr(obj, "__qualname__", "")).startswith("Toxic.")
    return True if is_fault else None


def _readable(_: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str) -> Any:
    """Write defaults as code that Sphinx can parse, since it doesn't link the types in a signature otherwise."""
    if signature is None:
        return None
    if what == "class" and dataclasses.is_dataclass(obj):
        # A toxic's `__new__` takes anything, to report what is wrong, and Python's own `signature` prefers it.
        own = sphinx_inspect.signature(obj.__init__, bound_method=True)
        signature = sphinx_inspect.stringify_signature(own, show_return_annotation=False, unqualified_typehints=True)
    return _MADE.sub("...", signature).replace("('<unknown>', 0)", "..."), returns


def _tells(base: type) -> bool:
    if base.__module__.startswith("looprig"):
        return base.__module__ in PACKAGES
    return base.__name__ not in {"object", "ABC", "Generic", "Protocol"}


def _drop_empty_bases(_: Sphinx, doctree: document) -> None:
    """Drop the line that autodoc writes for a class without a base to show."""
    for each in [*doctree.findall(paragraph)]:
        if each.astext().strip() == "Bases:":
            each.parent.remove(each)


def _resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: TextElement) -> Any:
    """Link `looprig.services.context.Key`, the module in which `looprig.Key` is defined, to the public name.

    An annotation such as `Key[T]` keeps the `__module__` that the class had when the annotation was evaluated.
    """
    module, _, name = node.get("reftarget", "").rpartition(".")
    public = next((package for package in PACKAGES if _homes(package).get(name) == module), None)
    if node.get("refdomain") != "py" or public is None:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{public}.{name}", node, content)


def _homes(package: str) -> dict[str, str]:
    return getattr(import_module(package), "_HOMES", {})


def _restore(_: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line.replace(_COLON, ":") for line in lines]


def _role(code: str, context: str) -> str:
    target = _target(code.removesuffix("()"), context) if _NAME.fullmatch(code) else ""
    return f":py:obj:`{code} <{target}>`" if target else f"``{code}``"


def _target(code: str, context: str) -> str:
    """Return the full name of the public object that `code` names, or an empty string."""
    if context.rpartition(".")[2] == code:
        return ""
    head, _, member = code.partition(".")
    for package in PACKAGES:
        module = import_module(package)
        if head not in module.__all__:
            continue
        found = getattr(module, head)
        if not member:
            return f"{found.__module__}.{head}" if hasattr(found, "__module__") else ""
        if inspect.isclass(found) and _is_documented(found, member):
            return f"{found.__module__}.{code}"
    return ""


def _is_documented(cls: type, member: str) -> bool:
    return bool(getattr(vars(cls).get(member), "__doc__", None))
