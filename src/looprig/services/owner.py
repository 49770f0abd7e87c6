"""The task that runs one service of a rig, from its start to its end.

Does not know what the service depends on (`rig` does).

Invariant: cancelling a caller that waits for a service does not cancel the service's own task. Only `stop` does.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from looprig.declare.service import ServiceSpec
from looprig.services.lifecycle import Alive

__all__ = ["Owner"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Owner:
    """The owner of a service, which starts the service at once.

    `crashed` is called with an error that ends the service while it is in use.
    """

    def __init__(self, spec: ServiceSpec, fields: Mapping[str, Any], crashed: Callable[[BaseException], None]) -> None:
        loop = asyncio.get_running_loop()
        self._crashed = crashed
        self._reported: BaseException | None = None
        self._ready: asyncio.Future[Any] = loop.create_future()
        self._released: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._live(spec, fields), name=f"service {spec.cls.__qualname__}")
        self._task.add_done_callback(self._ended)

    async def _live(self, spec: ServiceSpec, fields: Mapping[str, Any]) -> None:
        async with Alive(lambda: spec.cls(**fields), spec) as service:
            self._ready.set_result(service)
            await self._released

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if not self._ready.done():
            if error is None:
                self._ready.cancel()
            else:
                self._ready.set_exception(error)
                self._ready.exception()  # mark it as retrieved: callers of `started` report it, if there are any left
                self._reported = error
        elif error is not None and self._is_in_use():
            self._reported = error
            self._crashed(error)

    def _is_in_use(self) -> bool:
        return not self._released.done() or self._released.cancelled()

    def on_cancelled(self, call: Callable[[], None]) -> None:
        """Call a function if the service's task is cancelled while the service is in use, which is no error of it."""

        def ended(task: "asyncio.Task[None]") -> None:
            if task.cancelled() and self._ready.done() and self._is_in_use():
                call()

        self._task.add_done_callback(ended)

    async def started(self) -> Any:
        """Wait until the service is ready, and return it."""
        return await asyncio.shield(self._ready)

    async def stop(self) -> None:
        """Stop the service, and raise its error unless that was reported before.

        Raises:
            asyncio.CancelledError: the caller was cancelled. The service has been stopped nevertheless.
        """
        interrupted: asyncio.CancelledError | None = None
        if not self._released.done():
            self._released.set_result(None)
        if not self._ready.done():
            self._task.cancel()
        while not self._task.done():
            try:
                await asyncio.wait([self._task])
            except asyncio.CancelledError as error:
                interrupted = error
                self._task.cancel()
        if interrupted is not None:
            raise interrupted
        if self._task.cancelled():
            return
        failure = self._task.exception()
        if failure is not None and failure is not self._reported:
            raise failure
