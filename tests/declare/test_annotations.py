"""An annotation that can't be evaluated doesn't affect the others, even where Python defers them all."""

import __future__

import sys
from types import ModuleType
from typing import Annotated, Any, Protocol

import pytest

from looprig import DeclarationError, Through
from looprig.declare.annotations import annotations_of, parameters_of
from looprig.declare.fields import resolve_fields
from looprig.declare.service import spec_of
from looprig.toxics import Latency

DEFERRED = sys.version_info >= (3, 14)

needs_deferred = pytest.mark.skipif(not DEFERRED, reason="annotations are evaluated where they are written")


class Define(Protocol):
    """Create a module in which none of the types called Missing exists, and return its names."""

    def __call__(self, code: str, *, as_texts: bool = False) -> dict[str, Any]: ...


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Define:
    module = ModuleType("defined")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def run(code: str, *, as_texts: bool = False) -> dict[str, Any]:
        flags = __future__.annotations.compiler_flag if as_texts else 0
        exec(compile(code, __file__, "exec", flags, dont_inherit=True), vars(module))  # noqa: S102 - it is the test's own
        return vars(module)

    return run


FUNCTION = """
from collections.abc import Callable
from dataclasses import InitVar
from typing import Annotated, Optional
from looprig import Through

class Rest: ...

def function(
    a: Rest,
    b: Missing,
    c: list[Missing],
    d: Missing | None,
    e: Annotated[Rest, Through(Missing)],
    f: Callable[[Missing], Rest],
    g: "Rest",
    h: Rest.missing,
    i: Annotated[Rest, "words"],
    j: int[str],
    k: InitVar[Missing],
) -> Missing: ...
"""


@needs_deferred
def test_each_annotation_of_a_function_stands_by_itself(define: Define) -> None:
    """An annotation that can't be evaluated is its text, as with `from __future__ import annotations`."""
    module = define(FUNCTION)
    rest = module["Rest"]
    assert annotations_of(module["function"]) == {
        "a": rest,
        "b": "Missing",
        "c": "list[Missing]",
        "d": "Missing | None",
        "e": "Annotated[Rest, Through(Missing)]",
        "f": "Callable[[Missing], Rest]",
        "g": "Rest",
        "h": "Rest.missing",
        "i": Annotated[rest, "words"],
        "j": "int[str]",
        "k": "InitVar[Missing]",
        "return": "Missing",
    }
    assert [*parameters_of(module["function"])] == [*"abcdefghijk"]


@needs_deferred
def test_an_annotation_that_can_be_read_in_no_way_is_none(define: Define) -> None:
    module = define("def function(a: f'{Missing}'): ...")
    assert annotations_of(module["function"]) == {}


def test_what_can_be_evaluated_is_left_as_it_is() -> None:
    class Local:
        """A name that isn't in any module."""

    def function(a: Local, b: Annotated[Local, Through()]) -> None: ...

    assert annotations_of(function) == {"a": Local, "b": Annotated[Local, Through()], "return": None}
    assert [*parameters_of(function)] == ["a", "b"]


def test_an_object_without_annotations_has_none() -> None:
    assert annotations_of(len) == {}
    assert annotations_of(object()) == {}


SERVICE = """
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import ClassVar
from looprig import service_fixture

@service_fixture(scope="module")
class Db:
    def start(self) -> Awaitable[Missing]: ...
    def stop(self) -> Awaitable[None]: ...

@service_fixture(scope="module")
@dataclass
class Rest:
    shared: ClassVar[Missing] = 1
    db: Db
    _: KW_ONLY
    dsn: Missing
    later: Later
    size: Missing = 4
    connection: Missing = field(init=False)

    def run(self) -> AsyncIterator[Missing]: ...

@service_fixture(scope="module")
class Later:
    async def start(self): ...
    async def stop(self): ...
"""


@pytest.mark.parametrize("as_texts", [True, pytest.param(False, marks=needs_deferred)])
def test_a_service_with_fields_for_checkers_only_is_declared_and_resolved(define: Define, *, as_texts: bool) -> None:
    """Fields whose types exist are found, even if the type is defined further down."""
    module = define(SERVICE, as_texts=as_texts)
    sources = {source.field: source for source in resolve_fields(_spec(module["Rest"]), list)}
    assert [*sources] == ["db", "dsn", "later", "size"]
    assert sources["db"].service is _spec(module["Db"])
    assert sources["later"].service is _spec(module["Later"])
    assert (sources["dsn"].known, sources["dsn"].required) == (False, True)
    assert (sources["size"].known, sources["size"].required) == (False, False)


@needs_deferred
def test_a_toxic_with_a_type_for_checkers_only_is_told_that_it_is_no_dataclass(define: Define) -> None:
    module = define("from looprig.toxics import Latency\nclass Slow(Latency):\n    much: Missing")
    with pytest.raises(DeclarationError, match="Slow isn't a dataclass"):
        module["Slow"](1.0)
    assert issubclass(module["Slow"], Latency)


def _spec(cls: type) -> Any:
    spec = spec_of(cls)
    assert spec is not None
    return spec
