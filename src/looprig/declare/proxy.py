"""Declarations of proxies: `proxy_fixture`, `Through`, and finding the declared proxy that an annotation means.

A proxy is an ordinary service, with a lifecycle and a scope, that depends on the service behind it through its field
`service`. Does not run proxies, and does not import their classes: a class is a proxy if it has a `proxy_kind`
(`ProxyClass`).

Invariant: a proxy of one kind never replaces one of another kind, even if both are in front of the same service.
"""

import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar, cast, final, overload

from typing_extensions import is_protocol

from looprig.declare.checks import checked_scope
from looprig.declare.hints import hints_of
from looprig.declare.service import ServiceSpec, same_class, service_fixture, spec_of
from looprig.declare.values import Check, check_values
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of
from looprig.scopes import ScopeName

__all__ = [
    "TCP",
    "UDP",
    "ProxyClass",
    "ProxyKind",
    "Through",
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


class ProxyKind(NamedTuple):
    """A kind of proxy: the generic class that users subscript, and its module."""

    name: str
    module: str

    def __str__(self) -> str:
        return self.name


TCP: Final = ProxyKind("Proxy", "looprig.services.proxy")
UDP: Final = ProxyKind("UdpProxy", "looprig.services.udp_proxy")


class ProxyClass(Protocol):
    """A class of proxies. The generic class of each kind sets `proxy_kind`."""

    proxy_kind: ClassVar[ProxyKind]


_PROXY: Final = Check("a class of proxies", lambda value: value is None or kind_of_proxy(value) is not None)
P = TypeVar("P", bound=ProxyClass)


@final
@dataclass(frozen=True, slots=True)
class Through:
    """Reach a service, or a client of one, through a proxy: `db: Annotated[Postgres, Through(SlowDb)]`.

    The value is the service, but with the proxy's address (`address`, `host`, `port`, `url` ...). `Through()` means the
    proxy that `Proxy[Postgres]` would be in the same place, and `Through(UdpProxy)` the one of `UdpProxy[Postgres]`.
    """

    proxy: type[ProxyClass] | None = None

    def __post_init__(self) -> None:
        check_values("Through", [("proxy", self.proxy, _PROXY)])


def kind_of_proxy(annotation: Any) -> ProxyKind | None:
    """Return the kind of `Proxy` or `UdpProxy` itself, of `Proxy[Rest]`, or of a subclass."""
    named = typing.get_origin(annotation) or annotation
    kind: ProxyKind | None = getattr(named, "proxy_kind", None) if isinstance(named, type) else None
    return kind


def is_proxy(cls: type) -> bool:
    """Return whether a class is a proxy in front of a service."""
    return kind_of_proxy(cls) is not None


def is_proxy_class(annotation: Any) -> bool:
    """Return whether an object is the generic class of a kind, or `Proxy[Rest]`."""
    named = typing.get_origin(annotation) or annotation
    return isinstance(named, type) and "proxy_kind" in vars(named)


def proxied_service(annotation: Any) -> Any:
    """Return `Rest` for `Proxy[Rest]` or `UdpProxy[Rest]`, and `None` for anything else."""
    return next(iter(typing.get_args(annotation)), None) if is_proxy_class(annotation) else None


def stands_before(cls: type) -> Any:
    """Return the service class behind a proxy: `Rest` for `class SlowRest(Proxy[Rest])`."""
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
    """Declare a proxy in front of a service, with toxics that apply all the time.

        @proxy_fixture(scope="module")
        @dataclass(kw_only=True)
        class SlowDatabase(Proxy[Postgres]):
            toxics: Sequence[Toxic] = (Latency(0.05),)

    A test or fixture that requests `Proxy[Postgres]` or `SlowDatabase` gets it, and one that requests
    `Annotated[Postgres, Through(SlowDatabase)]` gets the database behind it. The arguments are the same as those of
    `service_fixture`.

    Raises:
        DeclarationError: the class isn't a proxy, or doesn't name its service.
    """
    __tracebackhide__ = True

    def declare(cls: Any) -> type[Any]:
        __tracebackhide__ = True
        party = (getattr(cls, "__qualname__", repr(cls)), location_of(cls))
        if not isinstance(cls, type) or not is_proxy(cls):
            raise DeclarationError(
                f"proxy_fixture was put on {party[0]}, which isn't a proxy.",
                [party],
                f"Write `class {party[0]}(Proxy[Rest])`, with the service that it is in front of.",
            )
        service = stands_before(cls)
        if spec_of(typing.get_origin(service) or service) is None:
            # A Protocol is the bound of `Proxy`'s type variable, so no service was given.
            is_named = isinstance(service, type) and not is_protocol(service)
            found = [(service.__qualname__, location_of(service))] if is_named else []
            why = f": {service.__qualname__} isn't one" if is_named else ""
            raise DeclarationError(
                f"{party[0]} doesn't name the service that it is a proxy of{why}.",
                [party, *found],
                f"Write `class {party[0]}(Proxy[Rest])`, with a class that is decorated with @service_fixture.",
            )
        checked_scope(scope, party[0], party[1])
        _be_itself(cls)
        made: type[Any] = service_fixture(scope=scope, name=name, autouse=autouse)(cast("Any", cls))
        return made

    return declare if cls is None else declare(cls)


def _be_itself(cls: type) -> None:
    """Remove the methods that @dataclass adds besides the constructor, so that proxies are compared by identity."""
    for name in ("__repr__", "__eq__", "__hash__"):
        made = vars(cls).get(name, cls)
        code = getattr(inspect.unwrap(made) if callable(made) else made, "__code__", None)
        if made is None or (code is not None and code.co_filename == "<string>"):
            delattr(cls, name)


def proxy_before(
    service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location], kind: ProxyKind
) -> ServiceSpec | None:
    """Return the declared proxy of a kind in front of a service, if there is one.

    Raises:
        DeclarationError: there are several.
    """
    found = [spec for spec in declared if kind_of_proxy(spec.cls) == kind and _is_before(spec, service)]
    name = service.cls.__qualname__
    if len(found) > 1:
        raise DeclarationError(
            f"{asker[0]} requests a {kind}[{name}], but {len(found)} proxies are in front of {name}.",
            [asker, *(spec.party for spec in found)],
            f"Name the one you mean: {' or '.join(spec.cls.__qualname__ for spec in found)}.",
        )
    return found[0] if found else None


