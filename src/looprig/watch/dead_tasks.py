"""Tasks that have failed while nothing awaited them, and that something still refers to.

The task of a worker, for example, which its fixture keeps. asyncio reports it only once it is freed, and never if the
fixture cancels it first. But if a test fails meanwhile, it may be the cause. Loaded only once a test fails.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from looprig.exceptions import BackgroundError
from looprig.runtime.stacks import raised_in
from looprig.watch.descriptions import of_context

__all__ = ["dead_tasks", "described"]


def dead_tasks(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """Return the tasks of a loop that have failed, and whose exception nothing has retrieved."""
    # `asyncio.all_tasks` has no tasks that are done. The type of an object is asked for, since a proxy may lie.
    return [
        each
        for each in gc.get_objects()
        if issubclass(type(each), asyncio.Task) and each.get_loop() is loop and each.done() and each._log_traceback  # noqa: SLF001 - asyncio's flag
    ]


def described(task: asyncio.Task[Any]) -> tuple[str, BaseException]:
    """Return what failed and where, and the exception, which counts as unretrieved still."""
    cause = task._exception  # noqa: SLF001 - `exception()` retrieves it
    assert cause is not None
    error = of_context({"message": "never retrieved", "task": task, "exception": cause}, is_late=False).error
    raised = [(f"raised in {name}", at) for name, at in raised_in(cause)[-1:]]
    return str(BackgroundError(error.what, [*raised, *error.parties], error.fix)), cause
