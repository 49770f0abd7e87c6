"""`service_fixture`: turns a dataclass with a lifecycle into the frozen spec of a fixture.

Does not check the class (`checks` does), does not resolve its fields (`fields` does), and does not know pytest.

Invariants:
1. A class is checked when it is decorated, so a mistake in the class itself is reported at import.
2. A spec belongs to the class that was decorated, not to its subclasses.
3. The same class imported under two module names has one `key`: its file, its qualified name, and its ordinal among the
   classes of that name, since a function may create several.
"""

import dataclasses
import functools
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Final, final, overload
from weakref import WeakKeyDictionary, WeakSet

from looprig.declare.annotations import annotations_of
from looprig.declare.checks import checked_class, checked_name, checked_provides, checked_scope
from looprig.declare.fields_meta import check_defaults
from looprig.declare.lifecycle import HasStartAndStopOrRunOrAenter, Lifecycle, lifecycle_of
from looprig.declare.values import DURATION, FLAG, check_values
from looprig.exceptions import DeclarationError
from looprig.location import Location, is_foreign, is_of_looprig, location_of
from looprig.scopes import SERVICE_SCOPE_NAMES, Scope, ServiceScopeName

__all__ = [
    "START_TIMEOUT",
    "ServiceKey",
    "ServiceSpec",
    "declared_services",
    "same_class",
    "service_fixture",
    "spec_of",
]

START_TIMEOUT: Final = 30.0
"""Default time limit in seconds for a service to get ready."""

_ATTRIBUTE: Final = "__looprig_service__"
# All declared classes, to find those that provide a Protocol. A run keeps its own state elsewhere.
_declared: Final[WeakSet[type]] = WeakSet()
# For each module, the number of classes of one name that it has declared so far.
_counts: Final[WeakKeyDictionary[ModuleType, Counter[str]]] = WeakKeyDictionary()

ServiceKey = tuple[str, str, int]


_real: Final = functools.cache(os.path.realpath)  # called for each test that uses a service


@final
@dataclasses.dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service class together with its options. `start_timeout` is in seconds.

    `in_thread` is whether the service runs on the loop of the services' own thread.
    """

    cls: type
    name: str
    scope: Scope
    provides: tuple[Any, ...]
    autouse: bool
    start_timeout: float
    lifecycle: Lifecycle
    location: Location
    ordinal: int = 0
    in_thread: bool = False

    @property
    def key(self) -> ServiceKey:
        """The identity of the declaration, the same however many times its file was imported."""
        return _real(self.location.path), self.cls.__qualname__, self.ordinal

    @property
    def label(self) -> str:
        """The name and scope, as error messages show them."""
        return f'{self.cls.__qualname__} (scope "{self.scope}")'

    @property
    def party(self) -> tuple[str, Location]:
        """The name and location, as an error lists its parties."""
        return self.cls.__qualname__, self.location

    @property
    def is_foreign(self) -> bool:
        """Whether the class belongs to looprig or to another installed package, so that a suite can't change it."""
        return is_of_looprig(self.cls) or is_foreign(self.location.path)


@overload
def service_fixture(cls: type[HasStartAndStopOrRunOrAenter], /) -> type[HasStartAndStopOrRunOrAenter]: ...
@overload
def service_fixture(
    *,
    scope: ServiceScopeName = "function",
    name: str | None = None,
    provides: type | Sequence[type] = (),
    autouse: bool = False,
    start_timeout: float = START_TIMEOUT,
    in_thread: bool = False,
) -> Callable[[type[HasStartAndStopOrRunOrAenter]], type[HasStartAndStopOrRunOrAenter]]: ...
def service_fixture(
    cls: type[Any] | None = None,
    /,
    *,
    scope: ServiceScopeName = "function",
    name: str | None = None,
    provides: type | Sequence[type] = (),
    autouse: bool = False,
    start_timeout: float = START_TIMEOUT,
    in_thread: bool = False,
) -> Any:
    """Declare a service class as a fixture. The class is a dataclass whose fields are its dependencies.

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AiohttpService):
            db: Postgres                 # another service, by its type
            page_size: int = 20          # configuration

    Args:
        scope: how long an instance lives, as for any pytest fixture. With "run", all workers of pytest-xdist share one
            instance; without pytest-xdist, that is the same as "session".
        name: the fixture's name; by default the class's name in snake_case.
        provides: Protocols that a field may name instead of this class.
        autouse: whether every test that can see the fixture uses it.
        start_timeout: time limit in seconds for the service to get ready.
        in_thread: whether the service runs on a loop in a thread of its own, together with all other such services. It
            also answers while a sync test or client blocks. Calls of its async methods go to that loop, from other
            loops too; sync code calls them with `call_service`. Ignored outside pytest.

    Raises:
        DeclarationError: the class has no lifecycle, has fields but isn't a dataclass, or an option is invalid.
    """
    __tracebackhide__ = True

    def declare(cls: type[Any]) -> type[Any]:
        __tracebackhide__ = True
        spec = _checked(cls, scope, name, provides, autouse=autouse, start_timeout=start_timeout, in_thread=in_thread)
        setattr(cls, _ATTRIBUTE, spec)
        _declared.add(cls)
        return cls

    return declare if cls is None else declare(cls)


