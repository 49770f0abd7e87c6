"""The time in which a service is in use: its `run` is at its `yield`, until it is stopped or ends by itself.

Does not know why a service ends by itself: the service raises that error after the block.

Invariant: a cancellation of the service's task that came from elsewhere is never swallowed.
"""

import asyncio
from types import TracebackType
from typing import Any, Final, Self, final

__all__ = ["InUse"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class InUse:
    """A block around the `yield` of a service's `run`, which `interrupt` ends early and without an error."""

    def __init__(self, why: str) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._why = why
        self.was_interrupted: bool = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    def interrupt(self) -> None:
        """End the block early. Do nothing if the block has been left."""
        if self._task is not None and not self.was_interrupted:
            self.was_interrupted = True
            self._task.cancel(self._why)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if task is None or not self.was_interrupted:
            return False
        return task.uncancel() == 0 and isinstance(error, asyncio.CancelledError)
