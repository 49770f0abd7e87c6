"""Collects the garbage that reports to a loop, without a walk over the whole heap each time.

A failed task that is never awaited is reported when it is freed, which for one in a reference cycle is when the garbage
collector finds it. Collecting the two young generations is fast, but what lives long is moved into the oldest one. So
this notes, weakly, what could report as it moves there, and collects everything only where that is needed.

Does not attach to loops or keep reports (`loop_exceptions` does).

Invariants:
1. After `collect`, no failed future of these loops that is garbage is left, however old it is.
2. The same holds for objects with a `__del__` of a library or suite (an aiohttp session reports that it was not
   closed), if they were made since `begin`.
3. What is alive is not kept alive.

A task that is still pending is not looked for in the oldest generation: there, only a walk over the heap could tell one
that will never go on from the background task of a service.
"""

import asyncio
import gc
import sys
from collections.abc import Collection, Iterable
from typing import Any, Final, final
from weakref import ref

__all__ = ["Garbage"]

_YOUNG: Final = 1
"""The oldest generation that is collected each time; its survivors move into the last one."""


@final
class Garbage:
    """Knows which old objects could report; watches the garbage collector from the first `begin` until `close`."""

    def __init__(self) -> None:
        self._futures: list[ref[object]] = []
        self._others: list[ref[object]] = []
        self._is_unsure = False
        self._is_watching = False

    def begin(self) -> None:
        """Begin with a test: what is made from now on is looked at more closely."""
        if not self._is_watching:
            self._is_watching = True
            gc.callbacks.append(self._before_collection)
            self._note(gc.get_objects())
        self._others.clear()
        self._is_unsure = False

    def close(self) -> None:
        """Stop watching the garbage collector."""
        if self._is_watching:
            self._is_watching = False
            gc.callbacks.remove(self._before_collection)
            self._futures.clear()
            self._others.clear()

    def collect(self, loops: Collection[asyncio.AbstractEventLoop]) -> None:
        """Free all garbage that reports to one of these loops."""
        others, self._others = self._others, []
        is_unsure, self._is_unsure = self._is_unsure, False
        gc.collect(_YOUNG)  # notes what survives; that is no garbage, so it is not asked for before the next time
        others = _alive(others)
        self._futures = _alive(self._futures)
        if is_unsure or others or any(_has_failed(future(), loops) for future in self._futures):
            gc.collect()
            others = _alive(others)
        self._others += others
        self._is_unsure |= is_unsure

    def _before_collection(self, phase: str, info: dict[str, int]) -> None:
        # The collector hands its survivors to the next generation; from the youngest, that is not the last.
        if phase == "start" and info["generation"] >= _YOUNG:
            for generation in range(_YOUNG + 1):
                self._note(gc.get_objects(generation))

    def _note(self, objects: list[object]) -> None:
        """Keep weak references to those that could report."""
        kinds = {id(kind): kind for kind in map(type, objects)}
        futures = {number for number, kind in kinds.items() if _is_future(kind)}
        others = {number for number, kind in kinds.items() if number not in futures and _has_finalizer(kind)}
        if not futures and not others:
            return
        for each in objects:
            number = id(type(each))
            if number in futures:
                self._futures.append(ref(each))
            elif number in others:
                try:
                    self._others.append(ref(each))
                except TypeError:  # it has slots, and none for this
                    self._is_unsure = True


def _is_future(kind: type) -> bool:
    """As `asyncio.isfuture` finds it, without asking the object, which may be a proxy that answers for another."""
    return any("_asyncio_future_blocking" in vars(base) for base in kind.__mro__)


def _has_finalizer(kind: type) -> bool:
    """Whether it may report when it is freed; of the standard library, only futures and tasks do."""
    return any(
        "__del__" in vars(base) and base.__module__.partition(".")[0] not in sys.stdlib_module_names
        for base in kind.__mro__
    )


def _alive(references: Iterable[ref[object]]) -> list[ref[object]]:
    return [reference for reference in references if reference() is not None]


def _has_failed(future: Any, loops: Collection[asyncio.AbstractEventLoop]) -> bool:
    """Whether it has an exception that was not retrieved, and will report it to one of these loops."""
    if not getattr(future, "_log_traceback", False):
        return False
    loop = future.get_loop()
    return any(loop is other for other in loops)
