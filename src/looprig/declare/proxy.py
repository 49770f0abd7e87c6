"""`proxy_fixture`: declares a proxy in front of a service, and finds the one that `Proxy[Rest]` or `UdpProxy[Dns]` is.

A proxy is a service like any other, with a lifecycle and a scope, that takes the service it stands before as its
field `service`. Does not run it: the classes `Proxy` and `UdpProxy` do, which are known here by their names alone, so
that this stays pure.

Invariant: a proxy of one kind never stands for one of the other, though both be in front of one service.
"""

import inspect
import typing
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar, cast, overload

from typing_extensions import is_protocol

from looprig.declare.hints import hints_of
from looprig.declare.service import ServiceSpec, same_class, service_fixture, spec_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of
from looprig.scopes import ScopeName

__all__ = [
    "ProxyKind",
    "declared_before",
    "is_proxy",
    "is_proxy_class",
    "kind_of_proxy",
    "misplaced",
    "proxied_service",
    "proxy_before",
    "proxy_fixture",
    "proxy_named",
    "stands_before",
]

ProxyKind = Literal["Proxy", "UdpProxy"]
_KINDS: Final[tuple[ProxyKind, ...]] = ("Proxy", "UdpProxy")

P = TypeVar("P", bound=Any)


def kind_of_proxy(annotation: Any) -> ProxyKind | None:
    """Of which kind a proxy is: `Proxy` or `UdpProxy` itself, `Proxy[Rest]`, or a class that is one."""
    named = typing.get_origin(annotation) or annotation
    bases: tuple[type, ...] = named.__mro__ if isinstance(named, type) else ()
    return next((kind for base in bases for kind in _KINDS if _is_called(base, kind)), None)


def _is_called(cls: type, kind: ProxyKind) -> bool:
    return cls.__qualname__ == kind and cls.__module__.startswith("looprig")


def is_proxy_class(annotation: Any) -> bool:
    """Whether something is the class `Proxy` or `UdpProxy` itself, or `Proxy[Rest]`."""
    named = typing.get_origin(annotation) or annotation
    return isinstance(named, type) and any(_is_called(named, kind) for kind in _KINDS)


def is_proxy(cls: type) -> bool:
    """Whether a class is a proxy in front of a service."""
    return kind_of_proxy(cls) is not None


def proxied_service(annotation: Any) -> Any:
    """`Rest` of `Proxy[Rest]` or `UdpProxy[Rest]`; `None` for all else."""
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
            # A Protocol is what the type variable of `Proxy` is bound to: nothing was put in its place.
            is_named = isinstance(service, type) and not is_protocol(service)
            found = [(service.__qualname__, location_of(service))] if is_named else []
            why = f": {service.__qualname__} is none" if is_named else ""
            raise DeclarationError(
                f"{party[0]} does not say of which service it is a proxy{why}.",
                [party, *found],
                f"Write `class {party[0]}(Proxy[Rest])`, with a class that is decorated with @service_fixture.",
            )
        _be_itself(cls)
        made: type[Any] = service_fixture(scope=scope, name=name, autouse=autouse)(cast("Any", cls))
        return made

    return declare if cls is None else declare(cls)


def _be_itself(cls: type) -> None:
    """Takes back what @dataclass makes of a class beside its constructor: two proxies are never equal."""
    for name in ("__repr__", "__eq__", "__hash__"):
        made = vars(cls).get(name, cls)
        code = getattr(inspect.unwrap(made) if callable(made) else made, "__code__", None)
        if made is None or (code is not None and code.co_filename == "<string>"):
            delattr(cls, name)


def proxy_before(
    service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location], kind: ProxyKind
) -> ServiceSpec | None:
    """The proxy of a kind that stands in front of a service by declaration, if one does.

    Raises:
        DeclarationError: several do.
    """
    found = [spec for spec in declared if kind_of_proxy(spec.cls) == kind and _is_before(spec, service)]
    name = service.cls.__qualname__
    if len(found) > 1:
        raise DeclarationError(
            f"{asker[0]} takes a {kind}[{name}], and {len(found)} proxies stand in front of {name}.",
            [asker, *(spec.party for spec in found)],
            f"Name the one you mean: {' or '.join(spec.cls.__qualname__ for spec in found)}.",
        )
    return found[0] if found else None


def declared_before(
    service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location], kind: ProxyKind
) -> ServiceSpec:
    """The proxy that `Proxy[service]` means in a service, which cannot have one of each test's own.

    Raises:
        DeclarationError: there is none, or several.
    """
    found = proxy_before(service, declared, asker, kind)
    if found is not None:
        return found
    name = service.cls.__qualname__
    raise DeclarationError(
        f"{asker[0]} takes a {kind}[{name}], and none is declared.",
        [asker, service.party],
        f"Declare one: @proxy_fixture(scope=...) on `class {name}Proxy({kind}[{name}])`.",
    )


def proxy_named(
    proxy: Any, service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location]
) -> ServiceSpec:
    """The proxy that `Through(proxy)` means for a service; `Through()` means a `Proxy`.

    Raises:
        DeclarationError: it is no declared proxy, or one in front of something else.
    """
    if proxy is None or is_proxy_class(proxy):
        return declared_before(service, declared, asker, kind_of_proxy(proxy) or "Proxy")
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


def misplaced(what: str, extras: Iterable[Any], party: tuple[str, Location]) -> DeclarationError | None:
    """An error where a class stands in the `Annotated` of `what`, and `Through(...)` looks meant."""
    for extra in extras:
        if not isinstance(extra, type):
            continue
        name = extra.__qualname__
        is_through = name == "Through" and extra.__module__.startswith("looprig")
        if is_through or is_proxy(extra):
            fix = "Write Through()." if is_through else f"Write Through({name})."
            return DeclarationError(f"{what} is annotated with the class {name}, which does nothing.", [party], fix)
    return None


def _is_before(proxy: ServiceSpec, service: ServiceSpec) -> bool:
    before = stands_before(proxy.cls)
    origin = typing.get_origin(before) or before
    return isinstance(origin, type) and same_class(origin, service.cls)
