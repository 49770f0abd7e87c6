"""The functions behind the fixtures of services: the service itself, its other names, its clients.

Does not register them (`registering` does). Each looks as if it were written where the service class is, so that
`--fixtures` and errors point there.
"""

import inspect
from types import FunctionType
from typing import Any

from looprig.declare.service import ServiceSpec
from looprig.exceptions import DeclarationError
from looprig.location import Location

__all__ = ["alias_function", "client_function", "service_function"]


def service_function(spec: ServiceSpec, arguments: dict[str, str]) -> Any:
    """Makes, starts and stops a service; `arguments` has the fixture for each of its fields."""

    async def service(**values: Any) -> Any:
        __tracebackhide__ = True
        from looprig.services.lifecycle import Alive  # noqa: PLC0415 - asyncio, not before a service starts

        fields = {field: values[name] for field, name in arguments.items()}
        async with Alive(lambda: spec.cls(**fields), spec) as running:
            yield running

    return _dressed(service, spec, list(dict.fromkeys(arguments.values())), _doc(spec.cls))


def alias_function(spec: ServiceSpec, fixture: str) -> Any:
    """Gives the service that runs under the name `fixture`."""

    def alias(**values: Any) -> Any:
        return values[fixture]

    return _dressed(alias, spec, [fixture], _doc(spec.cls))


def client_function(spec: ServiceSpec, fixture: str) -> Any:
    """Opens a client of the service that runs under the name `fixture`, and closes it."""

    async def client(**values: Any) -> Any:
        __tracebackhide__ = True
        from looprig.http.client import TestClient  # noqa: PLC0415 - not before a client is opened

        service = values[fixture]
        if not hasattr(service, "url"):
            raise DeclarationError(
                f"{spec.cls.__qualname__} has no url, so a TestClient cannot know where to ask.",
                [spec.party],
                "Give it a `url` property, or take the service itself in the place of a client.",
            )
        async with TestClient(service) as opened:
            yield opened

    return _dressed(client, spec, [fixture], f"A client of {spec.cls.__qualname__}, closed after the test.")


def _doc(cls: type) -> str | None:
    """The docstring that somebody wrote: a dataclass without one is given its signature, which is none."""
    doc = cls.__doc__
    return None if doc is not None and doc.startswith(f"{cls.__name__}(") else doc


def _dressed(function: Any, spec: ServiceSpec, parameters: list[str], doc: str | None) -> Any:
    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in parameters]
    )
    function.__name__ = spec.name
    function.__qualname__ = spec.cls.__qualname__
    function.__module__ = spec.cls.__module__
    function.__doc__ = doc
    function.__wrapped__ = _stand_in(spec.location)
    return function


def _stand_in(location: Location) -> FunctionType:
    """A function that says it was written at `location`: pytest takes the place of a fixture from its code."""

    def stand_in() -> None: ...

    stand_in.__code__ = stand_in.__code__.replace(co_filename=location.path, co_firstlineno=max(location.line, 1))
    return stand_in  # type: ignore[return-value]
