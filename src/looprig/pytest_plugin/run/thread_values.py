"""The check of values that a service in a thread gets from fixtures on the loop of a test.

Loaded when there is such a value. Does not look at services, which `checks` does before the run.

Invariant: what holds only plain data is accepted, and so is a process, which needs no loop to answer.
"""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Any, Final, cast
from uuid import UUID

from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.checks.in_thread import runs_without_loop
from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["check_value"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_PLAIN: Final = (
    *(str, bytes, bytearray, int, float, complex, bool, type(None), Enum, PurePath, type),
    *(date, datetime, time, timedelta, Decimal, UUID, IPv4Address, IPv6Address),
)
_DEPTH: Final = 6
"""How deep it looks into containers and objects."""


def check_value(registry: Registry, definition: Definition, found: Definition, value: object) -> None:
    """Check the value of a fixture that lives on the loop of a test, or depends on one that does.

    Raises:
        DeclarationError: it may be bound to that loop.
    """
    target = registry.spec(found)
    if (target is not None and runs_without_loop(target)) or _is_plain(value, _DEPTH):
        return
    spec = registry.services[definition.argname]
    owner, name = spec.cls.__qualname__, registry.public_name(found)
    raise DeclarationError(
        f"{owner} runs in a thread, and fixture {name} gives it a {type(value).__qualname__}. It lives on the loop "
        "of the test, and what is bound to a loop can't be used on another one.",
        [spec.party, (name, location_of(found.func))],
        f"Give {owner} plain data, such as an address or a DSN, and let it open its own; or make a service of {name} "
        "with in_thread=True.",
    )


def _is_plain(value: Any, depth: int) -> bool:
    """Return whether a value is data: it holds nothing that could be bound to a loop."""
    if isinstance(value, _PLAIN):
        return True
    if not depth or isinstance(value, FunctionType | MethodType):
        return False
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return all(_is_plain(each, depth - 1) for pair in pairs.items() for each in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return all(_is_plain(each, depth - 1) for each in cast("list[object]", value))
    module = type(value).__module__.partition(".")[0]
    if module in {"asyncio", "builtins"} or not (hasattr(value, "__dict__") or dataclasses.is_dataclass(value)):
        return False
    held = [*getattr(value, "__dict__", {}).values()]
    held += [getattr(value, name, None) for name in getattr(value, "__dataclass_fields__", ())]
    return all(_is_plain(each, depth - 1) for each in held)
