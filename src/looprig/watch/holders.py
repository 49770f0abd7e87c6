"""A search for objects that a fixture or module holds, directly or through other objects.

Follows the references that the garbage collector knows, forwards from the holder. Does not decide who may hold what.

Invariants:
1. No code of the objects runs.
2. References through loops, modules, functions' globals, contexts, and the objects of pytest and looprig don't count:
   they lead from everything to everything.
"""

import asyncio
import gc
import sys
from collections.abc import Collection, Iterable
from contextvars import Context
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final, cast
from weakref import ReferenceType

from looprig.runtime.stacks import is_of_suite

__all__ = ["held", "of_modules"]

_MOST: Final = 300_000
"""Maximum number of objects to look at."""
_CLOSED: Final[Any] = (
    asyncio.AbstractEventLoop,
    BuiltinFunctionType,
    CodeType,
    Context,
    FrameType,
    ModuleType,
    ReferenceType,
    str,
    bytes,
)
_CLOSED_MODULES: Final = ("_pytest.", "pluggy.", "looprig.runtime.", "looprig.pytest_plugin.", "looprig.watch.")
_INNER: Final = sys.stdlib_module_names | {"_pytest", "pytest", "pluggy", "looprig"}


def held(holders: Iterable[object], wanted: Collection[object]) -> set[int]:
    """Return the ids of the wanted objects that the holders hold, or that are among them."""
    missing = {id(each) for each in wanted}
    left: list[Any] = [*holders]
    found = missing.intersection(map(id, left))
    seen: set[int] = set()
    is_open: dict[type, bool] = {}
    while left and found != missing and len(seen) < _MOST:
        each = left.pop()
        number = id(each)
        if number in seen:
            continue
        seen.add(number)
        if number in missing:
            found.add(number)
        kind = cast("Any", type(each))
        if kind not in is_open:
            is_open[kind] = not (
                issubclass(kind, _CLOSED) or str(getattr(kind, "__module__", "")).startswith(_CLOSED_MODULES)
            )
        if is_open[kind]:
            left += _referents(each, kind)
    return found


def _referents(thing: Any, kind: Any) -> Iterable[object]:
    if kind is FunctionType:
        return thing.__closure__ or ()
    if issubclass(kind, type):
        module = sys.modules.get(str(getattr(thing, "__module__", "")))
        return [*cast("dict[str, object]", vars(thing)).values()] if module is not None and _is_of_suite(module) else ()
    return gc.get_referents(thing)


def of_modules() -> list[object]:
    """Return the objects that modules hold: in the suite's own modules, also those that its classes hold."""
    found: list[object] = []
    for module in [*sys.modules.values()]:
        if type(module) is not ModuleType or str(getattr(module, "__name__", "")).partition(".")[0] in _INNER:
            continue
        values = [*vars(module).values()]
        found += (
            values if _is_of_suite(module) else [each for each in values if not isinstance(each, type | FunctionType)]
        )
    return found


def _is_of_suite(module: ModuleType) -> bool:
    return is_of_suite(getattr(module, "__file__", None) or __file__)
