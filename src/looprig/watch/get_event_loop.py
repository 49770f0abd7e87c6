"""A temporary ban on `asyncio.get_event_loop`.

Does not touch `asyncio.events.get_event_loop`, which asyncio itself calls. Pass modules that imported the function by
name, to cover them too.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["forbidden"]


@contextmanager
def forbidden(fail: Callable[[], Any], *modules: ModuleType) -> Generator[None, None, None]:
    """Call `fail` instead of `get_event_loop` during the block, in asyncio and in `modules`."""
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
