"""The values of a parametrization, as expressions with types that a checker can infer.

Does not run user code, not even `repr`: a value that isn't plain data is described only by its class.

Invariants:
1. A container is written as a display, `[1, 2]`, so that a checker treats it like the same text in the suite.
2. A value whose class can't be named is inexpressible. Its type is never guessed.
3. A value is shown in the same way in each run: without memory addresses, and with sets in order.
"""

import enum
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final, final

from looprig.check.names import Origin
from looprig.check.typetext import InexpressibleError, Known, Text, Writer

__all__ = ["Value"]

_MOST_BITS: Final = 2048
"""Maximum number of bits of an integer to write in decimal digits, since Python refuses to convert very long ones."""

_PLAIN: Final = (int, float, complex, str, bytes, bool, type(None), type(...))
_TYPE_EXPRESSIONS: Final = (types.GenericAlias, types.UnionType, type(list[int]))
_NAMED_IN_TYPES: Final[dict[type, str]] = {
    value: name for name, value in vars(types).items() if isinstance(value, type) and value.__module__ == "builtins"
}
"""Classes that claim to be builtins, but can't be found there."""
_LONGEST: Final = 200  # maximum number of characters or items. For a longer value, only the type is written
_INSTANCE: Final = "_instance"
_TUPLE: Final = "_tuple"
_CONTAINERS: Final = frozenset({list, tuple, set, frozenset, dict})
_NO_NAMES: Final[Mapping[str, str]] = {}
_WIDEST: Final = 40  # maximum number of characters of a value in a message
_DEEPEST: Final = 6


@final
@dataclass(frozen=True, slots=True)
class Value:
    """A value. `shown` is not its `repr` if that would run the suite's code."""

    value: Any

    def render(self, writer: Writer) -> Text:
        """Return an expression for the value. It has no names to probe, since a value always has a known class.

        Raises:
            InexpressibleError: the value can't be written as an expression.
        """
        depths = [None, *_open_depths(self.value, 0)]
        code, *others = dict.fromkeys(_expression(self.value, writer, 0, opened) for opened in depths)
        return Text(code, (), tuple(others))

    def key(self) -> object:
        """Return `None`, since equal values need not have the same type."""
        return None

    def names(self) -> Mapping[str, Origin]:
        """Return the classes that `shown` mentions."""
        cls = self.value if isinstance(self.value, type) else _kind(self.value)
        return {} if cls in _PLAIN else {cls.__qualname__: Origin(cls.__module__, cls.__qualname__)}

    def shown(self, names: Mapping[str, str] = _NO_NAMES) -> str:
        """Return the value as a person would write it, or its type if that is shorter."""
        text = _shown(self.value, names, 0)
        if len(text) <= _WIDEST:
            return text
        if _kind(self.value) in _CONTAINERS:
            return _shown_type(self.value, names, 0)
        return f"{text[: _WIDEST - 3]}..."


def _shown(value: Any, names: Mapping[str, str], depth: int) -> str:
    kind = _kind(value)
    if kind in _PLAIN:
        return repr(value[:_LONGEST] if isinstance(value, str | bytes) else value)
    if issubclass(kind, enum.Enum):
        name = _named(kind, names)
        return f"{name}({_shown(value.value, names, depth)})" if value.name is None else f"{name}.{value.name}"
    if isinstance(value, type):
        return f"type[{_named(value, names)}]"
    if isinstance(value, FunctionType | BuiltinFunctionType):
        return value.__qualname__.rpartition("<locals>.")[2]
    if kind in _CONTAINERS and len(value) <= _LONGEST and depth < _DEEPEST:
        return _shown_display(value, names, depth + 1)
    return _named(kind, names)


def _shown_display(value: Any, names: Mapping[str, str], depth: int) -> str:
    if isinstance(value, dict):
        pairs = _pairs(value)
        return f"{{{', '.join(f'{_shown(key, names, depth)}: {_shown(item, names, depth)}' for key, item in pairs)}}}"
    items = [_shown(item, names, depth) for item in value]
    if isinstance(value, list):
        return f"[{', '.join(items)}]"
    if isinstance(value, tuple):
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    # Sorted, since the order of strings in a set changes with each run.
    inner = f"{{{', '.join(sorted(items))}}}" if items else "set()"
    return inner if isinstance(value, set) else f"frozenset({inner if items else ''})"


