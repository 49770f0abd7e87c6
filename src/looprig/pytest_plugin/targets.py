"""What a parameter's annotation asks for: a service, a client of one, or something else.

Does not register anything (`registering` does) and does not look for fixtures (`answering` does).

Invariant: no annotation raises. One that means nothing at run time asks for nothing.
"""

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, final

from typing_extensions import is_protocol

from looprig.declare.fields import service_of
from looprig.declare.service import ServiceKey, ServiceSpec, same_class
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of

__all__ = ["Annotations", "Target", "asks_nothing", "fits", "target_of", "undeclared"]

UNKNOWN_TYPE: object = object()


@final
class Target:
    """A service, or a client of one."""

    __slots__ = ("client", "spec")

    def __init__(self, spec: ServiceSpec, *, client: bool) -> None:
        self.spec: ServiceSpec = spec
        self.client: bool = client

    @property
    def key(self) -> tuple[ServiceKey, bool]:
        """Equal for two annotations that ask for the same thing."""
        return self.spec.key, self.client

    @property
    def party(self) -> tuple[str, Location]:
        """How errors list it."""
        return str(self), self.spec.location

    def __str__(self) -> str:
        return f"TestClient[{self.spec.cls.__qualname__}]" if self.client else self.spec.cls.__qualname__


def asks_nothing(function: object) -> bool:
    """Whether no parameter has an annotation, where that costs little to see: so it is for most tests."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return False
    try:
        annotations = function.__annotations__
    except NameError:  # Python 3.14 evaluates them here
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
        try:
            annotations = function.__annotations__
        except NameError:  # Python 3.14 evaluates them here
            return ()
        return [*self._evaluate(annotations, function)] if annotations else ()

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


def target_of(annotation: Any) -> Target | None:
    """What an annotation asks for, if it is about a service."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    spec = service_of(annotation)
    if spec is not None:
        return Target(spec, client=False)
    if not _is_client(annotation):
        return None
    spec = service_of(_client_service(annotation))
    return Target(spec, client=True) if spec is not None else None


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
    if cls is None:
        return DeclarationError(
            f"{qualname} declares {name}: TestClient, without saying of which service.",
            party,
            "Name it: TestClient[Rest].",
        )
    if not isinstance(cls, type) or service_of(cls) is not None:
        return None
    base = next((spec for base in cls.__mro__[1:] if (spec := service_of(base)) is not None), None)
    if base is None and cls is annotation:
        return None
    shown = f"TestClient[{cls.__qualname__}]" if cls is not annotation else cls.__qualname__
    though = f", though {base.cls.__qualname__} is" if base is not None else ""
    return DeclarationError(
        f"{qualname} declares {name}: {shown}, but there is no fixture {name!r}, and {cls.__qualname__} is no service"
        f"{though}.",
        [*party, (cls.__qualname__, location_of(cls)), *([base.party] if base is not None else [])],
        f"Decorate {cls.__qualname__} with @service_fixture(...).",
    )


def fits(known: Target, annotation: Any) -> bool:
    """Whether what a fixture gives is what an annotation says, as far as that can be told at run time."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    wanted = target_of(annotation)
    if wanted is not None:
        return known.client is wanted.client and _is_subclass(known.spec.cls, wanted.spec.cls)
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