def declared_before(
    service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location], kind: ProxyKind
) -> ServiceSpec:
    """Return the proxy that `Proxy[service]` means in a service, which can't use an implicit one for each test.

    Raises:
        DeclarationError: no proxy, or more than one, is declared for the service.
    """
    found = proxy_before(service, declared, asker, kind)
    if found is not None:
        return found
    name = service.cls.__qualname__
    raise DeclarationError(
        f"{asker[0]} requests a {kind}[{name}], but none is declared.",
        [asker, service.party],
        f"Declare one: @proxy_fixture(scope=...) on `class {name}Proxy({kind}[{name}])`.",
    )


def proxy_named(
    proxy: Any, service: ServiceSpec, declared: Iterable[ServiceSpec], asker: tuple[str, Location]
) -> ServiceSpec:
    """Return the proxy that `Through(proxy)` means for a service. `Through()` means a `Proxy`.

    Raises:
        DeclarationError: `proxy` isn't a declared proxy, or is in front of something else.
    """
    if proxy is None or is_proxy_class(proxy):
        return declared_before(service, declared, asker, kind_of_proxy(proxy) or TCP)
    spec = spec_of(proxy)
    name = service.cls.__qualname__
    shown = getattr(proxy, "__qualname__", repr(proxy))
    if spec is None or not is_proxy(spec.cls):
        raise DeclarationError(
            f"{asker[0]} goes through {shown}, which isn't a declared proxy.",
            [asker, (shown, location_of(proxy))],
            f"Declare it: @proxy_fixture(...) on `class {name}Proxy(Proxy[{name}])`.",
        )
    if not _is_before(spec, service):
        before = getattr(stands_before(spec.cls), "__qualname__", "another service")
        raise DeclarationError(
            f"{asker[0]} requests a {name} through {shown}, which is in front of {before}.",
            [asker, spec.party, service.party],
            f"Name a proxy in front of {name}.",
        )
    return spec


def misplaced(what: str, extras: Iterable[Any], party: tuple[str, Location]) -> DeclarationError | None:
    """Return an error if `what` is annotated with a proxy class, where `Through(...)` was probably meant."""
    for extra in extras:
        if not isinstance(extra, type):
            continue
        name = extra.__qualname__
        if extra is Through or is_proxy(extra):
            fix = "Write Through()." if extra is Through else f"Write Through({name})."
            return DeclarationError(f"{what} is annotated with the class {name}, which does nothing.", [party], fix)
    return None


def _is_before(proxy: ServiceSpec, service: ServiceSpec) -> bool:
    before = stands_before(proxy.cls)
    origin = typing.get_origin(before) or before
    return isinstance(origin, type) and same_class(origin, service.cls)
