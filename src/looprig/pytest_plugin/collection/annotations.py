"""The meaning of a parameter's annotation: a service, a proxy in front of one, a client of one, or something else.

Registers nothing (`registry` does) and does not look for fixtures (`parameters` does).

Invariant: no annotation raises when it is read. One that can't be evaluated at run time requests nothing, unless the
names that are missing are those of services.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any, Final, ForwardRef, Protocol, final

import pytest

import looprig
from looprig.declare.annotations import annotations_of
from looprig.declare.fields import service_of
from looprig.declare.hints import UNRESOLVED, evaluated, without_none
from looprig.declare.proxy import ProxyKind, Through, kind_of_proxy, misplaced, proxied_service
from looprig.declare.service import spec_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, is_of_looprig, location_of

if typing.TYPE_CHECKING:
    from looprig.declare.service import ServiceKey, ServiceSpec

__all__ = [
    "Annotations",
    "Target",
    "asks_nothing",
    "client_service",
    "is_client",
    "target_of",
    "unwrapped",
    "written_function",
]


@final
class Target:
    """A service or a client of one. A proxy is a service too. `through` is the proxy through which it is reached."""

    __slots__ = ("client", "spec", "through")

    def __init__(self, spec: ServiceSpec, *, client: bool = False, through: ServiceSpec | None = None) -> None:
        self.spec: ServiceSpec = spec
        self.client: bool = client
        self.through: ServiceSpec | None = through

    @property
    def fixture(self) -> ServiceSpec:
        """The service whose fixture provides the value."""
        return self.through or self.spec

    @property
    def key(self) -> tuple[ServiceKey, bool, ServiceKey | None]:
        """A key that is equal for annotations that request the same thing."""
        return self.spec.key, self.client, None if self.through is None else self.through.key

    @property
    def party(self) -> tuple[str, Location]:
        """The name and location to show in an error."""
        return str(self), self.fixture.location

    def __str__(self) -> str:
        name = f"TestClient[{self.spec.cls.__qualname__}]" if self.client else self.spec.cls.__qualname__
        return name if self.through is None else f"{name} through {self.through.cls.__qualname__}"


class ProxyLookup(Protocol):
    """The proxies that the annotations of one function mean."""

    @property
    def asker(self) -> tuple[str, Location]:
        """The name and location of the function."""
        ...

    def before(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """Return the proxy that `Proxy[service]` means. Create it if none is declared."""
        ...

    def named(self, proxy: Any, service: ServiceSpec) -> ServiceSpec:
        """Return the proxy that `Through(proxy)` means for a service."""
        ...


def asks_nothing(function: object) -> bool:
    """Return whether a function has no annotations, as in most tests. False if that isn't cheap to tell."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return False
    try:
        annotations = function.__annotations__
    except Exception:  # noqa: BLE001 - Python 3.14 evaluates them here
        return False
    return not annotations or (len(annotations) == 1 and "return" in annotations)


def written_function(function: Any) -> Any:
    """Return the function as written in the source, without wrappers of decorators, or `classmethod` and the like."""
    return inspect.unwrap(getattr(function, "__func__", function))


@final
class Names:
    """The meaning of names that are imported under `if TYPE_CHECKING`, so that they don't exist at run time.

    They are looked up among the services that are fixtures in a file, not in the whole run. So they mean the same
    whichever tests are selected, and nothing is imported for them.
    """

    def __init__(self) -> None:
        self._services: list[tuple[ServiceSpec, Any]] = []

    def add(self, spec: ServiceSpec, node: Any) -> None:
        """Record that a service is a fixture below a node."""
        self._services.append((spec, node))

    def meaning(self, name: str, function: FunctionType) -> Any:
        """Return the service or module of services that is called `name`, or else a name of looprig or typing.

        Return `None` if there are several, or none.
        """
        path = Path(function.__code__.co_filename)
        visible = [spec.cls for spec, node in self._services if _is_below(path, node)]
        found = {_key(each): each for cls in visible if (each := _called(name, cls)) is not None}
        if found or not visible:
            return next(iter(found.values())) if len(found) == 1 else None
        if name == looprig.__name__:
            return looprig
        return next((getattr(home, name) for home in (looprig, typing) if name in home.__all__), None)


def _is_below(path: Path, node: Any) -> bool:
    if isinstance(node, pytest.Directory):
        return path.is_relative_to(node.path)
    return isinstance(node, pytest.Session) or path == node.path


