"""Where each field of a service gets its value, as a table."""

from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Protocol, TypeVar

import pytest

from looprig import DeclarationError, Fixture, service_fixture
from looprig.declare.fields import Source, find_cycle, resolve_fields
from looprig.declare.fields_meta import config_field
from looprig.declare.hints import UNRESOLVED, hints_of
from looprig.declare.service import ServiceSpec, spec_of

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found] # pyright: ignore[reportMissingImports]

T = TypeVar("T")
BoundT = TypeVar("BoundT", bound="Db")
ReadT_co = TypeVar("ReadT_co", covariant=True)


class Life:
    """A lifecycle."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def read(self) -> Any: ...


class Reads(Protocol[ReadT_co]):
    """A protocol that is requested."""

    def read(self) -> ReadT_co: ...


@service_fixture(scope="session")
class Db(Life):
    """A dependency."""


@service_fixture(scope="session", provides=Reads[int])
class Numbers(Life):
    """One service that provides the protocol."""


@service_fixture(scope="session", provides=Reads[str])
class Words(Life):
    """Another service that provides the protocol."""


class GenericBase(Life, Generic[T, BoundT]):
    """A base class whose type parameter a subclass fills in."""

    first: T
    second: BoundT


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Everything(GenericBase[Numbers, "Db"]):
    """A service with one field of each kind."""

    first: Numbers
    second: Db
    named: Annotated[int, Fixture("other")]
    named_service: Annotated[Db, Fixture("fake_db")]
    noted: Annotated[Db, "a note"]
    service: Db
    text: "Db"
    numbers: Reads[int]
    words: "Reads[str]"
    by_name: str
    init: InitVar[Db]
    checkers: "Unknown"
    checkers_default: "Unknown" = None
    configuration: int = 3
    made: list[int] = field(default_factory=list[int])
    config: int = config_field(1)
    optional: Db | None = None
    state: int = field(init=False, default=0)
    constant: ClassVar[int] = 1

    def __post_init__(self, init: Db) -> None: ...


def spec(cls: type) -> ServiceSpec:
    found = spec_of(cls)
    assert found is not None
    return found


SERVICES = [spec(cls) for cls in (Db, Numbers, Words)]


def sources(cls: type) -> dict[str, Source]:
    return {source.field: source for source in resolve_fields(spec(cls), lambda: SERVICES)}


def test_every_kind_of_field() -> None:
    found = sources(Everything)
    services = {name: source.service.cls for name, source in found.items() if source.service is not None}
    assert services == {
        "first": Numbers,
        "second": Db,
        "noted": Db,
        "service": Db,
        "text": Db,
        "numbers": Numbers,
        "words": Words,
        "init": Db,
        "optional": Db,
    }
    fixtures = {name: source.fixture for name, source in found.items() if source.service is None and source.required}
    assert fixtures == {
        "named": "other",
        "named_service": "fake_db",
        "by_name": "by_name",
        "checkers": "checkers",
    }
    optional = {name for name, source in found.items() if not source.required}
    assert optional == {"checkers_default", "configuration", "made", "config"}
    assert [name for name, source in found.items() if source.config] == ["config"]
    assert [name for name, source in found.items() if not source.known] == ["checkers", "checkers_default"]
    assert found["named_service"].expected == spec(Db)


def test_type_variables_stand_for_what_a_subclass_says_or_for_their_bound() -> None:
    @dataclass
    class Middle(GenericBase[T, Db]):
        third: T

    @dataclass
    class Filled(Middle[Words]): ...

    @dataclass
    class Open(GenericBase[T, BoundT]): ...

    assert hints_of(Filled) == {"first": Words, "second": Db, "third": Words}
    assert hints_of(Open) == {"first": T, "second": "Db"} or hints_of(Open)["first"] is T


def test_what_means_nothing_at_run_time_raises_nothing() -> None:
    texts = {"a": "1 / 0", "b": "not python", "c": "list[Unknown]", "d": "int", "e": "'int'"}
    odd = type("Odd", (), {"__annotations__": texts, "__module__": __name__})
    assert hints_of(odd) == {"a": UNRESOLVED, "b": UNRESOLVED, "c": UNRESOLVED, "d": int, "e": int}


def test_a_bare_generic_protocol_stands_for_all_its_parameters() -> None:
    @service_fixture
    @dataclass
    class Bytes(Life):
        reads: Reads[bytes]

    bare = spec(service_fixture(name="bare", provides=Reads)(type("Bare", (Life,), {})))
    assert resolve_fields(spec(Bytes), lambda: SERVICES)[0].service is None
    assert resolve_fields(spec(Bytes), lambda: [*SERVICES, bare])[0].service == bare


def test_what_is_wanted_bare_is_provided_with_any_parameter() -> None:
    @service_fixture
    @dataclass
    class Anything(Life):
        reads: Reads  # type: ignore[type-arg] # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]

    number = spec(service_fixture(name="number", provides=[Reads[int]])(type("Number", (Life,), {})))
    assert resolve_fields(spec(Anything), lambda: [number])[0].service == number


def test_what_overrides_configuration_is_configuration() -> None:
    """Even if only one of its base classes says so."""

    @dataclass
    class Base(Life):
        host: str = config_field("localhost")

    @dataclass
    class Between(Base):
        port: int = 1

    @service_fixture
    @dataclass
    class Mine(Between):
        host: str = "::1"

    assert {source.field: source.config for source in resolve_fields(spec(Mine), list)} == {"host": True, "port": False}


def test_several_providers_are_told() -> None:
    @service_fixture
    @dataclass
    class Asks(Life):
        reads: Reads[int]

    second = spec(service_fixture(name="second", provides=[Reads[int]])(type("Second", (Life,), {})))
    with pytest.raises(DeclarationError) as caught:
        resolve_fields(spec(Asks), lambda: [*SERVICES, second])
    assert "requests a Reads, which 2 services provide." in str(caught.value)
    assert [name for name, _ in caught.value.parties][1:] == ["Reads", "Numbers", "Second"]


def test_a_narrower_service_is_told() -> None:
    @service_fixture(scope="class")
    class Narrow(Life): ...

    @service_fixture(scope="package")
    @dataclass
    class Wide(Life):
        narrow: Narrow

    Wide.__annotations__["narrow"] = Narrow
    with pytest.raises(DeclarationError) as caught:
        resolve_fields(spec(Wide), list)
    assert 'Wide (scope "package") needs' in str(caught.value)
    assert 'Narrow (scope "class"), which ends first.' in str(caught.value)


def test_a_circle_is_shown_whole_and_without_the_way_to_it() -> None:
    names = ("A", "B", "C", "D")
    made = {name: spec(service_fixture(name=f"of_{name}")(type(name, (Life,), {}))) for name in names}
    needs = {"A": "BC", "B": "C", "C": "D", "D": "B"}

    def needed(at: ServiceSpec) -> list[ServiceSpec]:
        return [made[name] for name in needs[at.cls.__name__]]

    with pytest.raises(DeclarationError) as caught:
        find_cycle(made["A"], needed)
    assert "in a circle: B -> C -> D -> B, so none" in str(caught.value)
    assert [name for name, _ in caught.value.parties] == ["B", "C", "D"]
    needs["D"] = ""
    find_cycle(made["A"], needed)


def test_a_service_that_needs_itself_is_a_circle() -> None:
    one = spec(service_fixture(name="of_itself")(type("Itself", (Life,), {})))
    with pytest.raises(DeclarationError, match="Itself -> Itself"):
        find_cycle(one, lambda at: [at])
