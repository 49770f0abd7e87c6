"""`service_fixture`: a dataclass with a lifecycle becomes the frozen spec of a fixture.

Does not resolve fields (`fields` does) and knows of no pytest.

Invariants:
1. A class is checked when it is decorated: what is wrong with it by itself is told at import.
2. A spec belongs to the class that was decorated, not to its subclasses.
3. The same class imported under two module names has one `key`: the file and the name it was written under.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, TypeVar, final, get_origin, overload
from weakref import WeakSet

from looprig.declare.lifecycle import EntersItself, Lifecycle, Runs, StartsAndStops, lifecycle_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of
from looprig.scopes import Scope, ScopeName

__all__ = ["START_TIMEOUT", "ServiceSpec", "declared_services", "service_fixture", "spec_of"]

START_TIMEOUT: Final = 30.0
"""Seconds that a service has to get ready, unless it is declared otherwise."""

_ATTRIBUTE: Final = "__looprig_service__"
# Which classes exist, for `provides`; what a run does with them is kept by the run.
_declared: "Final[WeakSet[type]]" = WeakSet()

S = TypeVar("S", bound=StartsAndStops | Runs | EntersItself)


@final
@dataclasses.dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What is declared of a service. `start_timeout` is in seconds."""

    cls: type
    name: str
    scope: Scope
    provides: tuple[type, ...]
    autouse: bool
    start_timeout: float
    lifecycle: Lifecycle
    location: Location

    @property
    def key(self) -> tuple[str, str]:
        """One for each declaration, however many times its file was imported."""
        return self.location.path, self.cls.__qualname__

    @property
    def label(self) -> str:
        """How errors call it."""
        return f'{self.cls.__qualname__} (scope "{self.scope}")'

    @property
    def party(self) -> tuple[str, Location]:
        """How errors list it."""
        return self.cls.__qualname__, self.location


@overload
def service_fixture(cls: type[S], /) -> type[S]: ...
@overload
def service_fixture(
    *,
    scope: ScopeName = "function",
    name: str | None = None,
    provides: type | Sequence[type] = (),
    autouse: bool = False,
    start_timeout: float = START_TIMEOUT,
) -> Callable[[type[S]], type[S]]: ...
def service_fixture(
    cls: type[Any] | None = None,
    /,
    *,
    scope: ScopeName = "function",
    name: str | None = None,
    provides: type | Sequence[type] = (),
    autouse: bool = False,
    start_timeout: float = START_TIMEOUT,
) -> Any:
    """Makes a fixture of a service class: a dataclass whose fields are what it depends on.

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AiohttpService):
            db: Postgres                 # another service, by its type
            page_size: int = 20          # configuration

    Args:
        scope: how long an instance lives, as for any fixture of pytest.
        name: the fixture's name; by default the class's name in snake_case.
        provides: Protocols that a field may name in the place of this class.
        autouse: whether every test that sees the fixture uses it.
        start_timeout: seconds it has to get ready.

    Raises:
        DeclarationError: the class has no lifecycle, or is not a dataclass though it has fields.
    """

    def declare(cls: type[Any]) -> type[Any]:
        provided = (provides,) if isinstance(provides, type) else tuple(provides)
        spec = _checked(cls, scope, name, provided, autouse, start_timeout)
        setattr(cls, _ATTRIBUTE, spec)
        _declared.add(cls)
        return cls

    return declare if cls is None else declare(cls)


def _checked(
    cls: type[Any], scope: str, name: str | None, provides: tuple[type, ...], autouse: bool, start_timeout: float
) -> ServiceSpec:
    location = location_of(cls)
    party = [(getattr(cls, "__qualname__", repr(cls)), location)]
    if not isinstance(cls, type):
        raise DeclarationError(
            f"service_fixture was put on {cls!r}, which is no class.",
            party,
            "Put it on a class with a lifecycle. For a function, use pytest.fixture.",
        )
    lifecycle = lifecycle_of(cls)
    own = {
        field
        for field, hint in cls.__dict__.get("__annotations__", {}).items()
        if get_origin(hint) is not ClassVar and hint is not ClassVar and "ClassVar" not in str(hint)
    }
    missed = own - set(getattr(cls, "__dataclass_fields__", ()))
    if missed:
        raise DeclarationError(
            f"{cls.__qualname__} has annotated fields ({', '.join(sorted(missed))}), but is not a dataclass yet.",
            party,
            "Write @dataclass(kw_only=True) below @service_fixture(...), next to the class.",
        )
    if start_timeout <= 0:
        raise DeclarationError(
            f"{cls.__qualname__} has start_timeout={start_timeout} seconds.", party, "Give a positive number."
        )
    if name is not None and not name.isidentifier():
        raise DeclarationError(
            f"{cls.__qualname__} cannot be the fixture {name!r}: no parameter can have that name.",
            party,
            "Give a name that is an identifier.",
        )
    for protocol in provides:
        _check_provides(cls, protocol, party)
    return ServiceSpec(
        cls,
        name or snake_case(cls.__name__),
        Scope.parse(scope, of=cls.__qualname__, at=location),
        provides,
        autouse,
        start_timeout,
        lifecycle,
        location,
    )


def _check_provides(cls: type, protocol: type, party: list[tuple[str, Location]]) -> None:
    """A Protocol's members must be there: names only, since their types are the checker's matter."""
    members = getattr(protocol, "__protocol_attrs__", None) or _members(protocol)
    fields = set(getattr(cls, "__dataclass_fields__", ()))
    missing = sorted(m for m in members if m not in fields and not hasattr(cls, m))
    if missing:
        raise DeclarationError(
            f"{cls.__qualname__} is declared to provide {protocol.__qualname__}, but has no {', '.join(missing)}.",
            [*party, (protocol.__qualname__, location_of(protocol))],
            f"Give it {', '.join(missing)}, or take {protocol.__qualname__} out of provides.",
        )


def _members(protocol: type) -> Iterator[str]:
    for cls in protocol.__mro__:
        if getattr(cls, "_is_protocol", False) and cls.__name__ not in {"Protocol", "Generic"}:
            names = {*cls.__dict__, *cls.__dict__.get("__annotations__", {})}
            yield from (name for name in names if not name.startswith("_"))


def snake_case(name: str) -> str:
    """`HTTPServer` -> `http_server`, `UserApi2` -> `user_api2`."""
    split = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", split).lower().lstrip("_")


def spec_of(cls: object) -> ServiceSpec | None:
    """The spec of a class that was decorated itself; `None` for all else."""
    return cls.__dict__.get(_ATTRIBUTE) if isinstance(cls, type) else None


def declared_services() -> list[ServiceSpec]:
    """The specs of all service classes that live, in the order of their places."""
    specs = {spec.key: spec for cls in list(_declared) if (spec := spec_of(cls)) is not None}
    return sorted(specs.values(), key=lambda spec: (spec.location, spec.cls.__qualname__))
