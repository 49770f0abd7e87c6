"""Runs one service through its life: starts it within its time limit, hands it on, stops it.

Does not resolve dependencies (`rig` and the plugin do).

Invariants:
1. A service that does not start is told with what it logged while it tried.
2. Start and stop run in the caller's one task, so that a task group or timeout inside the service just works.
3. An error while the service is in use (its task was cancelled) reaches the service first.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, final

from looprig.declare.lifecycle import Lifecycle
from looprig.declare.service import ServiceSpec
from looprig.exceptions import ServiceStartError

__all__ = ["alive", "context_manager_of"]

_KEPT_RECORDS: Final = 50
_starting: Final[ContextVar[object]] = ContextVar("looprig.starting")


@final
class _StartStop:
    """`start` and `stop` as a context manager."""

    def __init__(self, service: Any) -> None:
        self._service = service

    async def __aenter__(self) -> None:
        await self._service.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._service.stop()


def context_manager_of(service: Any, lifecycle: Lifecycle) -> AbstractAsyncContextManager[Any, Any]:
    """Any of the three lifecycles as the one that Python has a statement for."""
    if lifecycle is Lifecycle.RUNS:
        return asynccontextmanager(type(service).run)(service)
    if lifecycle is Lifecycle.STARTS_AND_STOPS:
        return _StartStop(service)
    return service  # type: ignore[no-any-return]


@final
class _Records(logging.Handler):
    """What is logged on behalf of one service, whatever tasks it was logged in."""

    def __init__(self, token: object) -> None:
        super().__init__()
        self._token = token
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if _starting.get(None) is self._token:
            self.lines.append(self.format(record))
            del self.lines[:-_KEPT_RECORDS]


@asynccontextmanager
async def alive(make: Callable[[], Any], spec: ServiceSpec) -> AsyncIterator[Any]:
    """Makes a service, starts it, gives it, and stops it.

    Raises:
        ServiceStartError: it raised while it started, or was not ready in time.
    """
    service = make()
    manager = context_manager_of(service, spec.lifecycle)
    entered = await _start(manager, spec)
    if spec.lifecycle is Lifecycle.ENTERS_ITSELF and entered is not service:
        await manager.__aexit__(None, None, None)
        raise ServiceStartError(
            f"{spec.cls.__qualname__}.__aenter__ gave {type(entered).__qualname__}, not the service itself.",
            [spec.party],
            "End __aenter__ with `return self`.",
        )
    try:
        yield service
    except BaseException as error:
        if not await manager.__aexit__(type(error), error, error.__traceback__):
            raise
    else:
        await manager.__aexit__(None, None, None)


async def _start(manager: AbstractAsyncContextManager[Any, Any], spec: ServiceSpec) -> Any:
    token = object()
    records = _Records(token)
    root = logging.getLogger()
    root.addHandler(records)
    reset = _starting.set(token)
    try:
        async with asyncio.timeout(spec.start_timeout) as limit:
            return await manager.__aenter__()
    except TimeoutError as error:
        if limit.expired():
            raise _not_started(spec, f"was not ready within {spec.start_timeout} s", records.lines) from error
        raise _not_started(spec, f"did not start: {_shown(error)}", records.lines) from error
    except Exception as error:
        raise _not_started(spec, f"did not start: {_shown(error)}", records.lines) from error
    finally:
        _starting.reset(reset)
        root.removeHandler(records)


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _not_started(spec: ServiceSpec, what: str, lines: list[str]) -> ServiceStartError:
    logged = "\n".join(f"    {line}" for line in lines)
    heading = f"It logged:\n{logged}" if lines else "It logged nothing at the level that logging is set to."
    return ServiceStartError(f"Service {spec.cls.__qualname__} {what}.", [spec.party], heading)
