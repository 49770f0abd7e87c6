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
                *(suite_waits_at(task) or waits_at(task)),
            )
        return "\n".join(lines)
