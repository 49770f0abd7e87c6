"""`rig`: runs services and their dependencies outside pytest.

The declarations are the same as in a suite; `values` replace fixtures. Does not know scopes: every service lives as
long as the rig.

Invariants:
1. Each service runs in a task of its own (`owner`), so that it can use task groups freely.
2. Independent services start at the same time, dependents after their dependencies. They stop in reverse order.
3. A service that crashes cancels the block, and the block raises the service's error.
4. Every service is stopped, whatever else fails. Several errors become an ExceptionGroup.
5. The dependencies of a model are not touched: whoever started them stops them.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Final, Self, final, overload

from looprig.declare.fields import Source, find_cycle, resolve_fields, service_of
from looprig.declare.hints import hints_of, without_none
from looprig.declare.lifecycle import HasStartAndStopOrRunOrAenter as S
from looprig.declare.service import ServiceKey, ServiceSpec, declared_services, same_class, spec_of
from looprig.exceptions import DeclarationError, LooprigError
from looprig.location import caller_location, is_of_looprig, location_of
from looprig.services.owner import Owner

__all__ = ["Rig", "rig"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@overload
def rig(service: type[S], /, **values: Any) -> AbstractAsyncContextManager[S]: ...
@overload
def rig(service: S, /, **values: Any) -> AbstractAsyncContextManager[S]: ...
def rig(service: Any, /, **values: Any) -> AbstractAsyncContextManager[Any]:
    """Run a service and everything it depends on.

        async with rig(Rest, page_size=5) as rest:
            print(rest.url)

    `values` are values of the services' fields, by name: configuration, values that fixtures provide in a suite, or
    objects to use instead of services. To run several services that share dependencies, use `Rig`.

    An instance is a model: `rig(api.service, page_size=5)` runs another instance of its class with the same values,
    except those in `values`, which belong to its own fields. It uses the same dependencies, which go on running.

    Raises:
        DeclarationError: the class isn't a service, a field has no value, or a value belongs to no field.
        ServiceStartError: a service did not start.
    """
    model = None if isinstance(service, type) else _spec_of_instance(service)
    if model is not None:
        return _rig(model.cls, {**_kept(service, model, values), **values})
    return _rig(service, values)


@asynccontextmanager
async def _rig(service: type[Any], values: dict[str, Any]) -> AsyncGenerator[Any]:
    async with Rig(values) as running:
        running.check_values(service)
        yield await running.start(service)


def _spec_of_instance(service: object) -> ServiceSpec | None:
    """Return the declaration of an instance's class. That of a view through a proxy is the base of its class."""
    return next((spec for cls in type(service).__mro__[:2] if (spec := spec_of(cls)) is not None), None)


