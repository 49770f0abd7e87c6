"""Tasks that have failed while nothing awaited them, and that something still refers to.

The task of a worker, for example, which its fixture keeps. asyncio reports it only once it is freed, and never if the
fixture cancels it first. But if a test fails meanwhile, it may be the cause. Loaded only once a test fails.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from looprig.runtime.stacks import raised_at
from looprig.watch.descriptions import Finding, of_context

__all__ = ["dead_tasks", "finding_of", "place_of"]


def dead_tasks(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """Return the tasks of a loop that have failed, and whose exception nothing has retrieved."""
    # `asyncio.all_tasks` has no tasks that are done. The type of an object is asked for, since a proxy may lie.
    return [
        each
        for each in gc.get_objects()
        if issubclass(type(each), asyncio.Task) and each.get_loop() is loop and each.done() and each._log_traceback  # noqa: SLF001 - asyncio's flag
    ]


def finding_of(task: asyncio.Task[Any]) -> Finding:
    """Return the finding for a task that has failed, and leave its exception unretrieved."""
    context = {"message": "never retrieved", "task": task, "exception": task._exception}  # noqa: SLF001 - `exception()` retrieves it
    return of_context(context, is_late=False)


def place_of(finding: Finding) -> str:
    """Return the line of the suite in which the exception of a finding was raised, or an empty string."""
    lines = [] if finding.cause is None else raised_at(finding.cause)
    return f"\nIt was raised at\n{lines[-1]}" if lines else ""
