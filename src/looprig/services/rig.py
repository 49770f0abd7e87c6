"""`rig`: runs services and what they depend on, outside pytest.

The same declarations as in a suite; what a fixture would give, `values` gives here. Does not know of scopes: in a
rig everything lives as long as the rig.

Invariants:
1. Each service lives in a task of its own (`owner`), so that a task group in it just works.
2. Independent services start at the same time, dependents after what they depend on; they stop in reverse.
3. A service that crashes cancels the block and is what the block raises.
4. Every service is stopped, whatever fails on the way; several errors become an ExceptionGroup.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

from looprig.declare.fields import Source, find_cycle, resolve_fields
from looprig.declare.lifecycle import EntersItself, Runs, StartsAndStops
from looprig.declare.service import ServiceKey, ServiceSpec, declared_services, spec_of
from looprig.exceptions import DeclarationError, LooprigError
from looprig.location import caller_location, location_of
from looprig.services.owner import Owner

__all__ = ["Rig", "rig"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

S = TypeVar("S", bound=StartsAndStops | Runs | EntersItself)


@asynccontextmanager
async def rig(service: type[S], /, **values: Any) -> AsyncGenerator[S]:
    """Runs one service and all that it depends on.

        async with rig(Rest, page_size=5) as rest:
            print(rest.url)

    `values` gives fields of the services by name: configuration, what would be a fixture in a suite, or an object in
    the place of a service. For several services on shared dependencies, use `Rig`.

    Raises:
        DeclarationError: the class is no service, a field has no value, or a value is for no field.
        ServiceStartError: a service did not start.
    """
    async with Rig(values) as running:
        running.check_values(service)
        yield await running.start(service)


@final
class Rig:
    """Runs several services on shared dependencies: one instance of each class.

        async with Rig({"dsn": "sqlite://"}) as running:
            rest = await running.start(Rest)
            worker = await running.start(Worker)

    `values` are as those of `rig`.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})
        self._starting: dict[ServiceKey, asyncio.Task[Any]] = {}
        self._resolved: dict[ServiceKey, list[Source]] = {}
        self._owners: list[Owner] = []
        self._block: asyncio.Task[Any] | None = None
        self._crashes: list[BaseException] = []
        self._has_cancelled = False

    async def __aenter__(self) -> Self:
        self._block = asyncio.current_task()
        return self

    async def start(self, service: type[S]) -> S:
        """The running service of a class, started now with all that it depends on if it does not run yet.

        Raises:
            DeclarationError: the class is no service, or a field has no value.
            ServiceStartError: it did not start, or something that it depends on did not.
        """
        spec = self._spec(service)
        if self._block is None:
            raise LooprigError(
                f"{spec.cls.__qualname__} cannot be started: the rig is not open.",
                [("Rig.start", caller_location())],
                "Start services inside `async with Rig() as running:`.",
            )
        self._check_missing(spec, self._reached(spec))
        return await self._get(spec)  # type: ignore[no-any-return]

    def check_values(self, *services: type[Any]) -> None:
        """Makes sure that each value is for a field of one of these, or of what they need.

        Raises:
            DeclarationError: some are not.
        """
        specs = [self._spec(service) for service in services]
        reached = [entry for spec in specs for entry in self._reached(spec)]
        used = {self._value_name(source) for _, source in reached}
        if unused := sorted(set(self._values) - used):
            fields = ", ".join(sorted({source.field for _, source in reached})) or "none"
            names = " and ".join(spec.cls.__qualname__ for spec in specs)
            raise DeclarationError(
                f"The rig was given {', '.join(unused)}, which is no field of {names} or of what it needs.",
                [spec.party for spec in specs],
                f"The fields are: {fields}.",
            )

    def _spec(self, service: object) -> ServiceSpec:
        spec = spec_of(service)
        if spec is None:
            shown = getattr(service, "__qualname__", repr(service))
            raise DeclarationError(
                f"{shown} is no service class.",
                [(shown, location_of(service))],
                "Give a class that is decorated with @service_fixture(...).",
            )
        find_cycle(spec, self._needed)
        return spec

    # Fields

    def _sources(self, spec: ServiceSpec) -> list[Source]:
        sources = self._resolved.get(spec.key)
        if sources is None:
            sources = self._resolved[spec.key] = resolve_fields(spec, declared_services)
        return sources

    def _needed(self, spec: ServiceSpec) -> Iterable[ServiceSpec]:
        """The services that a service takes, apart from those that a value stands for."""
        return [
            source.service
            for source in self._sources(spec)
            if source.service is not None and self._value_name(source) is None
        ]

    def _value_name(self, source: Source) -> str | None:
        return next((name for name in (source.field, source.fixture) if name in self._values), None)

    def _reached(self, spec: ServiceSpec) -> list[tuple[ServiceSpec, Source]]:
        """The fields of a service and of all that it needs, without those that a value stands for."""
        found: list[tuple[ServiceSpec, Source]] = []
        left, seen = [spec], set[ServiceKey]()
        while left:
            at = left.pop()
            if at.key not in seen:
                seen.add(at.key)
                left += self._needed(at)
                found += [(at, source) for source in self._sources(at)]
        return found

    def _check_missing(self, spec: ServiceSpec, reached: list[tuple[ServiceSpec, Source]]) -> None:
        """All that is missing is told, before anything starts."""
        missing = [
            (owner, source)
            for owner, source in reached
            if source.required and source.service is None and self._value_name(source) is None
        ]
        if missing:
            fields = ", ".join(f"{owner.cls.__qualname__}.{source.field}" for owner, source in missing)
            given = ", ".join(dict.fromkeys(f"{source.fixture}=..." for _, source in missing))
            raise DeclarationError(
                f"The rig was given no value for {fields}.",
                list(dict.fromkeys(owner.party for owner, _ in missing)),
                f"Give it: rig({spec.cls.__qualname__}, {given}).",
            )

    # Starting

    async def _get(self, spec: ServiceSpec) -> Any:
        task = self._starting.get(spec.key)
        if task is None:
            task = self._starting[spec.key] = asyncio.create_task(self._start(spec))
        return await asyncio.shield(task)

    async def _start(self, spec: ServiceSpec) -> Any:
        fields: dict[str, Any] = {}
        needed: dict[str, ServiceSpec] = {}
        routed: set[str] = set()
        for source in self._sources(spec):
            name = self._value_name(source)
            if name is not None:
                fields[source.field] = self._values[name]
            elif source.service is not None:
                needed[source.field] = source.service
                if source.routed:
                    routed.add(source.field)
        found = await asyncio.gather(*(self._get(service) for service in needed.values()))
        fields.update(zip(needed, found, strict=True))
        fields.update({field: fields[field].routed for field in routed})
        owner = Owner(spec, fields, self._crashed)
        self._owners.append(owner)
        return await owner.started()

    def _crashed(self, error: BaseException) -> None:
        self._crashes.append(error)
        if len(self._crashes) == 1 and self._block is not None:
            self._block.cancel()
            self._has_cancelled = True

    # Ending

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cancelled = error if isinstance(error, asyncio.CancelledError) else None
        own = [] if error is None or cancelled is not None else [error]
        cancelled = await self._take_back(cancelled)
        for task in self._starting.values():
            task.cancel()
        failures: list[BaseException] = []
        for owner in reversed(self._owners):
            try:
                await owner.stop()
            except asyncio.CancelledError as interrupted:
                cancelled = cancelled or interrupted
            except BaseException as failure:  # noqa: BLE001 - every service is stopped; errors are raised together
                failures.append(failure)
        ended = await asyncio.gather(*self._starting.values(), return_exceptions=True)
        failures += [
            end for end in ended if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError)
        ]
        # One failure may have been met in several places: by the block, and by all that waited for a service.
        _raise_all(list(dict.fromkeys([*own, *self._crashes, *failures])), error, cancelled)

    async def _take_back(self, cancelled: asyncio.CancelledError | None) -> asyncio.CancelledError | None:
        """Undoes the cancellation of the block that a crash made; one from elsewhere stays, and is given."""
        block, self._block = self._block, None
        if not self._has_cancelled or block is None:
            return cancelled
        if block.uncancel() > 0:
            return cancelled or asyncio.CancelledError()
        if cancelled is None:
            # The block may have ended before it met the cancellation, which the next `await` would meet then.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return None


def _raise_all(
    errors: list[BaseException], error: BaseException | None, cancelled: asyncio.CancelledError | None
) -> None:
    """Raises what there is; nothing if that is the block's own error, which the statement raises by itself."""
    if cancelled is not None:
        if cancelled is error and not errors:
            return
        # A cancellation must arrive as one; what else went wrong is its cause.
        raise cancelled from (_grouped(errors) if errors else None)
    if errors == [error] or not errors:
        return
    raise _grouped(errors)


def _grouped(errors: list[BaseException]) -> BaseException:
    return errors[0] if len(errors) == 1 else BaseExceptionGroup("errors while a rig ended", errors)