def _shown_type(value: Any, names: Mapping[str, str], depth: int) -> str:
    kind = _kind(value)
    name = "None" if value is None else _named(kind, names)
    if kind not in _CONTAINERS or not value or depth >= _DEEPEST:
        return name

    def union(items: Iterable[Any]) -> str:
        shown = dict.fromkeys(_shown_type(item, names, depth + 1) for item in items)
        return " | ".join(sorted(shown, key=lambda each: (each == "None", each)))

    if isinstance(value, dict):
        keys, items = zip(*_pairs(value), strict=True)
        return f"{name}[{union(keys)}, {union(items)}]"
    return f"{name}[{union(value)}{', ...' if isinstance(value, tuple) else ''}]"


def _named(cls: type, names: Mapping[str, str]) -> str:
    return names.get(cls.__qualname__) or cls.__qualname__.rpartition("<locals>.")[2]


def _open_depths(value: Any, depth: int) -> list[int]:
    """Return the depths of tuples that hold other containers.

    Checkers infer the types of a tuple's items without considering the declared type, unless that is a tuple of this
    length. So `({"a": 1},)` would not match `Collection[dict[str, int | str]]`. As alternatives, the tuples from each
    of these depths on are written as calls that return a tuple of any length.
    """
    if _kind(value) not in _CONTAINERS or depth >= _DEEPEST or len(value) > _LONGEST:
        return []
    items: Iterable[Any] = [item for _, item in _pairs(value)] if isinstance(value, dict) else value
    below = [found for item in items for found in _open_depths(item, depth + 1)]
    is_open = isinstance(value, tuple) and any(_kind(item) in _CONTAINERS for item in items)
    return sorted({*below, *([depth] if is_open else [])})


def _expression(value: Any, writer: Writer, depth: int, opened: int | None) -> str:
    kind = _kind(value)
    if depth > _DEEPEST:
        raise InexpressibleError("it is nested too deeply")
    if kind in _PLAIN:
        return _plain(value)
    if issubclass(kind, enum.Enum) and (value.name or "").isidentifier():  # combined flags may have no name
        return f"{_class(kind, writer)}.{value.name}"
    if isinstance(value, _TYPE_EXPRESSIONS):
        raise InexpressibleError("it is a type expression")
    if isinstance(value, type):
        return _class(value, writer)
    if kind in _CONTAINERS and len(value) <= _LONGEST:
        return _display(value, writer, depth, opened)
    if isinstance(value, FunctionType | BuiltinFunctionType | ModuleType):
        return _global(value, writer)
    return f"{_INSTANCE}({_class(kind, writer)})"


def _kind(value: object) -> type[object]:
    return type(value)


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items()  # type: ignore[no-any-return]


def _plain(value: Any) -> str:
    if isinstance(value, str | bytes):
        return repr(value[:_LONGEST])  # which is a literal just as well
    if isinstance(value, float | complex):  # inf and nan have no literal
        return f"{type(value).__name__}()"
    if type(value) is int:
        return hex(value) if value.bit_length() > _MOST_BITS else repr(value)
    return "..." if value is ... else repr(value)


def _display(value: Any, writer: Writer, depth: int, opened: int | None) -> str:
    def write(item: Any) -> str:
        return _expression(item, writer, depth + 1, opened)

    if isinstance(value, dict):
        pairs = _pairs(value)
        return "{" + ", ".join(f"{write(key)}: {write(item)}" for key, item in pairs) + "}"
    items = [write(item) for item in value]
    if isinstance(value, list):
        return f"[{', '.join(items)}]"
    if isinstance(value, tuple) and opened is not None and depth >= opened and items:
        return f"{_TUPLE}({', '.join(items)})"
    if isinstance(value, tuple):
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    inner = f"{{{', '.join(items)}}}" if items else "set()"
    return inner if isinstance(value, set) else f"frozenset({inner if items else ''})"


def _class(cls: type, writer: Writer) -> str:
    # A private class of the standard library is replaced by its public base class. For other classes that would lose
    # information: a class may implement a Protocol that its base classes don't.
    is_private = cls.__module__.partition(".")[0] in sys.stdlib_module_names
    for base in cls.__mro__[:-1] if is_private and cls is not object else (cls,):
        if (name := _NAMED_IN_TYPES.get(base)) is not None:
            return Known("types", name).render(writer).code
        if (module := _home(base)) is not None:
            return Known(module, base.__qualname__).render(writer).code
    raise InexpressibleError(f"{cls.__qualname__} cannot be imported")


def _home(value: Any) -> str | None:
    """Return the module, or the nearest package around it, from which an object can be imported by its own name."""
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
