"""The part of the suite that is about parametrized values; see `suite`."""

from typing import Final

__all__ = ["PARAMETRIZED"]

PARAMETRIZED: Final = """
import enum
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, NewType, Protocol, TypedDict
import pytest
from looprig import service_fixture
UserId = NewType("UserId", int)
class Color(enum.Enum):
    RED = 1
    BLUE = 2
class User: ...
@dataclass
class Point:
    x: int
class Pair(NamedTuple):
    a: int
    b: str
class Row(TypedDict):
    id: int
class Shown(Protocol):
    def show(self) -> str: ...
class Showy:
    def show(self) -> str: return ""
def function(x: int) -> str: return ""
CASES = [(1, "a"), (2, "b")]
WRONG = [(1, "a"), ("2", "b")]
@pytest.mark.parametrize("a, b", [(1, "x"), pytest.param(2, "y", id="two", marks=[])])
def test_pairs(a: int, b: str) -> None: ...
@pytest.mark.parametrize("a, b", [(1, "x"), (2, 3)])
def test_pair(a: int, b: str) -> None: ...  #! parametrize-type
@pytest.mark.parametrize(("a", "b"), CASES)
def test_constant(a: int, b: str) -> None: ...
@pytest.mark.parametrize(("a", "b"), WRONG)
def test_constant_bad(a: int, b: str) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("a", [1, 2])
@pytest.mark.parametrize("b", ["x", "y"])
def test_stacked(a: float, b: Literal["x", "y"]) -> None: ...
@pytest.mark.parametrize("d", ["x", "z"])
def test_literal(d: Literal["x"]) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("c", [Color.RED, User(), [1], {"a": 1}, None, (1, "x"), 1.5, float("inf"), {1}, b"x" * 1000])
def test_many(c: "Color | User | list[float] | dict[str, object] | tuple[int, str] | float | set[int] | bytes | None") -> None: ...
@pytest.mark.parametrize("c", [Color.RED, "RED"])
def test_enum(c: Color) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("c", [Color.RED, Color.BLUE])
def test_enum_literal(c: Literal[Color.RED]) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("row", [{"id": 1}, {"id": 2}])
def test_row(row: Row) -> None: ...
@pytest.mark.parametrize("row", [{"id": "1"}])
def test_row_bad(row: Row) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("p", [Point(1), Pair(1, "x")])
def test_classes(p: Point | Pair) -> None: ...
@pytest.mark.parametrize("p", [Point(1), Pair(1, "x")])
def test_class(p: Point) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("s", [Showy()])
def test_protocol(s: Shown) -> None: ...
@pytest.mark.parametrize("s", [User()])
def test_protocol_bad(s: Shown) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("t", [int, User])
def test_types(t: type[object]) -> None: ...
@pytest.mark.parametrize("t", [int])
def test_type(t: type[str]) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("u", [UserId(1)])
def test_new_type(u: UserId) -> None: ...
@pytest.mark.parametrize("n", [1, "2"])
def test_annotated(n: Annotated[int, "x"]) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("user", ["a", "b"], indirect=True)
def test_indirect(user: str) -> None: ...
@pytest.mark.parametrize("user", ["a", 3], indirect=True)
def test_indirect_bad(user: str) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("number", [1])
def test_over_a_fixture(number: int) -> None: ...
@service_fixture(scope="module")
@dataclass(kw_only=True)
class Pages:
    page_size: int = 20
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
@pytest.mark.parametrize("page_size", [1, True], scope="module")
def test_configured(pages: Pages) -> None: ...
@pytest.mark.parametrize("page_size", [1, "x"], scope="module")  #! parametrize-type
def test_configured_bad(pages: Pages) -> None: ...
@pytest.mark.parametrize("page_size", [2.5, 3.5], scope="module")
def test_configured_and_asked_for(pages: Pages, page_size: float) -> None: ...  #! parametrize-type
class TestIn:
    @pytest.mark.parametrize("n", [1, None])
    def test_in_class(self, n: int) -> None: ...  #! parametrize-type
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "made" in metafunc.fixturenames:
        metafunc.parametrize("made", [1, "x"])
def test_made(made: int) -> None: ...  #! parametrize-type
"""
