"""`proxy_fixture`: declares a proxy in front of a service, and finds the one that `Proxy[Rest]` means.

A proxy is a service like any other, with a lifecycle and a scope, that takes the service it stands before as its
field `service`. Does not run it: the class `Proxy` does, which is known here by its name alone, so that this stays
pure.
"""

import typing
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar, cast, overload

from looprig.declare.hints import hints_of
from looprig.declare.service import ServiceSpec, same_class, service_fixture, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of
from looprig.scopes import ScopeName

__all__ = [
    "declared_before",
    "is_proxy",
    "is_proxy_class",
    "proxied_service",
    "proxy_before",
    "proxy_fixture",
    "proxy_named",
    "stands_before",
]

_PROXIES: Final = frozenset({"Proxy", "UdpProxy"})

P = TypeVar("P", bound=Any)


def is_proxy_class(annotation: Any) -> bool:
    """Whether something is the class `Proxy` itself, or `Proxy[Rest]`."""
    named = typing.get_origin(annotation) or annotation
    return isinstance(named, type) and named.__module__.startswith("looprig") and named.__qualname__ in _PROXIES


def is_proxy(cls: type) -> bool:
    """Whether a class is a proxy in front of a service."""
    return any(is_proxy_class(base) for base in cls.__mro__)


def proxied_service(annotation: Any) -> Any:
    """`Rest` of `Proxy[Rest]`; `None` for all else."""
    return next(iter(typing.get_args(annotation)), None) if is_proxy_class(annotation) else None


def stands_before(cls: type) -> Any:
    """The service class that a proxy stands before: `Rest` of `class SlowRest(Proxy[Rest])`."""
    return hints_of(cls).get("service") if is_proxy(cls) else None


@overload
def proxy_fixture(cls: type[P], /) -> type[P]: ...
@overload
def proxy_fixture(
    *, scope: ScopeName = "function", name: str | None = None, autouse: bool = False
) -> Callable[[type[P]], type[P]]: ...
def proxy_fixture(
    cls: type[Any] | None = None, /, *, scope: ScopeName = "function", name: str | None = None, autouse: bool = False
) -> Any:
    """Declares a proxy that stands in front of a service, with what is on all the time.

        @proxy_fixture(scope="module")
        @dataclass(kw_only=True)
        class SlowDatabase(Proxy[Postgres]):
            toxics: Sequence[Toxic] = (Latency(0.05),)

    Whoever asks for `Proxy[Postgres]`, or for `SlowDatabase`, gets it; and `Annotated[Postgres, Through(SlowDatabase)]`
    is the database behind it. Arguments as of `service_fixture`.

    Raises:
        DeclarationError: the class is no proxy, or does not say of which service.
    """
    __tracebackhide__ = True

    def declare(cls: Any) -> type[Any]:
        __tracebackhide__ = True
        party = (getattr(cls, "__qualname__", repr(cls)), location_of(cls))
        if not isinstance(cls, type) or not is_proxy(cls):
            raise DeclarationError(
                f"proxy_fixture was put on {party[0]}, which is no proxy.",
                [party],
                f"Write `class {party[0]}(Proxy[Rest])`, with the service that it stands in front of.",
            )
        service = stands_before(cls)
        if spec_of(typing.get_origin(service) or service) is None:
            shown = getattr(service, "__qualname__", repr(service))
            found = [(shown, location_of(service))] if isinstance(service, type) else []
            raise DeclarationError(
                f"{party[0]} does not say of which service it is a proxy: {shown} is none.",
                [party, *found],
                f"Write `class {party[0]}(Proxy[Rest])`, with a class that is decorated with @service_fixture.",
            )
        made: type[Any] = service_fixture(scope=scope, name=name, autouse=autouse)(cast("Any", cls))
        return made

    return declare if cls is None else declare(cls)


def proxy_before(
    service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location]
) -> ServiceSpec | None:
    """The proxy that stands in front of a service by declaration, if one does.

    Raises:
        DeclarationError: several do.
    """
    found = [spec for spec in declared if _is_before(spec, service)]
    name = service.cls.__qualname__
    if len(found) > 1:
        raise DeclarationError(
            f"{asker[0]} takes a Proxy[{name}], and {len(found)} proxies stand in front of {name}.",
            [asker, *(spec.party for spec in found)],
            f"Name the one you mean: {found[0].cls.__qualname__}.",
        )
    return found[0] if found else None


def declared_before(service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location]) -> ServiceSpec:
    """The proxy that `Proxy[service]` means in a service, which cannot have one of each test's own.

    Raises:
        DeclarationError: there is none, or several.
    """
    found = proxy_before(service, declared, asker)
    if found is not None:
        return found
    name = service.cls.__qualname__
    raise DeclarationError(
        f"{asker[0]} takes a Proxy[{name}], and none is declared.",
        [asker, service.party],
        f"Declare one: @proxy_fixture(scope=...) on `class {name}Proxy(Proxy[{name}])`.",
    )


def proxy_named(
    proxy: Any, service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location]
) -> ServiceSpec:
    """The proxy that `Through(proxy)` means for a service.

    Raises:
        DeclarationError: it is no declared proxy, or one in front of something else.
    """
    if proxy is None:
        return declared_before(service, declared, asker)
    spec = spec_of(proxy)
    name = service.cls.__qualname__
    shown = getattr(proxy, "__qualname__", repr(proxy))
    if spec is None or not is_proxy(spec.cls):
        raise DeclarationError(
            f"{asker[0]} goes through {shown}, which is no declared proxy.",
            [asker, (shown, location_of(proxy))],
            f"Declare it: @proxy_fixture(...) on `class {name}Proxy(Proxy[{name}])`.",
        )
    if not _is_before(spec, service):
        before = getattr(stands_before(spec.cls), "__qualname__", "another service")
        raise DeclarationError(
            f"{asker[0]} takes a {name} through {shown}, which stands in front of {before}.",
            [asker, spec.party, service.party],
            f"Name a proxy in front of {name}.",
        )
    return spec


def _is_before(proxy: ServiceSpec, service: ServiceSpec) -> bool:
    before = stands_before(proxy.cls)
    origin = typing.get_origin(before) or before
    return isinstance(origin, type) and same_class(origin, service.cls)
