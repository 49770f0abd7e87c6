"""A declared class becomes a frozen spec. Mistakes within the class are reported when it is decorated."""

import asyncio
import dataclasses
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, InitVar, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from looprig import DeclarationError, service_fixture
from looprig.declare.lifecycle import Lifecycle
from looprig.declare.service import ServiceSpec, declared_services, same_class, snake_case, spec_of
from looprig.location import Location
from looprig.scopes import Scope

# Most declarations here are wrong, and a type checker would report them first.
declare: Any = service_fixture


class Life:
    """A lifecycle."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def spec(cls: type) -> ServiceSpec:
    found = spec_of(cls)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rest", "rest"),
        ("HTTPServer", "http_server"),
        ("UserApi2", "user_api2"),
        ("_Private", "private"),
        ("already_snake", "already_snake"),
        ("S3Bucket", "s3_bucket"),
        ("MyDBPool", "my_db_pool"),
    ],
)
def test_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_a_spec_has_what_was_declared() -> None:
    class Reads(Protocol):
        def read(self) -> str: ...

    @service_fixture(scope="module", name="other", provides=Reads, autouse=True, start_timeout=3)
    class Db(Life):
        def read(self) -> str:
            return ""

    found = spec(Db)
    assert (found.cls, found.name, found.scope, found.provides) == (Db, "other", Scope.MODULE, (Reads,))
    assert (found.autouse, found.start_timeout, found.lifecycle) == (True, 3.0, Lifecycle.STARTS_AND_STOPS)
    assert found.location.path == __file__
    assert found in declared_services()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.name = "x"  # type: ignore[misc]


def test_a_spec_belongs_to_the_class_that_was_decorated() -> None:
    @service_fixture
    class Db(Life): ...

    class Sub(Db): ...

    assert spec_of(Sub) is None
    assert spec_of(Db()) is None
    assert spec_of(3) is None


def test_the_class_is_given_back_as_it_was() -> None:
    class Db(Life): ...

    assert service_fixture(Db) is Db
    assert isinstance(Db(), Life)


def test_a_decorator_above_that_makes_the_class_anew_keeps_the_spec() -> None:
    @dataclass(slots=True)
    @declare
    class Db(Life): ...

    assert spec(Db).cls is Db


def test_pseudo_fields_are_no_missing_fields() -> None:
    @service_fixture
    @dataclass
    class Db(Life):
        size: int
        seen: ClassVar[int] = 1
        init: InitVar[int] = 2
        _: KW_ONLY
        other: int = 3

    @service_fixture
    class NoFields(Life):
        shared: ClassVar[dict[str, int]] = {}
        text: "ClassVar[int]" = 1

    assert spec(Db).name == "db"
    assert spec(NoFields).name == "no_fields"


def test_classes_of_one_name_have_keys_of_their_own() -> None:
    def make() -> type:
        @service_fixture
        class Db(Life): ...

        return Db

    one, two = make(), make()
    assert spec(one).key != spec(two).key
    assert not same_class(one, two)


def plain(_self: object) -> None:
    """A method that isn't async."""


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"run": plain}, " Its run is not async: make it an `async def` with a `yield`"),
        ({"start": plain, "stop": plain}, " Its start and stop cannot be awaited"),
        ({"start": Life.start, "stop": plain}, " Its stop cannot be awaited: write `async def`."),
        ({"start": Life.start}, " It has start but no stop."),
        ({"stop": Life.stop}, " It has stop but no start."),
        ({"__aenter__": Life.start}, " It has __aenter__ but no __aexit__."),
        ({"__aexit__": Life.start}, " It has __aexit__ but no __aenter__."),
        ({"__enter__": plain}, " Its context manager is not async"),
        ({"run": Life.start}, " Its run is a coroutine function: add a `yield`"),
        ({}, " so it cannot be started and stopped.\n"),
    ],
)
def test_what_comes_near_a_lifecycle_is_named(attributes: dict[str, Any], expected: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(type("Db", (), attributes))
    assert "Db has no lifecycle, so it cannot be started and stopped." in str(caught.value)
    assert expected in str(caught.value)


def test_a_run_that_is_a_context_manager_is_told() -> None:
    class Db:
        @asynccontextmanager
        async def run(self) -> AsyncGenerator[None]:
            yield

    with pytest.raises(DeclarationError, match="remove that decorator"):
        declare(Db)


def test_lifecycles_that_a_checker_accepts_are_accepted() -> None:
    def wrapped(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            return function(*arguments)

        return call

    class Decorated:
        @wrapped
        async def run(self) -> AsyncIterator[None]:
            yield

    class GivesOne:
        def run(self) -> AsyncIterator[None]: ...  # type: ignore[empty-body]

    class GivesFutures:
        def start(self) -> "asyncio.Task[None]": ...  # type: ignore[empty-body]

        def stop(self) -> "asyncio.Future[None]": ...  # type: ignore[empty-body]

    class SyncRun(Life):
        def run(self) -> Iterator[None]: ...  # type: ignore[empty-body]

    kinds = [spec(declare(cls)).lifecycle for cls in (Decorated, GivesOne, GivesFutures, SyncRun)]
    assert kinds == [Lifecycle.RUNS, Lifecycle.RUNS, Lifecycle.STARTS_AND_STOPS, Lifecycle.STARTS_AND_STOPS]


class NeedsArguments(Life):
    """Not a dataclass, and can't be created without arguments."""

    def __init__(self, db: object, size: int = 3) -> None: ...


class Abstract(Life, ABC):
    """An abstract class."""

    @abstractmethod
    def work(self) -> None: ...

    @abstractmethod
    def rest(self) -> None: ...


class Annotated(Life):
    """Not a dataclass."""

    size: int
    dsn: str = ""


class Names(Protocol):
    """A dependency."""

    dsn: str

    def read(self) -> str: ...

    def __call__(self) -> int: ...


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (Annotated, {}, "Annotated has annotated fields (dsn, size), but is not a dataclass yet."),
        (NeedsArguments, {}, "The constructor of NeedsArguments requires db, which isn't a dataclass field."),
        (Abstract, {}, "Abstract is abstract: it doesn't implement rest, work."),
        (Life, {"scope": "modul"}, "Life has scope 'modul', which pytest does not know."),
        (Life, {"scope": None}, "Life has scope None, which pytest does not know."),
        (Life, {"name": "not a name"}, "Life cannot be the fixture 'not a name': no parameter can have that name."),
        (Life, {"name": "class"}, "Life cannot be the fixture 'class'"),
        (Life, {"name": 3}, "Life cannot be the fixture 3"),
        (Life, {"name": "request"}, "pytest or looprig already has one."),
        (type("Loop", (Life,), {}), {}, "Loop cannot be the fixture 'loop'"),
        (Life, {"start_timeout": 0}, "Life was given start_timeout=0."),
        (Life, {"start_timeout": "5"}, "Life was given start_timeout='5'."),
        (Life, {"start_timeout": True}, "Life was given start_timeout=True."),
        (Life, {"start_timeout": float("nan")}, "Life was given start_timeout=nan."),
        (Life, {"start_timeout": 10**400}, "and at most sys.maxsize."),
        (Life, {"autouse": "x"}, "Life was given autouse='x'."),
        (Life, {"name": ""}, "Life cannot be the fixture ''"),
        (Life, {"provides": int}, "Life is declared to provide int, which isn't a Protocol."),
        (Life, {"provides": "Names"}, "Life is declared to provide 'Names', which isn't a Protocol."),
        (Life, {"provides": [Names]}, "Life is declared to provide Names, but has no __call__, dsn, read."),
        (len, {}, "service_fixture was applied to len, which isn't a class."),
        (Life(), {}, "which isn't a class."),
    ],
)
def test_a_wrong_declaration_is_told(cls: Any, options: dict[str, Any], message: str) -> None:
    if isinstance(cls, type):  # a new class for each test, since the declaration is stored on the class
        own = {"__annotations__": inspect.get_annotations(cls), "__module__": cls.__module__}
        cls = type(cls.__name__, (cls,), own)
    with pytest.raises(DeclarationError) as caught:
        declare(**options)(cls)
    assert message in str(caught.value)
    assert spec_of(cls) is None
    assert caught.value.fix


def test_a_class_is_declared_once() -> None:
    @service_fixture
    class Db(Life): ...

    with pytest.raises(DeclarationError, match="Db is declared with service_fixture twice"):
        service_fixture(name="other")(Db)
    assert spec(Db).name == "db"


def test_a_base_class_and_its_subclass_are_two_services() -> None:
    @service_fixture
    class Db(Life): ...

    @service_fixture
    class Sub(Db): ...

    assert spec(Db).key != spec(Sub).key


def test_a_party_is_where_the_class_is() -> None:
    @service_fixture
    class Db(Life): ...

    name, location = spec(Db).party
    assert name.endswith("Db")
    assert isinstance(location, Location)
    lines = Path(__file__).read_text("utf-8").splitlines()
    assert lines[location.line - 1].strip() == "@service_fixture"
