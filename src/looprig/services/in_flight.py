"""The requests that a service is handling now, and waiting until there are none.

Does not cancel them. Invariant: a request is handled until the task that handles it ends, which may be after its answer
was sent: FastAPI tears down dependencies and runs background tasks then.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, final

from looprig.declare.values import DURATION, check_values
from looprig.exceptions import LooprigError
from looprig.location import location_of
from looprig.runtime.clock import Timeout, now
from looprig.runtime.stacks import suite_waits_at, waits_at
from looprig.runtime.tasks import entered_group_of

__all__ = ["InFlight"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    what: str
    since: float


@final
class InFlight:
    """The requests that a service is handling, each in a task of its own."""

    def __init__(self) -> None:
        self._requests: dict[asyncio.Task[Any], _Request] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def add(self, what: str, task: "asyncio.Task[Any] | None" = None) -> None:
        """Record that a task, by default the current one, handles a request until it ends. `what` is for errors."""
        task = task or asyncio.current_task()
        if task is not None and task not in self._requests:
            self._requests[task] = _Request(what, now())
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        del self._requests[task]
        if not self._requests:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    async def wait_idle(self, service: object, timeout: float) -> None:  # noqa: ASYNC109 - its error says what it waits for
        """Wait until no request is being handled.

        Raises:
            TimeoutError: some are still being handled. It says which, and where they wait.
        """
        name = type(service).__qualname__
        check_values(f"{name}.idle", [("timeout", timeout, DURATION)])
        clock = Timeout(timeout)
        try:
            async with clock:
                while self._requests:
                    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(waiting)
                    try:
                        await waiting
                    finally:
                        self._waiting.remove(waiting)
        except TimeoutError:
            if not clock.expired():
                raise
            raise TimeoutError(self._text(service, timeout)) from None

    def _text(self, service: object, timeout: float) -> str:
        cls, number = type(service), len(self._requests)
        what = f"{cls.__qualname__} still handles {number} request{'s' if number > 1 else ''} after {timeout:g} s."
        fix = "Wait longer with timeout=, or end what the test has open: streams and websockets count."
        lines = [str(LooprigError(what, [(cls.__qualname__, location_of(cls))], fix))]
        for task, request in self._requests.items():
            lines += (
                f"{request.what}, begun {now() - request.since:.1f} s ago, waits at",
                *_where(task),
            )
        return "\n".join(lines)


def _where(task: "asyncio.Task[Any]") -> list[str]:
    """Return the suite's own lines at which a request waits: in its task, or else in those that it has in groups.

    Frameworks run a handler in a task group beside the wait for the client's disconnect. Without such lines, the
    handler runs in a thread, or the framework itself waits: then it is the innermost line.
    """
    tasks = [task, *(each for each in asyncio.all_tasks(task.get_loop()) if _is_below(each, task))]
    lines = [line for each in tasks for line in suite_waits_at(each)]
    return lines or waits_at(task)[-1:]


def _is_below(task: "asyncio.Task[Any]", above: "asyncio.Task[Any]") -> bool:
    seen = {task}
    while (entered := entered_group_of(task)) is not None and entered not in seen:
        if entered is above:
            return True
        seen.add(entered)
        task = entered
    return False
