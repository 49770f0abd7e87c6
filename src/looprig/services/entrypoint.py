"""Starts the service objects of the `services` fixture and stops them: looprig's own kinds and aiomisc's alike.

Does not resolve dependencies: these are objects that the suite has made. aiomisc is never imported here; where a
suite has imported it, its services run under its own entrypoint.

Invariants:
1. looprig's own services start in the order given, each ready before the next, and stop in reverse. aiomisc's start
   before them and side by side, as under its entrypoint, and stop after them.
2. If one does not start, those before it are stopped.
3. The context has its values before the first service starts, and is that of the code around again in the end.
"""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, cast, final

from looprig.declare.checks import is_duration
from looprig.declare.lifecycle import lifecycle_of
from looprig.declare.service import START_TIMEOUT, ServiceSpec, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, caller_location, location_of
from looprig.scopes import Scope
from looprig.services.context import Context, current
from looprig.services.lifecycle import Alive

__all__ = ["Entrypoint"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_DATA: Final = (str, bytes, int, float, Mapping, list, tuple, set, frozenset, type(None))
"""What is no object with a lifecycle."""

_OWN_OPTIONS: Final = frozenset({"start_timeout"})


@final
class Entrypoint:
    """Runs services on the loop that enters it.

        async with Entrypoint(Worker(), context={"dsn": dsn}) as entrypoint: ...

    Args:
        services: objects with one of the three lifecycles, or aiomisc services.
        context: what `current_context()` (and aiomisc's `get_context()`) gives to them and to the tests.
        start_timeout: seconds that each service has to get ready.
        options: passed on to `aiomisc.entrypoint`, where aiomisc is used.
    """

    def __init__(
        self,
        *services: Any,
        context: Mapping[Any, Any] | None = None,
        start_timeout: float = START_TIMEOUT,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.services: Final = _checked(services)
        _check_timeout(start_timeout)
        self.context: Final = Context(context)
        self._start_timeout = start_timeout
        self._options = dict(options or {})
        self._stack = AsyncExitStack()
        self.aiomisc: Any = None
        """aiomisc's own entrypoint, where it is used; else `None`."""

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
        # Signals stay with whoever runs the tests; logging stays with pytest unless the suite asks otherwise.
        options = {"catch_signals": (), "log_config": False, **self._options}
        entered = await stack.enter_async_context(module.entrypoint(loop=loop, **options))
        # Services given to the entrypoint would start when it is entered, and find the context empty.
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
    """What makes a service that is made already."""
    return service


def startable(services: object) -> tuple[Any, ...]:
    """What a fixture `services` gives to be started; nothing where it gives plain data, which nobody can start."""
    if isinstance(services, str | bytes | Mapping) or not isinstance(services, Iterable):
        return ()
    found = tuple(cast("Iterable[object]", services))
    return () if all(isinstance(service, _DATA) for service in found) else found


def _checked(services: Iterable[Any]) -> tuple[Any, ...]:
    found = tuple(services)
    for service in found:
        if isinstance(service, type):
            raise DeclarationError(
                f"`services` holds the class {service.__qualname__}, not an object of it.",
                [(service.__qualname__, location_of(service))],
                f"Make one: {service.__qualname__}(...).",
            )
        aiomisc = sys.modules.get("aiomisc")
        if aiomisc is None or not isinstance(service, aiomisc.Service):
            cls: type[object] = service.__class__
            lifecycle_of(cls)
    return found


def _check_timeout(seconds: object) -> None:
    if not is_duration(seconds):
        raise DeclarationError(
            f"The entrypoint has start_timeout={seconds!r}.",
            [("Entrypoint", caller_location(2))],
            "Give a number of seconds above 0.",
        )


def _restore(outer: Context | None, own: Context) -> None:
    # By value: who leaves may run in another copy of the context than who entered.
    if current.get(None) is own:
        current.set(outer)


def split_options(options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """`entrypoint_kwargs`, parted into looprig's own and aiomisc's.

    Raises:
        DeclarationError: there are some for aiomisc, and aiomisc is not used.
    """
    if not isinstance(options, Mapping):
        raise DeclarationError(
            f"entrypoint_kwargs gave {options!r}, which is no mapping.",
            [("entrypoint_kwargs", UNKNOWN)],
            'Return a dict: {"start_timeout": 5}.',
        )
    given = cast("Mapping[str, Any]", options)
    own = {name: value for name, value in given.items() if name in _OWN_OPTIONS}
    others = {name: value for name, value in given.items() if name not in _OWN_OPTIONS}
    # `log_config=False` is aiomisc's own default in tests, and what looprig does anyway.
    wanted = [name for name in others if not (name == "log_config" and not others[name])]
    if wanted and "aiomisc" not in sys.modules:
        raise DeclarationError(
            f"entrypoint_kwargs has {', '.join(sorted(wanted))}, which only aiomisc's entrypoint takes, and the suite "
            "does not import aiomisc.",
            [("entrypoint_kwargs", UNKNOWN)],
            "Take them out, or install looprig[aiomisc] and import aiomisc where its services are made.",
        )
    return own, others
