"""The task that one service of a rig lives in, from its start to its end.

Does not know what the service depends on (`rig` does).

Invariant: whoever waits for a service may be cancelled; the service's own task is cancelled by `stop` alone.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from looprig.declare.service import ServiceSpec
from looprig.services.lifecycle import Alive

__all__ = ["Owner"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@final
class Owner:
    """Starts a service at once. `crashed` is told of an error that ends it while it is in use."""

    def __init__(self, spec: ServiceSpec, fields: Mapping[str, Any], crashed: Callable[[BaseException], None]) -> None:
        loop = asyncio.get_running_loop()
        self._crashed = crashed
        self._told: BaseException | None = None
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
                self._ready.exception()  # it is told by whoever waits, or by nobody who is left
                self._told = error
        elif error is not None and (not self._released.done() or self._released.cancelled()):
            self._told = error
            self._crashed(error)

    async def started(self) -> Any:
        """The service, once it is ready."""
        return await asyncio.shield(self._ready)

    async def stop(self) -> None:
        """Ends the service and raises what it raises on the way; what was told before is not raised again.

        Raises:
            asyncio.CancelledError: the caller was cancelled, and the service is ended all the same.
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
        if failure is not None and failure is not self._told:
            raise failure
