"""A temporary ban on `asyncio.get_event_loop`.

Does not touch `asyncio.events.get_event_loop`, which asyncio itself calls.

Invariant: the ban also covers the module of the test, which may have imported the function by name. It ends with the
test.
"""

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any, final

from looprig.location import caller_globals
from looprig.watch.watcher import WatchedTest, Watcher

__all__ = ["GetEventLoopBan"]


@final
class GetEventLoopBan(Watcher):
    """A watcher that replaces `get_event_loop` with `fail` during a test."""

    def __init__(self, fail: Callable[[], Any]) -> None:
        self._original: Any = None
        self._places: list[tuple[ModuleType, str]] = []

        def get_event_loop() -> Any:
            caller: str = caller_globals()[0].get("__name__") or ""
            # aiomisc itself calls it when it stops its services, which isn't the test's fault.
            return self._original() if caller.startswith("aiomisc.") else fail()

        self._substitute = get_event_loop

    def begin_test(self, test: WatchedTest) -> None:
        """Begin the ban, in asyncio and in the test's module."""
        self._original = asyncio.get_event_loop
        modules = (asyncio,) if test.module is None else (asyncio, test.module)
        self._places = [
            (module, name)
            for module in modules
            for name, value in list(vars(module).items())
            if value is self._original
        ]
        for module, name in self._places:
            setattr(module, name, self._substitute)

    def end_test(self) -> None:
        """End the ban."""
        for module, name in self._places:
            setattr(module, name, self._original)
        self._places = []
