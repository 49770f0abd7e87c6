"""`rig`: runs services and what they depend on, outside pytest.

The same declarations as in a suite; what a fixture would give, `values` gives here. Does not know of scopes: in a
rig everything lives as long as the rig.

Invariants:
1. Each service lives in a task of its own, so that a task group in it just works.
2. Independent services start at the same time, dependents after what they depend on; they stop in reverse.
3. A service that crashes cancels the block and is what the block raises.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, final

from looprig.declare.fields import Source, find_cycle, resolve_fields
from looprig.declare.lifecycle import EntersItself, Runs, StartsAndStops
from looprig.declare.service import ServiceSpec, declared_services, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.services.lifecycle import alive

__all__ = ["Rig", "rig"]

S = TypeVar("S", bound=StartsAndStops | Runs | EntersItself)


@asynccontextmanager
async def rig(service: type[S], /, **values: Any) -> AsyncIterator[S]:
    """Runs one service and all that it depends on.

        async with rig(Rest, page_size=5) as rest:
            print(rest.url)

    `values` gives fields of the services by name: configuration, and what would be a fixture in a suite. For several
    services on shared dependencies, use `Rig`.

    Raises:
        DeclarationError: the class is no service, or a field has no value.
        ServiceStartError: a service did not start.
    """
    async with Rig(values) as running:
        yield await running.start(service)


@final
class _Owner:
    """The task that one service lives in."""

    def __init__(self, spec: ServiceSpec, fields: dict[str, Any], crashed: Any) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Any] = loop.create_future()
        self._released: asyncio.Future[None] = loop.create_future()
        self._crashed = crashed
        self.task = loop.create_task(self._live(spec, fields), name=f"service {spec.cls.__qualname__}")
        self.task.add_done_callback(self._ended)

    async def _live(self, spec: ServiceSpec, fields: dict[str, Any]) -> None:
        async with alive(lambda: spec.cls(**fields), spec) as service:
            self.ready.set_result(service)
            await self._released

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if not self.ready.done():
            if error is None:
                self.ready.cancel()
            else:
                self.ready.set_exception(error)
        elif not self._released.done() or self._released.cancelled():
            self._crashed(error)

    async def stop(self) -> None:
        """Lets the service end, and raises what it raises; a crash was told already."""
        early = self.task.done()
        if not self._released.done():
            self._released.set_result(None)
        if not early:
            await asyncio.wait([self.task])
            await self.task


@final
class Rig:
    """Runs several services on shared dependencies: one instance of each class.

        async with Rig({"dsn": "sqlite://"}) as running:
            rest = await running.start(Rest)
            worker = await running.start(Worker)
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})
        self._starting: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._owners: list[_Owner] = []
        self._block: asyncio.Task[Any] | None = None
        self._crash: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._block = asyncio.current_task()
        return self

    async def start(self, service: type[S]) -> S:
        """The running service of a class, started now with all that it depends on if it does not run yet."""
        spec = spec_of(service)
        if spec is None:
            raise DeclarationError(
                f"{service.__qualname__} is no service class.",
                [(service.__qualname__, location_of(service))],
                "Decorate it with @service_fixture(...).",
            )
        find_cycle(spec, lambda member: [s.service for s in self._sources(member) if s.service is not None])
        return await self._get(spec)  # type: ignore[no-any-return]

    async def _get(self, spec: ServiceSpec) -> Any:
        task = self._starting.get(spec.key)
        if task is None:
            task = self._starting[spec.key] = asyncio.create_task(self._start(spec))
        return await asyncio.shield(task)

    async def _start(self, spec: ServiceSpec) -> Any:
        sources = self._sources(spec)
        needed = [source for source in sources if source.service is not None]
        found = await asyncio.gather(*(self._get(source.service) for source in needed if source.service is not None))
        fields = {source.field: value for source, value in zip(needed, found, strict=True)}
        for source in sources:
            if source.service is not None:
                continue
            if source.fixture in self._values:
                fields[source.field] = self._values[source.fixture]
            elif source.required:
                raise DeclarationError(
                    f"{spec.cls.__qualname__}.{source.field} has no value: the rig was given no {source.fixture!r}.",
                    [spec.party],
                    f"Give it: rig({spec.cls.__qualname__}, {source.fixture}=...).",
                )
        owner = _Owner(spec, fields, self._crashed)
        self._owners.append(owner)
        return await owner.ready

    def _sources(self, spec: ServiceSpec) -> list[Source]:
        return resolve_fields(spec, is_fixture=self._values.__contains__, services=declared_services)

    def _crashed(self, error: BaseException | None) -> None:
        if error is not None and self._crash is None and self._block is not None:
            self._crash = error
            self._block.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        errors: list[BaseException] = []
        if self._crash is not None:
            errors.append(self._crash)
            if self._block is not None:
                self._block.uncancel()
        for task in self._starting.values():
            task.cancel()
        if self._starting:
            await asyncio.wait(self._starting.values())
        for owner in reversed(self._owners):
            if not owner.ready.done():
                owner.task.cancel()
            try:
                await owner.stop()
            except Exception as failure:  # noqa: BLE001 - every service is stopped; the errors are raised together
                if failure is not error and failure is not self._crash:
                    errors.append(failure)
        if error is not None and not (self._crash is not None and isinstance(error, asyncio.CancelledError)):
            errors = [failure for failure in errors if failure is not error]
            if not errors:
                return
            raise BaseExceptionGroup("errors while a rig ended", [error, *errors])
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("errors while a rig ended", errors)
