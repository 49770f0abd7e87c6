"""What a parameter's annotation asks for: a service, a proxy in front of one, a client of one, or something else.

Does not register anything (`registering` does) and does not look for fixtures (`answering` does).

Invariant: no annotation raises. One that means nothing at run time asks for nothing.
"""

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, Protocol, final

from typing_extensions import is_protocol

from looprig.declare.annotations import annotations_of
from looprig.declare.fields import service_of
from looprig.declare.proxy import (
    ProxyKind,
    Through,
    is_proxy_class,
    kind_of_proxy,
    misplaced,
    proxied_service,
    stands_before,
)
from looprig.declare.service import ServiceKey, ServiceSpec, same_class
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of

__all__ = ["Annotations", "FindsProxies", "Target", "asks_nothing", "fits", "target_of", "undeclared", "unresolved"]

UNKNOWN_TYPE: object = object()


@final
class Target:
    """A service (a proxy is one), or a client of one; `through` is the proxy by which it is reached."""

    __slots__ = ("client", "spec", "through")

    def __init__(self, spec: ServiceSpec, *, client: bool = False, through: ServiceSpec | None = None) -> None:
        self.spec: ServiceSpec = spec
        self.client: bool = client
        self.through: ServiceSpec | None = through

    @property
    def fixture(self) -> ServiceSpec:
        """The service whose fixture answers it."""
        return self.through or self.spec

    @property
    def key(self) -> tuple[ServiceKey, bool, ServiceKey | None]:
        """Equal for two annotations that ask for the same thing."""
        return self.spec.key, self.client, None if self.through is None else self.through.key

    @property
    def party(self) -> tuple[str, Location]:
        """How errors list it."""
        return str(self), self.fixture.location

    def __str__(self) -> str:
        name = f"TestClient[{self.spec.cls.__qualname__}]" if self.client else self.spec.cls.__qualname__
        return name if self.through is None else f"{name} through {self.through.cls.__qualname__}"


