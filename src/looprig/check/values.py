"""The values of a parametrization, as expressions whose types a checker sees.

Does not run user code, not even `repr`: all but plain values are known by their classes.

Invariants:
1. A container is written as a display, `[1, 2]`, so that a checker judges it as it would judge the suite's own text.
2. A value whose class can't be named is inexpressible, and not guessed at.
"""

import enum
import sys
import types
from collections.abc import Iterable
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final, final

from looprig.check.typetext import InexpressibleError, Known, Text, Writer

__all__ = ["Value", "holds_new_types"]

_PLAIN: Final = (int, float, complex, str, bytes, bool, type(None), type(...))
_TYPE_EXPRESSIONS: Final = (types.GenericAlias, types.UnionType, type(list[int]))
_NAMED_IN_TYPES: Final[dict[type, str]] = {
    value: name for name, value in vars(types).items() if isinstance(value, type) and value.__module__ == "builtins"
}
"""Classes that claim to be builtins, but can't be found there."""
_LONGEST: Final = 200  # characters of a text, items of a container: beyond it, only the type is written
_INSTANCE: Final = "_instance"
_WIDEST: Final = 40  # characters of a value in a message
_DEEPEST: Final = 6


@final
@dataclass(frozen=True, slots=True)
class Value:
    """A value. `shown` is not its `repr` where that would run a suite's code."""

    value: Any

    def render(self, writer: Writer) -> Text:
        """Return an expression, without names to probe: that a class is known is enough for its values.

        Raises:
            InexpressibleError: there is none for it.
        """
        return Text(_expression(self.value, writer, 0))

    def key(self) -> object:
        """Return `None`: equal values need not be of one type."""
        return None

    def shown(self) -> str:
        """Return the value as people write it."""
        text = _shown(self.value, 0)
        return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _shown(value: Any, depth: int) -> str:
    kind = _kind(value)
    if kind in _PLAIN:
        return repr(value[:_LONGEST] if isinstance(value, str | bytes) else value)
    if issubclass(kind, enum.Enum):
        return f"{kind.__qualname__}.{value.name}"
    if isinstance(value, type):
        return f"type[{value.__qualname__}]"
    if isinstance(value, FunctionType | BuiltinFunctionType):
        return value.__qualname__
    if kind in {list, tuple, set, dict} and 0 < len(value) <= _LONGEST and depth < _DEEPEST:
        return _shown_display(value, depth + 1)
    return kind.__qualname__


def _shown_display(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        items = [f"{_shown(key, depth)}: {_shown(item, depth)}" for key, item in _pairs(value)]
    else:
        items = [_shown(item, depth) for item in value]
    opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")") if isinstance(value, tuple) else ("{", "}")
    return f"{opening}{', '.join(items)}{closing}"


def _expression(value: Any, writer: Writer, depth: int) -> str:
    kind = _kind(value)
    if depth > _DEEPEST:
        raise InexpressibleError("it is nested too deeply")
    if kind in _PLAIN:
        return _plain(value)
    if issubclass(kind, enum.Enum) and (value.name or "").isidentifier():  # flags may have no name
        return f"{_class(kind, writer)}.{value.name}"
    if isinstance(value, _TYPE_EXPRESSIONS):
        raise InexpressibleError("it is a type expression")
    if isinstance(value, type):
        return _class(value, writer)
    if kind in {list, tuple, set, frozenset, dict} and len(value) <= _LONGEST:
        return _display(value, writer, depth)
    if isinstance(value, FunctionType | BuiltinFunctionType | ModuleType):
        return _global(value, writer)
    return f"{_INSTANCE}({_class(kind, writer)})"


def _kind(value: object) -> type[object]:
    return type(value)


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items()  # type: ignore[no-any-return]


def _plain(value: Any) -> str:
    if isinstance(value, str | bytes):
        return repr(value[:_LONGEST])  # which is no more and no less of a literal
    if isinstance(value, float | complex):  # inf and nan have no literal
        return f"{type(value).__name__}()"
    return "..." if value is ... else repr(value)


def _display(value: Any, writer: Writer, depth: int) -> str:
    def write(item: Any) -> str:
        return _expression(item, writer, depth + 1)

    if isinstance(value, dict):
        pairs = _pairs(value)
        return "{" + ", ".join(f"{write(key)}: {write(item)}" for key, item in pairs) + "}"
    items = [write(item) for item in value]
    if isinstance(value, list):
        return f"[{', '.join(items)}]"
    if isinstance(value, tuple):
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    inner = f"{{{', '.join(items)}}}" if items else "set()"
    return inner if isinstance(value, set) else f"frozenset({inner if items else ''})"


def _class(cls: type, writer: Writer) -> str:
    # Private classes of the standard library are seen as what they are a kind of. With others that would say too
    # little: a class may fulfil a Protocol that its bases do not.
    is_private = cls.__module__.partition(".")[0] in sys.stdlib_module_names
    for base in cls.__mro__[:-1] if is_private and cls is not object else (cls,):
        if (name := _NAMED_IN_TYPES.get(base)) is not None:
            return Known("types", name).render(writer).code
        if (module := _home(base)) is not None:
            return Known(module, base.__qualname__).render(writer).code
    raise InexpressibleError(f"{cls.__qualname__} cannot be imported")


def _home(value: Any) -> str | None:
    """Return the module that has a thing under its own name, or a package around it."""
    module: str = getattr(value, "__module__", None) or ""
    while module:
        found: Any = sys.modules.get(module)
        for part in value.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is value:
            return module
        module = module.rpartition(".")[0]
    return None


def _global(value: Any, writer: Writer) -> str:
    if isinstance(value, ModuleType):
        raise InexpressibleError("it is a module")
    if (module := _home(value)) is None:
        raise InexpressibleError(f"{value.__qualname__} cannot be imported")
    return Known(module, value.__qualname__).render(writer).code


def holds_new_types(annotation: Any, depth: int = 0) -> bool:
    """Return whether an annotation names a NewType, of which no trace is left in a value at run time."""
    if hasattr(annotation, "__supertype__"):
        return True
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return depth < _DEEPEST and any(holds_new_types(each, depth + 1) for each in arguments)
