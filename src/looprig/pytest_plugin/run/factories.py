"""Makes loops and executors by what a suite's fixtures give.

A suite may have a `loop_factory` or a `thread_pool_executor` of a wholly different kind, which shows only when it is
called. Then looprig goes by its own: the fixture is simply one of that name.
"""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from looprig.runtime.host import LoopFactory

__all__ = ["executors_by", "loops_by"]


def loops_by(given: Any, otherwise: LoopFactory | None) -> LoopFactory:
    """Return what makes loops by a factory, or by a policy in its place, as far as these give loops."""
    # A policy is an easy slip for those who come from `event_loop_policy`.
    factory = given.new_event_loop if hasattr(given, "new_event_loop") and not callable(given) else given

    def make_loop() -> asyncio.AbstractEventLoop:
        if _takes(factory) and isinstance(made := factory(), asyncio.AbstractEventLoop):
            return made
        return (otherwise or asyncio.new_event_loop)()

    return make_loop


def executors_by(given: Any, size: int) -> Callable[[], ThreadPoolExecutor]:
    """Return what makes executors by a class or function that takes their size, as far as these give executors."""

    def make_executor() -> ThreadPoolExecutor:
        if _takes(given, size) and isinstance(made := given(size), ThreadPoolExecutor):
            return made
        return ThreadPoolExecutor(size)

    return make_executor


def _takes(function: Callable[..., object], *arguments: object) -> bool:
    """Whether a function can be called with these arguments."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it has no signature, as some that are written in C
        return True
    return True
