"""The entrypoint, which starts and stops the objects of the `services` fixture: looprig's services and aiomisc's.

Does not resolve dependencies: the suite creates these objects itself. Never imports aiomisc. If the suite has imported
it, its services run under aiomisc's own entrypoint.

Invariants:
1. looprig's services start in the given order, each when the one before is ready, and stop in reverse order. aiomisc's
   start before them and at the same time, as under its own entrypoint, and stop after them.
2. If a service does not start, those before it are stopped.
3. The context has its values before the first service starts, and the surrounding context is restored at the end.
"""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, cast, final

from looprig.declare.lifecycle import lifecycle_of
from looprig.declare.service import START_TIMEOUT, ServiceSpec, spec_of
from looprig.declare.values import DURATION, STRING, Check, check_values, instance_of
from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, location_of, user_location
from looprig.scopes import Scope
from looprig.services.context import Context, current
from looprig.services.lifecycle import Alive

__all__ = ["Entrypoint"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_DATA: Final = (str, bytes, int, float, Mapping, list, tuple, set, frozenset, type(None))
"""Types of plain data, which have no lifecycle."""

_MAPPING: Final = instance_of("a mapping", Mapping)
_OPTIONS: Final = Check(
    "a mapping of names to values",
    lambda value: isinstance(value, Mapping) and all(map(STRING.accepts, cast("Mapping[object, object]", value))),
)
_OWN_OPTIONS: Final = frozenset({"start_timeout"})


@final
class Entrypoint:
    """A group of services that run on the loop that enters it.

        async with Entrypoint(Worker(), context={"dsn": dsn}) as entrypoint: ...

    Args:
        services: objects with one of the three lifecycles, or aiomisc services.
        context: the values of `current_context()`, and of aiomisc's `get_context()`, for the services and tests.
        start_timeout: time limit in seconds for each service to get ready.
        options: passed on to `aiomisc.entrypoint`, if aiomisc is used.
    """

    def __init__(
        self,
        *services: Any,
        context: Mapping[Any, Any] | None = None,
        start_timeout: float = START_TIMEOUT,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.services: Final = _checked(services)
        check_values(
            "Entrypoint",
            [
                ("context", context, _MAPPING.or_none()),
                ("start_timeout", start_timeout, DURATION),
                ("options", options, _OPTIONS.or_none()),
            ],
        )
        self.context: Final = Context(context)
        self._start_timeout = start_timeout
        self._options = dict(options or {})
        self._stack = AsyncExitStack()
        self.aiomisc: Any = None
        """aiomisc's own entrypoint, or `None` if the suite has not imported aiomisc."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the services run on."""
        return asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.callback(_restore, current.get(None), self.context)
            current.set(self.context)
            module = sys.modules.get("aiomisc")
            foreign: list[Any] = []
            if module is not None:
                foreign = [service for service in self.services if isinstance(service, module.Service)]
                self.aiomisc = await self._enter_aiomisc(module, stack, foreign)
            for service in self.services:
                if not any(service is other for other in foreign):
                    await stack.enter_async_context(Alive(partial(_itself, service), self._spec(service)))
            self._stack = stack.pop_all()
        return self

    async def _enter_aiomisc(self, module: Any, stack: AsyncExitStack, services: list[Any]) -> Any:
        loop = asyncio.get_running_loop()
        # Leave signals to pytest, and logging too unless the suite says otherwise.
        options = {"catch_signals": (), "log_config": False, **self._options}
        entered = await stack.enter_async_context(module.entrypoint(loop=loop, **options))
        # Start the services only now: passed to the entrypoint, they would start before the context has its values.
        context = module.get_context(loop)
        for key in self.context:
            context[key] = self.context.get(key)
        if services:
            await entered.start_services(*services)
        return entered

    def _spec(self, service: Any) -> ServiceSpec:
        cls: type[object] = service.__class__
        spec = spec_of(cls)
        if spec is not None:
            return spec
        return ServiceSpec(
            cls, cls.__name__, Scope.FUNCTION, (), False, self._start_timeout, lifecycle_of(cls), location_of(cls)
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)


def _itself(service: Any) -> Any:
    return service  # it exists already, and `Alive` takes a function that creates it


def startable(services: object) -> tuple[Any, ...]:
    """Return the services in the value of a `services` fixture, or nothing if the value is plain data."""
    if isinstance(services, str | bytes | Mapping) or not isinstance(services, Iterable):
        return ()
    found = tuple(cast("Iterable[object]", services))
    return () if all(isinstance(service, _DATA) for service in found) else found


def entrypoint_of(services: object, default_context: object, entrypoint_kwargs: object) -> Entrypoint:
    """Return the entrypoint for the values of the fixtures with these names."""
    own, options = split_options(entrypoint_kwargs)
    # A suite's own `services` or `default_context` may mean something else, and is then ignored.
    context = cast("Mapping[str, Any]", default_context) if isinstance(default_context, Mapping) else None
    return Entrypoint(*startable(services), context=context, options=options, **own)


def _checked(services: Iterable[Any]) -> tuple[Any, ...]:
    found = tuple(services)
    for service in found:
        if isinstance(service, type):
            raise DeclarationError(
                f"`services` contains the class {service.__qualname__}, not an instance of it.",
                [(service.__qualname__, location_of(service))],
                f"Create an instance: {service.__qualname__}(...).",
            )
        aiomisc = sys.modules.get("aiomisc")
        if aiomisc is None or not isinstance(service, aiomisc.Service):
            cls: type[object] = service.__class__
            _check_lifecycle(cls)
    return found


def _check_lifecycle(cls: type) -> None:
    try:
        lifecycle_of(cls)
    except DeclarationError as error:
        # The class may be one of Python's own, which has no location.
        parties = [*error.parties, ("Entrypoint", user_location())]
        raise DeclarationError(error.what, [each for each in parties if each[1] != UNKNOWN], error.fix) from None


def _restore(outer: Context | None, own: Context) -> None:
    # Not `ContextVar.reset`: the exit may run in another copy of the context than the entry.
    if current.get(None) is own:
        current.set(outer)


def split_options(options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split `entrypoint_kwargs` into the options of looprig and those of aiomisc.

    Raises:
        DeclarationError: the value isn't a mapping, or has options for aiomisc although aiomisc isn't used.
    """
    if not isinstance(options, Mapping):
        raise DeclarationError(
            f"entrypoint_kwargs returned {options!r}, which isn't a mapping.",
            [("entrypoint_kwargs", UNKNOWN)],
            'Return a dict: {"start_timeout": 5}.',
        )
    given = cast("Mapping[str, Any]", options)
    own = {name: value for name, value in given.items() if name in _OWN_OPTIONS}
    timeout = own.get("start_timeout", START_TIMEOUT)
    check_values("entrypoint_kwargs", [("start_timeout", timeout, DURATION)], [("entrypoint_kwargs", UNKNOWN)])
    others = {name: value for name, value in given.items() if name not in _OWN_OPTIONS}
    # `log_config=False` is aiomisc's own default in tests, and looprig's behaviour anyway.
    wanted = [name for name in others if not (name == "log_config" and not others[name])]
    if wanted and "aiomisc" not in sys.modules:
        raise DeclarationError(
            f"entrypoint_kwargs has {', '.join(sorted(wanted))}, which only aiomisc's entrypoint takes, but the suite "
            "does not import aiomisc.",
            [("entrypoint_kwargs", UNKNOWN)],
            "Remove them, or install looprig[aiomisc] and import aiomisc where its services are created.",
        )
    return own, others
