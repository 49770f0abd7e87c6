"""The end of a server's handlers. A handler that does not end after being cancelled is reported, once.

Does not cancel them; the server does.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from looprig.exceptions import StuckTaskError
from looprig.location import Location
from looprig.runtime.clock import Timeout
from looprig.runtime.stacks import waits_at
from looprig.runtime.tasks import STUCK

__all__ = ["stuck_handlers"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


async def stuck_handlers(
    cancelled: "Iterable[asyncio.Task[Any]]", seconds: float, what: str, party: tuple[str, Location]
) -> StuckTaskError | None:
    """Give cancelled tasks `seconds` to end. Return an error for the ones that don't, which are left behind."""
    tasks = list(cancelled)
    if not tasks:
        return None
    with suppress(TimeoutError):
        async with Timeout(seconds):
            await asyncio.wait(tasks)
    stuck = [task for task in tasks if not task.done()]
    if not stuck:
        return None
    STUCK.update(stuck)  # so that their fixture does not wait for them again
    error = StuckTaskError(
        f"{len(stuck)} of {what} did not end within {seconds:g} s of being cancelled.",
        [party],
        "Let CancelledError through.",
    )
    for task in stuck:
        error.add_note("\n".join((f"{task.get_name()} waits at", *waits_at(task))))
    return error