def _kept(service: object, spec: ServiceSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a model's fields that aren't replaced.

    Raises:
        DeclarationError: a value belongs to no field of the model's class.
    """
    sources = resolve_fields(spec, declared_services)
    names = {name for source in sources for name in (source.field, source.fixture)}
    if unused := sorted(set(values) - names):
        name = spec.cls.__qualname__
        raise DeclarationError(
            f"The rig was given {', '.join(unused)}, which isn't a field of {name}. The dependencies of an instance "
            "stay as they are.",
            [spec.party],
            _meant(unused, [(spec, source) for source in sources]),
        )
    return {
        source.field: getattr(service, source.field)
        for source in sources
        if source.fixture not in values and hasattr(service, source.field)
    }


@final
class Rig:
    """A runner of several services that share dependencies, with one instance of each class.

        async with Rig({"dsn": "sqlite://"}) as running:
            rest = await running.start(Rest)
            worker = await running.start(Worker)

    `values` are as for `rig`.
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
        """Return the running service of a class. Start it and its dependencies if they aren't running yet.

        Raises:
            DeclarationError: the class isn't a service, or a field has no value.
            ServiceStartError: the service or one of its dependencies did not start.
        """
        spec = self._spec(service)
        if self._block is None:
            raise LooprigError(
                f"{spec.cls.__qualname__} cannot be started: the rig is not open.",
                [("Rig.start", caller_location())],
                "Start services inside `async with Rig() as running:`.",
            )
        reached = self._reached(spec)
        self._check_kinds(reached)
        self._check_missing(spec, reached)
        return await self._get(spec)  # type: ignore[no-any-return]

    def check_values(self, *services: type[Any]) -> None:
        """Check that each value belongs to a field of one of these services or their dependencies.

        Raises:
            DeclarationError: a value belongs to no field.
        """
        specs = [self._spec(service) for service in services]
        reached = [entry for spec in specs for entry in self._reached(spec)]
        used = {self._value_name(source) for _, source in reached}
        if unused := sorted(set(self._values) - used):
            names = " and ".join(spec.cls.__qualname__ for spec in specs)
            raise DeclarationError(
                f"The rig was given {', '.join(unused)}, which isn't a field of {names} or its dependencies.",
                [spec.party for spec in specs],
                _meant(unused, reached),
            )

    def _spec(self, service: object) -> ServiceSpec:
        spec = spec_of(service)
        if spec is None:
            if (made := spec_of(service.__class__)) is not None:
                name = made.cls.__qualname__
                fix = f"Pass the class itself: {name}. Only `rig` takes an instance, as a model."
                raise DeclarationError(f"An instance of {name} isn't a service class.", [made.party], fix)
            shown = getattr(service, "__qualname__", repr(service))
            raise DeclarationError(
                f"{shown} isn't a service class.",
                [(shown, location_of(service))],
                "Pass a class decorated with @service_fixture(...).",
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
        """Return the services that a service depends on, except those replaced by a value."""
        return [
            source.service
            for source in self._sources(spec)
            if source.service is not None and self._value_name(source) is None
        ]

    def _value_name(self, source: Source) -> str | None:
        return next((name for name in (source.field, source.fixture) if name in self._values), None)

    def _reached(self, spec: ServiceSpec) -> list[tuple[ServiceSpec, Source]]:
        """Return the fields of a service and of all its dependencies, except services replaced by a value."""
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
        """Report all missing values at once, before anything starts."""
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
                f"Pass it: rig({spec.cls.__qualname__}, {given}).",
            )

    def _check_kinds(self, reached: list[tuple[ServiceSpec, Source]]) -> None:
        """Check values in the place of services: each may be anything but a class, or an instance of another service.

        Of what isn't a service, nothing is known: it may stand in for one.
        """
        for owner, source in reached:
            name, wanted = self._value_name(source), source.service
            if name is None or wanted is None:
                continue
            value = self._values[name]
            given = spec_of(value) or next(filter(None, map(spec_of, type(value).__mro__)), None)
            hint = without_none(hints_of(owner.cls).get(source.field))
            is_right = service_of(hint) is None or any(same_class(base, wanted.cls) for base in type(value).__mro__)
            if given is None or (is_right and not isinstance(value, type)):
                continue
            shown = f"the class {given.cls.__qualname__}" if isinstance(value, type) else f"a {given.cls.__qualname__}"
            raise DeclarationError(
                f"{owner.cls.__qualname__}.{source.field} declares {wanted.cls.__qualname__}, but the rig was given "
                f"{shown}.",
                list(dict.fromkeys((owner.party, wanted.party, given.party))),
                f"Pass a running {wanted.cls.__qualname__}, or an object to use instead of one. Without a value, the "
                "rig starts one.",
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
        # The same error may have arrived several times: in the block, and in everything that waited for a service.
        _raise_all(list(dict.fromkeys([*own, *self._crashes, *failures])), error, cancelled)

    async def _take_back(self, cancelled: asyncio.CancelledError | None) -> asyncio.CancelledError | None:
        """Undo the cancellation of the block by a crash. Return a cancellation that came from elsewhere, if any."""
        block, self._block = self._block, None
        if not self._has_cancelled or block is None:
            return cancelled
        if block.uncancel() > 0:
            return cancelled or asyncio.CancelledError()
        if cancelled is None:
            # If the block ended before the cancellation arrived, the next `await` raises it.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return None


def _meant(unused: Sequence[str], reached: Iterable[tuple[ServiceSpec, Source]]) -> str:
    """Return the fields that may have been meant: similar ones, or else those that the suite itself declares."""
    homes = {source.field: _home(spec.cls, source.field) for spec, source in reached}
    similar = [match for name in unused for match in get_close_matches(name, homes, n=1)]
    if len(similar) == len(unused):
        return f"Did you mean {' and '.join(similar)}?"
    own = sorted(field for field, home in homes.items() if not is_of_looprig(home))
    bases = sorted({home.__qualname__ for home in homes.values() if is_of_looprig(home)})
    inherited = f"those of {' and '.join(bases)}" if bases else "none"
    return f"The fields are: {', '.join([*own, *([inherited] if bases or not own else [])])}."


def _home(cls: type, field: str) -> type:
    """Return the class that first declares a field. For looprig's fields, it is the class that the suite extends."""
    having = [base for base in cls.__mro__ if field in getattr(base, "__dataclass_fields__", ())]
    if not having or not is_of_looprig(having[-1]):
        return having[-1] if having else cls
    return next(base for base in having if is_of_looprig(base))


def _raise_all(
    errors: list[BaseException], error: BaseException | None, cancelled: asyncio.CancelledError | None
) -> None:
    """Raise the errors, if any. The block's own error alone is left for the `async with` statement to raise."""
    if cancelled is not None:
        if cancelled is error and not errors:
            return
        # A cancellation must not turn into a group, so the other errors become its cause.
        raise cancelled from (_grouped(errors) if errors else None)
    if errors == [error] or not errors:
        return
    raise _grouped(errors)


def _grouped(errors: list[BaseException]) -> BaseException:
    return errors[0] if len(errors) == 1 else BaseExceptionGroup("errors while a rig ended", errors)
