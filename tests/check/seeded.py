"""A suite with fifty mistakes, one at every kind of edge, with and without a test that reaches it.

The files are stored as text, so that no other tool reads them. A line with a mistake ends in `#! code`.
"""

from typing import Final

__all__ = ["FILES", "SELECTED"]

SELECTED: Final = ("tests/unit", "tests/api")
"""The folders to collect; `tests/slow` is another."""

FILES: Final[dict[str, str]] = {
    "pyproject.toml": """
[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
[tool.mypy]
strict = true
""",
    "kinds.py": """
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NewType, Protocol, TypedDict
from looprig import service_fixture

UserId = NewType("UserId", int)
Mode = Literal["r", "w"]
Factory = Callable[[str], int]
class Row(TypedDict):
    id: int
class Closes(Protocol):
    def close(self) -> None: ...
class User: ...
class Admin(User): ...
class Life:
    async def start(self) -> None: ...
    async def stop(self) -> None: ...

@service_fixture(scope="session")
@dataclass(kw_only=True)
class Helper(Life):
    count: str  #! fixture-type
""",
    "plug.py": """
import pytest

@pytest.fixture
def from_plugin(row: bytes) -> int: return 1  #! fixture-type
""",
    "conftest.py": """
pytest_plugins = ["plug"]
""",
    "tests/conftest.py": """
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Annotated, Any
import pytest
from dataclasses import dataclass
from looprig import Fixture, service_fixture
from kinds import Admin, Closes, Factory, Helper, Life, Mode, Row, User, UserId

@pytest.fixture(scope="session")
def count() -> int: return 1
@pytest.fixture
def user() -> User: return User()
@pytest.fixture
def admin(user: Admin) -> Admin: return user  #! fixture-type
@pytest.fixture
def names() -> list[str]: return []
@pytest.fixture
def row() -> Row: return {"id": 1}
@pytest.fixture
def mode() -> Mode: return "r"
@pytest.fixture
def factory() -> Factory: return len
@pytest.fixture
def user_id() -> UserId: return UserId(1)
@pytest.fixture
def maybe() -> User | None: return None
@pytest.fixture
def opened() -> Iterator[int]: yield 1
@pytest.fixture
def generated(names: list[int]) -> Generator[str, None, None]: yield ""  #! fixture-type
@pytest.fixture
async def later() -> str: return ""
@pytest.fixture
async def streamed(later: bytes) -> AsyncIterator[bytes]: yield later  #! fixture-type
@pytest.fixture
def closes() -> Closes: raise NotImplementedError
@pytest.fixture(autouse=True)
def around(count: bytes) -> None: ...  #! fixture-type
@pytest.fixture(params=[1, "x"])
def parameter(request: pytest.FixtureRequest) -> int:
    value: int = request.param  #! parametrize-type
    return value

@pytest.fixture
def unreached(user: int) -> None: ...  #! fixture-type
@pytest.fixture
def unreached_tmp(tmp_path: str) -> None: ...  #! fixture-type
@pytest.fixture
async def unreached_later(opened: str) -> None: ...  #! fixture-type
@pytest.fixture
def unreached_missing(nowhere: int) -> None: ...  #! fixture-missing
@pytest.fixture(scope="session")
def unreached_wide(user: User) -> None: ...  #! fixture-scope
@pytest.fixture(params=[1, None])
def unreached_param(request: pytest.FixtureRequest) -> int:
    value: int = request.param  #! parametrize-type
    return value
@pytest.fixture
def by_name(names: str) -> int: return 1  #! fixture-type
@pytest.fixture
def incomplete(given_by_module: str) -> str: return given_by_module

@service_fixture(scope="session")
@dataclass(kw_only=True)
class Unused(Life):
    count: str  #! fixture-type
    size: int = 1

@service_fixture(scope="session", provides=Closes)  #! provides-type
class Door(Life):
    def close(self, hard: bool) -> None: ...

@service_fixture(scope="function")
@dataclass(kw_only=True)
class Rest(Life):
    names: list[int]  #! fixture-type
    owner: Annotated[User, Fixture("count")]  #! fixture-type
    door: Door
""",
    "tests/api/conftest.py": """
import pytest
@pytest.fixture
def count() -> str: return ""  #! override-type
@pytest.fixture
def names(names: int) -> list[str]: return []  #! fixture-type
""",
    "tests/api/test_api.py": """
import pytest
def test_overridden(count: int) -> None: ...  #! fixture-type
def test_asked(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("by_name")
""",
    "tests/slow/conftest.py": """
import pytest
@pytest.fixture
def not_selected(user: str) -> None: ...  #! fixture-type
@pytest.fixture
def beside(not_selected: int) -> None: ...  #! fixture-type
""",
    "tests/unit/test_values.py": """
from collections.abc import Collection
from typing import TYPE_CHECKING
import pytest
from typing_extensions import TypeAlias
from kinds import Row, UserId
if TYPE_CHECKING:
    from kinds import UserId as Id

@pytest.mark.parametrize("size", [1, "2"])
def test_value(size: int) -> None: ...  #! parametrize-type
@pytest.mark.parametrize(("a", "b"), [(1, 2)])
def test_values(a: int, b: bytes) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("row", [{"id": "x"}])
def test_row(row: Row) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("pair", [(1, "x", 2)])
def test_pair(pair: tuple[int, str]) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("rows", [({"a": 1},)])
def test_rows(rows: list[dict[str, int]]) -> None: ...  #! parametrize-type
@pytest.mark.parametrize("form", [int])
def test_form(form: TypeAlias) -> None: ...  #! fixture-unchecked
@pytest.mark.parametrize("parameter", [b"x"], indirect=True)
def test_indirect(parameter: int) -> None: ...  #! parametrize-type

@pytest.mark.parametrize("rows", [({"a": 1},)])
def test_right_rows(rows: Collection[dict[str, int | str]]) -> None: ...
@pytest.mark.parametrize("user_id", [1])
def test_right_id(user_id: "Id") -> None: ...
""",
    "tests/unit/test_unit.py": """
from __future__ import annotations
from typing import TYPE_CHECKING
from pathlib import Path
import pytest
import kinds
from kinds import Admin, Closes, Mode, Row, User, UserId
if TYPE_CHECKING:
    from decimal import Decimal

@pytest.fixture
def given_by_module() -> str: return ""
@pytest.fixture
def local(mode: int) -> None: ...  #! fixture-type

def test_plain(user: Admin) -> None: ...  #! fixture-type
def test_list(names: list[int]) -> None: ...  #! fixture-type
def test_dict(row: dict[str, int]) -> None: ...  #! fixture-type
def test_literal(mode: bytes) -> None: ...  #! fixture-type
def test_union(maybe: User) -> None: ...  #! fixture-type
def test_generator(opened: str) -> None: ...  #! fixture-type
async def test_async(later: int) -> None: ...  #! fixture-type
async def test_async_generator(streamed: str) -> None: ...  #! fixture-type
def test_protocol(closes: User) -> None: ...  #! fixture-type
def test_callable(factory: int) -> None: ...  #! fixture-type
def test_new_type(count: UserId) -> None: ...  #! fixture-type
def test_text(count: "Decimal") -> None: ...  #! fixture-type
def test_dotted(count: kinds.User) -> None: ...  #! fixture-type
def test_builtin(tmp_path: str) -> None: ...  #! fixture-type
def test_keyword(*, monkeypatch: Path) -> None: ...  #! fixture-type
def test_unknown(count: Nowhere) -> None: ...  #! fixture-unchecked
def test_service(rest: int) -> None: ...  #! fixture-type
def test_none(around: int) -> None: ...  #! fixture-type
def test_missing(nothing: int) -> None: ...  #! fixture-missing
@pytest.mark.usefixtures("gone")  #! fixture-missing
def test_used() -> None: ...

class TestClass:
    @pytest.fixture
    def here(self, count: str) -> str: return count  #! fixture-type
    @pytest.fixture
    def unreached_here(self, names: int) -> str: return ""  #! fixture-type
    def test_method(self, here: int) -> None: ...  #! fixture-type
    @staticmethod
    def test_static(row: User) -> None: ...  #! fixture-type

def test_right(admin: User, generated: str, parameter: int, user_id: int, incomplete: str, local: None) -> None: ...
""",
}