def _checked(
    cls: Any,
    scope: str,
    name: str | None,
    provides: Any,
    *,
    autouse: bool,
    start_timeout: float,
    in_thread: bool,
) -> ServiceSpec:
    __tracebackhide__ = True
    location = location_of(cls)
    if not isinstance(cls, type):
        shown = getattr(cls, "__qualname__", repr(cls))
        raise DeclarationError(
            f"service_fixture was applied to {shown}, which isn't a class.",
            [(shown, location)],
            "Apply it to a class with a lifecycle. For a function, use pytest.fixture.",
        )
    if spec_of(cls) is not None:
        raise DeclarationError(
            f"{cls.__qualname__} is declared with service_fixture twice.",
            [(cls.__qualname__, location)],
            "Keep one of them. For the same service with another scope or name, decorate a subclass.",
        )
    lifecycle = lifecycle_of(cls)
    checked_class(cls, location)
    _check_attributes(cls, location)
    check_defaults(cls, location)
    if checked_scope(scope, cls.__qualname__, location, SERVICE_SCOPE_NAMES) is Scope.RUN:
        _check_findable(cls, location)
    options = [("autouse", autouse, FLAG), ("start_timeout", start_timeout, DURATION), ("in_thread", in_thread, FLAG)]
    check_values(cls.__qualname__, options, [(cls.__qualname__, location)])
    if in_thread and not cls.__dictoffset__:
        raise DeclarationError(
            f"{cls.__qualname__} runs in a thread, but its instances have __slots__ and no __dict__, so its async "
            "methods can't be moved to the loop there.",
            [(cls.__qualname__, location)],
            "Remove slots=True or __slots__.",
        )
    return ServiceSpec(
        cls,
        checked_name(cls, snake_case(cls.__name__) if name is None else name, location),
        checked_scope(scope, cls.__qualname__, location, SERVICE_SCOPE_NAMES),
        checked_provides(cls, provides, location),
        autouse,
        float(start_timeout),
        lifecycle,
        location,
        _ordinal(cls),
        in_thread,
    )


def _check_findable(cls: type, location: Location) -> None:
    """Reject a service for a whole run that another process could not find: it has to be in a module."""
    __tracebackhide__ = True
    if "<locals>" in cls.__qualname__:
        raise DeclarationError(
            f'{cls.__qualname__} has scope "run", but is declared in a function, where another process can\'t find it.',
            [(cls.__qualname__, location)],
            'Declare it at the top level of a module, or give it scope="session".',
        )


def _check_attributes(cls: type, location: Location) -> None:
    """Reject an attribute that is set to a service class, where a field of that type was probably meant."""
    __tracebackhide__ = True
    annotated = annotations_of(cls)
    for name, value in vars(cls).items():
        service = spec_of(value)
        if service is None or name in annotated or value.__name__ == name:  # a class inside this class
            continue
        raise DeclarationError(
            f"{cls.__qualname__}.{name} is the class {value.__qualname__} itself, not a running service.",
            [(cls.__qualname__, location), service.party],
            f"To depend on the service, write `{name}: {value.__qualname__}`. To keep the class, write "
            f"`{name}: ClassVar = {value.__qualname__}`.",
        )


def _ordinal(cls: type) -> int:
    """Return the number of classes with the same qualified name that the module declared before.

    It is above 0 if a function creates the classes.
    """
    module = sys.modules.get(cls.__module__)
    if module is None:
        return 0
    counts = _counts.setdefault(module, Counter())
    counts[cls.__qualname__] += 1
    return counts[cls.__qualname__] - 1


def snake_case(name: str) -> str:
    """Return a class name in snake_case: `HTTPServer` -> `http_server`, `UserApi2` -> `user_api2`."""
    split = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", split).lower().lstrip("_")


def spec_of(cls: object) -> ServiceSpec | None:
    """Return the spec of a decorated class, or `None` for anything else, its subclasses included."""
    if not isinstance(cls, type):
        return None
    spec: ServiceSpec | None = cls.__dict__.get(_ATTRIBUTE)
    if spec is not None and spec.cls is not cls:
        # A decorator above ours created a new class, as @dataclass(slots=True) does.
        return dataclasses.replace(spec, cls=cls)
    return spec


def same_class(one: type, other: type) -> bool:
    """Return whether two classes are the same one, even if it was imported under two module names."""
    if one is other:
        return True
    if one.__qualname__ != other.__qualname__ or one.__module__ == other.__module__:
        return False
    file = _file(one)
    return file is not None and file == _file(other)


def _file(cls: type) -> str | None:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return None if file is None else os.path.realpath(file)


def declared_services() -> list[ServiceSpec]:
    """Return the specs of all service classes still alive, ordered by location."""
    specs = {spec.key: spec for cls in list(_declared) if (spec := spec_of(cls)) is not None}
    return sorted(specs.values(), key=lambda spec: (spec.location, spec.cls.__qualname__, spec.ordinal))