def _key(found: Any) -> Any:
    spec = spec_of(found)
    return found if spec is None else spec.key  # a module, or a class that may have been imported under two names


def _called(name: str, cls: type) -> Any:
    """Return a class, or its module or package, if it has this name."""
    if cls.__name__ == name:
        return cls
    package, _, module = cls.__module__.rpartition(".")
    full = cls.__module__ if module == name else name if package.partition(".")[0] == name else ""
    return sys.modules.get(full)


@final
class Annotations:
    """The evaluated annotations of functions. Each text is evaluated once for each module."""

    def __init__(self) -> None:
        self.names: Final = Names()
        self._texts: dict[tuple[str, str], Any] = {}

    def of(self, function: Any) -> Sequence[tuple[str, Any]]:
        """Return the name and annotation of each parameter whose annotation can be evaluated at run time.

        An annotation that is wrong, such as `Through(5)`, is replaced by its `DeclarationError`.
        """
        if asks_nothing(function):
            return ()
        function = written_function(function)
        if not isinstance(function, FunctionType):
            return ()
        return [*self._evaluate(annotations_of(function), function)]

    def _evaluate(self, annotations: Mapping[str, Any], function: FunctionType) -> Iterator[tuple[str, Any]]:
        for name, annotation in annotations.items():
            if name == "return":
                continue
            is_class = isinstance(annotation, type)
            value = annotation if is_class else evaluated(annotation, partial(self._evaluated, function))
            if value is not UNRESOLVED and not isinstance(unwrapped(value)[0], ForwardRef):
                yield name, value

    def _evaluated(self, function: FunctionType, text: str) -> Any:
        key = (function.__module__, text)
        if key not in self._texts:
            try:
                value = self._with_names(text, function)
            except DeclarationError as error:
                return DeclarationError(error.what, [(function.__qualname__, location_of(function))], error.fix)
            except Exception:  # noqa: BLE001 - a name for type checkers only, so not a service
                value = UNRESOLVED
            self._texts[key] = value
        return self._texts[key]

    def _with_names(self, text: str, function: FunctionType) -> Any:
        names: dict[str, Any] = {}
        while True:
            try:
                value = eval(text, function.__globals__, names)  # noqa: S307 - the user's own annotation
            except NameError as error:
                missing = error.name or ""  # empty if the suite's own code raised it
                if missing in names or (found := self.names.meaning(missing, function)) is None:
                    raise
                names[missing] = found
            else:
                # A class that is only called `TestClient` may be that of another package.
                is_guess = spec_of(value) is None and any(value is found for found in names.values())
                return UNRESOLVED if is_guess else value


def target_of(annotation: Any, proxies: ProxyLookup) -> Target | None:
    """Return the target that an annotation requests, if it is about a service.

    Raises:
        DeclarationError: the annotation is wrong, names a proxy that doesn't exist, or could mean several proxies.
    """
    if isinstance(annotation, DeclarationError):
        raise annotation
    annotation = without_none(annotation)
    extras = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    annotation, through = unwrapped(annotation)
    client = is_client(annotation)
    wanted = client_service(annotation) if client else annotation
    spec = service_of(wanted)
    if spec is not None and (error := misplaced(spec.cls.__qualname__, extras, proxies.asker)) is not None:
        raise error
    if spec is None:
        before, kind = service_of(proxied_service(wanted)), kind_of_proxy(wanted)
        return None if before is None or kind is None else Target(proxies.before(before, kind), client=client)
    if through is None:
        return Target(spec, client=client)
    return Target(spec, client=client, through=proxies.named(through.proxy, spec))


def unwrapped(annotation: Any) -> tuple[Any, Through | None]:
    """Return an annotation without `Annotated` and `| None`, and the `Through` that was in it."""
    annotation = without_none(annotation)
    if typing.get_origin(annotation) is not typing.Annotated:
        return annotation, None
    annotation, *extras = typing.get_args(annotation)
    return without_none(annotation), next((extra for extra in extras if isinstance(extra, Through)), None)


def is_client(annotation: Any) -> bool:
    """Return whether an annotation is `TestClient`, or `TestClient[Rest]`."""
    # Compare names, so that `TestClient` need not be loaded. A process that runs one pytest inside another has several.
    named = typing.get_origin(annotation) or annotation
    return isinstance(named, type) and named.__qualname__ == "TestClient" and is_of_looprig(named)


def client_service(annotation: Any) -> Any:
    """Return `Rest` for `TestClient[Rest]`, and `None` for a plain `TestClient`."""
    return next(iter(typing.get_args(annotation)), None)