class FindsProxies(Protocol):
    """Finds the proxies that the annotations of one function mean."""

    def before(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """What `Proxy[service]` means there, made if none is declared."""
        ...

    def named(self, proxy: Any, service: ServiceSpec) -> ServiceSpec:
        """What `Through(proxy)` means there for a service."""
        ...


def asks_nothing(function: object) -> bool:
    """Whether no parameter has an annotation, where that costs little to see: so it is for most tests."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return False
    try:
        annotations = function.__annotations__
    except Exception:  # noqa: BLE001 - Python 3.14 evaluates them here
        return False
    return not annotations or (len(annotations) == 1 and "return" in annotations)


@final
class Annotations:
    """The annotations of functions, evaluated. Each text is evaluated once for a module."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], Any] = {}

    def of(self, function: Any) -> Sequence[tuple[str, Any]]:
        """Name and annotation of each parameter that has one with a meaning at run time."""
        if asks_nothing(function):
            return ()
        function = inspect.unwrap(getattr(function, "__func__", function))
        if not isinstance(function, FunctionType):
            return ()
        return [*self._evaluate(annotations_of(function), function)]

    def _evaluate(self, annotations: Mapping[str, Any], function: FunctionType) -> Iterator[tuple[str, Any]]:
        for name, annotation in annotations.items():
            if name == "return":
                continue
            value = self._evaluated(annotation, function) if isinstance(annotation, str) else annotation
            if value is not UNKNOWN_TYPE:
                yield name, value

    def _evaluated(self, text: str, function: FunctionType) -> Any:
        key = (function.__module__, text)
        if key not in self._texts:
            try:
                value = eval(text, function.__globals__)  # noqa: S307 - the user's own annotation
            except Exception:  # noqa: BLE001 - a name for checkers only: not a service that could be started
                value = UNKNOWN_TYPE
            self._texts[key] = value
        return self._texts[key]


def unresolved(function: Any, name: str) -> str | None:
    """The text of a parameter's annotation, where it has one that means nothing at run time."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    annotation = annotations_of(function).get(name)
    return annotation if isinstance(annotation, str) else None


def target_of(annotation: Any, proxies: FindsProxies) -> Target | None:
    """What an annotation asks for, if it is about a service.

    Raises:
        DeclarationError: it names a proxy that there is not, or one of several without saying which.
    """
    extras = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    annotation, through = _unwrapped(annotation)
    is_client = _is_client(annotation)
    wanted = _client_service(annotation) if is_client else annotation
    spec = service_of(wanted)
    if spec is not None and (error := misplaced(spec.cls.__qualname__, extras, spec.party)) is not None:
        raise error
    if spec is None:
        before, kind = service_of(proxied_service(wanted)), kind_of_proxy(wanted)
        return None if before is None or kind is None else Target(proxies.before(before, kind), client=is_client)
    if through is None:
        return Target(spec, client=is_client)
    return Target(spec, client=is_client, through=proxies.named(through.proxy, spec))


def _unwrapped(annotation: Any) -> tuple[Any, Through | None]:
    if typing.get_origin(annotation) is not typing.Annotated:
        return annotation, None
    annotation, *extras = typing.get_args(annotation)
    return annotation, next((extra for extra in extras if isinstance(extra, Through)), None)


def _is_client(annotation: Any) -> bool:
    # By its name, for which it need not be loaded; and a process that runs one pytest in another has several.
    named = typing.get_origin(annotation) or annotation
    return isinstance(named, type) and (named.__module__, named.__qualname__) == ("looprig", "TestClient")


def _client_service(annotation: Any) -> Any:
    return next(iter(typing.get_args(annotation)), None)


def undeclared(annotation: Any, function: Any, name: str) -> DeclarationError | None:
    """An error where an annotation is about something that looks like a service and is none."""
    qualname = getattr(function, "__qualname__", repr(function))
    party = [(qualname, location_of(function))]
    cls = _client_service(annotation) if _is_client(annotation) else annotation
    kind = kind_of_proxy(cls) if is_proxy_class(cls) else None
    if kind is not None:
        cls = proxied_service(cls)
    if cls is None:
        vague = kind or "TestClient"
        return DeclarationError(
            f"{qualname} declares {name}: {vague}, without saying of which service.",
            party,
            f"Name it: {vague}[Rest].",
            "fixture-missing",
            name,
        )
    if not isinstance(cls, type) or service_of(cls) is not None:
        return None
    base = next((spec for base in cls.__mro__[1:] if (spec := service_of(base)) is not None), None)
    if base is None and cls is annotation:
        return None
    shown = cls.__qualname__
    if cls is not annotation:
        shown = f"{kind or 'TestClient'}[{shown}]"
    though = f", though {base.cls.__qualname__} is" if base is not None else ""
    return DeclarationError(
        f"{qualname} declares {name}: {shown}, but there is no fixture {name!r}, and {cls.__qualname__} is no service"
        f"{though}.",
        [*party, (cls.__qualname__, location_of(cls)), *([base.party] if base is not None else [])],
        f"Decorate {cls.__qualname__} with @service_fixture(...).",
        "fixture-missing",
        name,
    )


def fits(known: Target, annotation: Any) -> bool:
    """Whether what a fixture gives is what an annotation says, as far as that can be told at run time."""
    annotation, through = _unwrapped(annotation)
    # Else it gives the service itself, past the proxy.
    return (through is None or known.through is not None) and _fits_itself(known, annotation)


def _fits_itself(known: Target, annotation: Any) -> bool:
    is_client = _is_client(annotation)
    wanted = _client_service(annotation) if is_client else annotation
    if (before := service_of(proxied_service(wanted))) is not None:
        behind = stands_before(known.spec.cls)
        is_of_kind = kind_of_proxy(known.spec.cls) == kind_of_proxy(wanted)
        return (
            known.client is is_client and is_of_kind and isinstance(behind, type) and _is_subclass(behind, before.cls)
        )
    if (spec := service_of(wanted)) is not None:
        return known.client is is_client and _is_subclass(known.spec.cls, spec.cls)
    if _is_client(annotation):
        service = _client_service(annotation)
        is_vague = not isinstance(service, type) or is_protocol(service)
        return known.client and (is_vague or _is_subclass(known.spec.cls, service))
    # Protocols, unions and the like are for type checkers to judge.
    if not isinstance(annotation, type) or annotation is Any or is_protocol(annotation):
        return True
    if typing.get_origin(annotation) is not None:
        return True  # list[int] is an instance of type
    return annotation is object if known.client else _is_subclass(known.spec.cls, annotation)


def _is_subclass(cls: type, wanted: type) -> bool:
    """As `issubclass`, and for classes that are known under two module names."""
    return any(same_class(base, wanted) for base in cls.__mro__) or issubclass(cls, wanted)
