"""Forbids `asyncio.get_event_loop` for a while.

Does not touch `asyncio.events.get_event_loop`, through which asyncio itself goes. A module that imported the
function by name is covered if it is handed in.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["forbidden"]


@contextmanager
def forbidden(fail: Callable[[], Any], *modules: ModuleType) -> Generator[None, None, None]:
    """Has `fail` called in the place of `get_event_loop`, in asyncio and in `modules`."""
    original = asyncio.get_event_loop

    def get_event_loop() -> Any:
        return fail()

    places = [
        (module, name)
        for module in (asyncio, *modules)
        for name, value in list(vars(module).items())
        if value is original
    ]
    for module, name in places:
        setattr(module, name, get_event_loop)
    try:
        yield
    finally:
        for module, name in places:
            setattr(module, name, original)
