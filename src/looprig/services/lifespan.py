"""The lifespan of an ASGI application: one call of the application, from its start-up to its shutdown.

Does not serve requests (`asgi` does). uvicorn's own lifespan can't be cancelled while it starts, and only logs the
application's errors.

Source: https://asgi.readthedocs.io/en/latest/specs/lifespan.html

Invariants:
1. The application's start-up and shutdown run in one task, so that it can use task groups and timeouts freely.
2. Cancelling the start cancels the application, and waits until it has ended.
3. What the application reports or raises after its start-up is raised, in every mode: it ends the block in use.
4. After the block, the application's task has ended, or was reported as stuck.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, final

from looprig.exceptions import LooprigError, ServiceStartError, summary
from looprig.location import Location
from looprig.runtime.clock import Timeout
from looprig.runtime.errors import root_of
from looprig.runtime.operation import GRACE, ROUNDS
from looprig.runtime.stacks import waits_at
from looprig.runtime.tasks import STUCK, hidden
from looprig.services.in_use import InUse

__all__ = ["App", "Lifespan", "Mode"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Mode: TypeAlias = Literal["auto", "on", "off"]

_log: Final = logging.getLogger(__name__)


@final
class Lifespan:
    """A context manager that starts an application and shuts it down. `mode` is that of `AsgiService`.

    Raises the application's own error, or else a `ServiceStartError` or `LooprigError` with what it reported.
    `party` is the service that created the application.
    """

    def __init__(self, app: App, mode: Mode, name: str, party: tuple[str, Location]) -> None:
        self._app = app
        self._mode = mode
        self._name = name
        self._party = party
        self._requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        # The application's reply for each phase: None if it is complete, and a text if it failed.
        loop = asyncio.get_running_loop()
        self._answers: dict[str, asyncio.Future[str | None]] = {
            phase: loop.create_future() for phase in ("startup", "shutdown")
        }
        self._task: asyncio.Task[None] | None = None
        self.in_use: Final = InUse(f"the lifespan of {name} has ended")
        """The context manager around the use of the application. Its block ends early if the lifespan fails."""
        self.state: Final[MutableMapping[str, Any]] = {}
        """The state that the application's start-up passes to its requests."""

    # Start and stop

    async def __aenter__(self) -> Self:
        if self._mode == "off":
            return self
        self._requests.put_nowait({"type": "lifespan.startup"})
        self._task = task = asyncio.create_task(self._live(), name=f"lifespan of {self._name}")
        if await self._answered("startup", task) == "complete":
            task.add_done_callback(self._ended)
            self._answers["shutdown"].add_done_callback(self._ended)
        else:
            await self._not_started(task)
        return self

    async def _not_started(self, task: "asyncio.Task[None]") -> None:
        """Raise the error of a failed start-up. Return normally if the application has no lifespan and needs none."""
        self._task = None
        error = await self._end_of(task)
        if self._answers["startup"].done():
            if error is not None:
                raise error
            raise ServiceStartError(
                f"{self._name} did not start: the start-up of its application failed{self._said('startup')}",
                [self._party],
            )
        if error is None:
            return
        if not isinstance(error, Exception):  # an outcome of pytest, such as a skip
            raise error
        if self._mode == "auto":  # according to the specification, the server continues
            if self._requests.empty():
                _log.warning(
                    "%s continues without a lifespan: that of its application raised", self._name, exc_info=error
                )
            else:  # it did not even read the event
                _log.info("the application of %s has no lifespan: %s", self._name, summary(error))
            return
        raise ServiceStartError(
            f"{self._name} did not start: its application raised in its lifespan: {summary(root_of(error))}",
            [self._party],
            'If the application has no lifespan, use lifespan="auto" or "off".',
        ) from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task = self._task
        if task is None:
            return
        self._requests.put_nowait({"type": "lifespan.shutdown"})
        await self._answered("shutdown", task)
        failure = await self._end_of(task)
        if failure is not None:
            raise failure
        if said := self._said("shutdown"):
            raise LooprigError(f"The lifespan of {self._name} failed{said}", [self._party])

    async def _answered(self, phase: str, task: "asyncio.Task[None]") -> str:
        """Wait until a phase is `complete` or `failed`, or else `over` because the application has ended."""
        answer = self._answers[phase]
        try:
            either: list[asyncio.Future[Any]] = [task, answer]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._cancel(task)
            raise
        if not answer.done():
            return "over"
        return "complete" if answer.result() is None else "failed"

    def _said(self, phase: str) -> str:
        """Return the text with which a phase failed, or an empty string if it did not."""
        answer = self._answers[phase]
        text = answer.result() if answer.done() else None
        return "" if text is None else f": {text}" if text else "."

    async def _end_of(self, task: "asyncio.Task[None]") -> BaseException | None:
        """Return the error of an application that has sent its last reply, so that it is about to end."""
        with suppress(TimeoutError):
            async with Timeout(GRACE):
                await asyncio.wait([task])
        if not task.done():
            await self._cancel(task)
            return None
        if not task.cancelled():
            return task.exception()
        return LooprigError(f"The lifespan of {self._name} was cancelled.", [self._party])

    async def _cancel(self, task: "asyncio.Task[None]") -> None:
        for _ in range(ROUNDS):
            task.cancel()
            with suppress(TimeoutError):
                async with Timeout(GRACE):
                    await asyncio.wait([task])
            if task.done():
                if not task.cancelled() and (error := task.exception()) is not None:
                    _log.error("the lifespan of %s was cancelled, and raised", self._name, exc_info=error)
                return
        STUCK.add(task)
        waits = "\n".join(waits_at(task))
        _log.error("the lifespan of %s swallowed its cancellation, and was left behind at\n%s", self._name, waits)

    def _ended(self, ended: "asyncio.Future[Any]") -> None:
        """End the use of the application if its lifespan has failed. It may also end early without an error."""
        failed = ended.cancelled() or ended.exception() is not None or ended.result() is not None
        if failed:
            self.in_use.interrupt()

    # The application's side

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        task = asyncio.current_task()
        if task is None or task is not self._task or not self._answers["startup"].done():
            return await self._requests.get()
        with hidden(task):
            return await self._requests.get()

    async def _send(self, message: Mapping[str, Any]) -> None:
        said = str(message["type"])
        phase, _, outcome = said.removeprefix("lifespan.").partition(".")
        answer = self._answers.get(phase)
        if answer is None or outcome not in {"complete", "failed"}:
            raise RuntimeError(f"an application can't send {said!r} in its lifespan")
        if answer.done() or (phase == "shutdown" and not self._answers["startup"].done()):
            raise RuntimeError(f"an application can't send {said!r} now: {phase} is not what it was asked for")
        answer.set_result(None if outcome == "complete" else str(message.get("message", "")))
