"""A search for garbage that reports an error when it is freed, usually without a full garbage collection.

A failed task that is never awaited is reported when it is freed. If it is in a reference cycle, the garbage collector
has to find it first. Collecting the two young generations is fast, but objects that live long move to the oldest one.
So `Garbage` keeps weak references to objects that could report an error, from the moment they move there, and runs a
full collection only if one of them requires it.

Does not attach to loops or keep reports (`background` and `loop_exceptions` do).

Invariants:
1. After `collect`, no failed future of the given loops is left as garbage, however old it is.
2. Unless `of_finalizers` is false, the same holds for objects that were created since `begin` and whose `__del__`
   method comes from a library or suite. For example, an aiohttp session reports that it was not closed.
3. No object is kept alive.

Pending tasks in the oldest generation are not considered. Only a walk over the whole heap could tell a task that will
never continue from the background task of a service.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Collection, Iterable
from typing import Any, Final, final
from weakref import ref

__all__ = ["Garbage"]

_YOUNG: Final = 1
"""The oldest generation that is collected each time. Its survivors move to the last generation."""
_SILENT: Final = sys.stdlib_module_names | {"aiomisc", "aiothreads"}
"""Packages whose finalizers report nothing. In suites that use aiomisc, its objects are alive in most tests."""


@final
class Garbage:
    """The old objects that could report an error. Follows the garbage collector from `begin` until `close`.

    If `of_finalizers` is false, it considers only futures.
    """

    def __init__(self, *, of_finalizers: bool = True) -> None:
        self._of_finalizers = of_finalizers
        self._futures: list[ref[object]] = []
        self._others: list[ref[object]] = []
        self._is_unsure = False
        self._is_watching = False

    def begin(self) -> None:
        """Begin a test. Objects with a `__del__` method count only if they are created after this call."""
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
        """Free all garbage that reports errors to one of the given loops."""
        others, self._others = self._others, []
        is_unsure, self._is_unsure = self._is_unsure, False
        gc.collect(_YOUNG)  # this also notes the survivors, which aren't garbage and matter only the next time
        others = _alive(others)
        self._futures = _alive(self._futures)
        if is_unsure or others or any(_has_failed(future(), loops) for future in self._futures):
            gc.collect()
            others = _alive(others)
        self._others += others
        self._is_unsure |= is_unsure

    def _before_collection(self, phase: str, info: dict[str, int]) -> None:
        # Survivors move to the next generation, which isn't the last one if the youngest was collected.
        if phase == "start" and info["generation"] >= _YOUNG:
            for generation in range(_YOUNG + 1):
                self._note(gc.get_objects(generation))

    def _note(self, objects: list[object]) -> None:
        """Keep weak references to those objects that could report an error."""
        kinds = {id(kind): kind for kind in map(type, objects)}
        futures = {number for number, kind in kinds.items() if _is_future(kind)}
        others = {
            number
            for number, kind in kinds.items()
            if self._of_finalizers and number not in futures and _has_finalizer(kind)
        }
        if not futures and not others:
            return
        for each in objects:
            number = id(type(each))
            if number in futures:
                self._futures.append(ref(each))
            elif number in others:
                try:
                    self._others.append(ref(each))
                except TypeError:  # the object has `__slots__` without `__weakref__`
                    self._is_unsure = True


def _bases(kind: type) -> tuple[type, ...]:
    # The garbage collector may have cleared the class. It can clear one that is its own type, as h11's sentinels are.
    return getattr(kind, "__mro__", ())


def _is_future(kind: type) -> bool:
    """Return whether a type is that of a future. `asyncio.isfuture` would run the code of an object that is a proxy."""
    return any("_asyncio_future_blocking" in vars(base) for base in _bases(kind))


def _has_finalizer(kind: type) -> bool:
    """Return whether objects of a type may report an error when they are freed. Silent packages are left out."""
    return any("__del__" in vars(base) and base.__module__.partition(".")[0] not in _SILENT for base in _bases(kind))


def _alive(references: Iterable[ref[object]]) -> list[ref[object]]:
    return [reference for reference in references if reference() is not None]


def _has_failed(future: Any, loops: Collection[asyncio.AbstractEventLoop]) -> bool:
    """Return whether a future of one of these loops has an exception that was never retrieved."""
    if not getattr(future, "_log_traceback", False):
        return False
    loop = future.get_loop()
    return any(loop is other for other in loops)
