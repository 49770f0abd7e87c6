"""A suite with mistakes of every kind, each on a line that names the expected finding, and with many right uses.

The files are stored as text, so that no other tool reads them. A line with a mistake ends in one or more `#! code`.
"""

from typing import Final

from tests.check.suite_values import PARAMETRIZED

__all__ = ["FILES"]

FILES: Final[dict[str, str]] = {
    "pyproject.toml": """
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.mypy]
strict = true
ignore_missing_imports = true
""",
    "tests/services.py": """
from __future__ import annotations
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol
from looprig import Fixture, service_fixture
if TYPE_CHECKING:
    from decimal import Decimal

class Clock(Protocol):
    def now(self) -> float: ...

class Life:
    async def start(self) -> None: ...
    async def stop(self) -> None: ...

@service_fixture(scope="session")
class Postgres(Life):
    dsn: ClassVar[str] = "x"

@service_fixture(scope="session")
class OldPostgres(Postgres): ...

@service_fixture(scope="session", provides=Clock)
class GoodClock(Life):
    def now(self) -> float: return 1.0

@service_fixture(scope="session", provides=[Clock])  #! provides-type
class BadClock(Life):
    def now(self) -> str: return ""

@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(Life):
    url: ClassVar[str] = "http://127.0.0.1:1"
    address: ClassVar[tuple[str, int]] = ("127.0.0.1", 1)
    db: Postgres
    prefix: str  #! fixture-type
    price: Decimal
    port: Annotated[int, Fixture("the_port")]
    host: Annotated[int, Fixture("the_host")]  #! fixture-type
    old: Annotated[Postgres, Fixture("old_postgres")]
    wrong: Annotated[Rest, Fixture("postgres")]  #! fixture-type
    timeout: InitVar[float]
    page_size: int = 20
    state: int = field(init=False, default=3)

    def __post_init__(self, timeout: float) -> None: ...
""",
    "tests/conftest.py": """
from __future__ import annotations
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
import pytest
import services
from services import Postgres, Rest
if TYPE_CHECKING:
    from decimal import Decimal
    from nowhere import Gone
if sys.version_info >= (3, 12):
    from typing import override as marked
else:
    from typing_extensions import override as marked
from typing import *

class Base: ...
class Child(Base): ...

@pytest.fixture(scope="session")
def prefix() -> bytes: return b"x"

@pytest.fixture(scope="session")
def price() -> Decimal:
    from decimal import Decimal
    return Decimal(1)

@pytest.fixture(scope="session")
def the_port() -> bool: return True

@pytest.fixture(scope="session")
def the_host() -> str: return "x"

@pytest.fixture(scope="session")
def timeout() -> int: return 1

@pytest.fixture
def number() -> Iterator[int]: yield 1

@pytest.fixture
def generated() -> Generator[int, None, None]: yield 1

@pytest.fixture
async def awaited() -> int: return 1

@pytest.fixture
async def yielded() -> AsyncIterator[int]: yield 1

@pytest.fixture
async def generated_async() -> AsyncGenerator[int, None]: yield 1

@pytest.fixture
def iterator() -> Iterator[int]: return iter([1])

@pytest.fixture
def gone() -> Gone: ...

@pytest.fixture
def untyped(): return 1

@pytest.fixture
def anything() -> Any: return 1

@pytest.fixture
def child() -> Child: return Child()

@pytest.fixture
def base() -> Base: return Base()

@pytest.fixture(name="renamed")
def _renamed() -> str: return ""

@pytest.fixture
def factory() -> Callable[[int], AbstractContextManager[str]]:
    @contextmanager
    def make(number: int) -> Iterator[str]: yield "x"
    return make

@pytest.fixture
def overridden() -> Iterator[Base]: yield Base()

@pytest.fixture
def uses(number: str, tmp_path: Path) -> None: ...  #! fixture-type

@pytest.fixture
def uses_right(number: int, tmp_path: Path, child: Base, request: pytest.FixtureRequest) -> None: ...

@pytest.fixture(scope="session")
def wide(
    tmp_path_factory: pytest.TempPathFactory,
    number: int,  #! fixture-scope
) -> None: ...

@pytest.fixture
def needs(
    lost: int,  #! fixture-missing
) -> None: ...

@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name

@pytest.fixture(params=[1, "two"])
def either(request: pytest.FixtureRequest) -> int:
    count: int = request.param  #! parametrize-type
    return count
""",
    "tests/a/conftest.py": """
import pytest
class Db:
    a = 1
@pytest.fixture
def db() -> Db: return Db()
@pytest.fixture
def overridden(overridden: object) -> str: return ""  #! override-type
@pytest.fixture
def child(child: object) -> object: return child  #! override-type
@pytest.fixture
def base(base: object) -> int: return 1  #! override-type
@pytest.fixture
def anything(anything: object) -> int: return 1
""",
    "tests/a/test_a.py": """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from conftest import Db
def test_db(db: Db) -> None: ...
def test_db_bad(db: int) -> None: ...  #! fixture-type
def test_overridden(overridden: str) -> None: ...
def test_overridden_bad(overridden: int) -> None: ...  #! fixture-type
def test_child(child: object, base: int, anything: int) -> None: ...
""",
    "tests/b/conftest.py": """
import pytest
class Db:
    b = 1
@pytest.fixture
def db() -> Db: return Db()
@pytest.fixture
def overridden(overridden: object) -> "Child": return Child()  #! override-type
from tests_types import Child
""",
    "tests/b/tests_types.py": """
class Child: ...
""",
    "tests/b/test_b.py": """
from conftest import Db
from tests_types import Child
def test_db(db: Db) -> None: ...
def test_overridden(overridden: Child) -> None: ...
""",
    "tests/package/__init__.py": "",
    "tests/package/models.py": """
from typing import Generic, NewType, Protocol, TypedDict, TypeVar
T = TypeVar("T", covariant=True)
UserId = NewType("UserId", int)
class Row(TypedDict):
    id: int
class Reads(Protocol[T]):
    def read(self) -> T: ...
class File:
    def read(self) -> str: return ""
class Outer:
    class Inner: ...
class Box(Generic[T]): ...
""",
    "tests/package/conftest.py": """
import pytest
from . import models
from .models import Box, File as Paper, Row
@pytest.fixture
def paper() -> Paper: return Paper()
@pytest.fixture
def row() -> Row: return {"id": 1}
@pytest.fixture
def inner() -> models.Outer.Inner: return models.Outer.Inner()
@pytest.fixture
def user_id() -> "models.UserId": return models.UserId(1)
@pytest.fixture
def box() -> Box[int]: return Box()
""",
    "tests/package/test_package.py": """
from collections.abc import Mapping
from typing import Any, Optional, Union
from .models import Box, Outer, Reads, Row, UserId
from .models import *
def test_right(paper: Reads[str], row: Row, inner: Outer.Inner, user_id: UserId, box: Box[float]) -> None: ...
def test_wider(row: Mapping[str, object], user_id: Optional[int], paper: Union[File, int], box: "Box[Any]") -> None: ...
def test_reads(paper: Reads[int]) -> None: ...  #! fixture-type
def test_row(row: dict[str, int]) -> None: ...  #! fixture-type
def test_inner(inner: Outer) -> None: ...  #! fixture-type
def test_user_id(user_id: str) -> None: ...  #! fixture-type
def test_box(box: Box[str]) -> None: ...  #! fixture-type
""",
    "tests/test_plain.py": """
import os.path
import pathlib
import typing as t
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal as Money
from typing import Annotated, Any
import pytest
from services import OldPostgres, Postgres, Rest
from looprig import Proxy, TestClient
if t.TYPE_CHECKING:
    from elsewhere import Strange
PathLike = t.Union[str, pathlib.Path]
def test_services(rest: Rest, postgres: Postgres, old_postgres: Postgres) -> None: ...
def test_service(rest: Postgres) -> None: ...  #! fixture-type
def test_older(postgres: OldPostgres) -> None: ...  #! fixture-type
def test_by_annotation(api: TestClient[Rest], link: Proxy[Rest], db: Postgres) -> None: ...
def test_numbers(number: int, generated: float, yielded: int, generated_async: int, awaited: object) -> None: ...
def test_number(number: str) -> None: ...  #! fixture-type
def test_generator(number: Iterator[int]) -> None: ...  #! fixture-type
def test_generated(generated: str) -> None: ...  #! fixture-type
async def test_yielded(yielded: bytes) -> None: ...  #! fixture-type
async def test_generated_async(generated_async: bytes) -> None: ...  #! fixture-type
async def test_awaited(awaited: str) -> None: ...  #! fixture-type
def test_iterator(iterator: Iterator[int]) -> None: ...
def test_iterator_bad(iterator: int) -> None: ...  #! fixture-type
async def test_price(price: Money) -> None: ...
async def test_price_bad(price: int) -> None: ...  #! fixture-type
def test_gone(gone: int) -> None: ...  #! fixture-unchecked
def test_strange(number: "Strange") -> None: ...  #! fixture-unchecked
def test_unbound(number: "Unbound") -> None: ...  #! fixture-unchecked
def test_untyped(untyped: int, anything: str) -> None: ...
def test_none(uses: None, tmp_path: PathLike, renamed: str) -> None: ...
def test_tmp_path(tmp_path: str) -> None: ...  #! fixture-type
def test_renamed(renamed: int) -> None: ...  #! fixture-type
def test_builtin(
    caplog: pytest.LogCaptureFixture, capsys: "pytest.CaptureFixture[str]", request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config, uses_right: None,
) -> None: ...
def test_request(request: int) -> None: ...  #! fixture-type
def test_capsys(capsys: "pytest.CaptureFixture[bytes]") -> None: ...  #! fixture-type
def test_factory(factory: Callable[[int], AbstractContextManager[str]]) -> None: ...
def test_factory_bad(factory: Callable[[str], Any]) -> None: ...  #! fixture-type
def test_annotated(number: Annotated[int, "meaning"], renamed: t.Annotated["str", 3]) -> None: ...
def test_annotated_bad(number: Annotated[str, "meaning"]) -> None: ...  #! fixture-type
def test_missing(nope: int) -> None: ...  #! fixture-missing
@pytest.mark.usefixtures("nada")  #! fixture-missing
def test_uses_missing() -> None: ...
@pytest.mark.skip
def test_skipped(not_there: int) -> None: ...
def test_wide(wide: None, needs: None) -> None: ...
def test_two(number: str, renamed: int) -> None: ...  #! fixture-type fixture-type
def test_ignored(number: str) -> None: ...  # looprig: ignore[fixture-type]
def test_half_ignored(number: str, renamed: int) -> None: ...  # looprig: ignore[fixture-type]  #! fixture-type
def test_stale(number: int) -> None: ...  # looprig: ignore[fixture-type]  #! unused-ignore
def test_either(either: int) -> None: ...

class TestInClass:
    class Inner: ...
    @pytest.fixture
    def inner(self) -> Inner: return self.Inner()
    @pytest.fixture
    def text(self, inner: Inner) -> "str": return ""
    @pytest.fixture
    def bad(self, inner: int) -> int: return 1  #! fixture-type
    def test_right(self, inner: Inner, text: str, bad: int) -> None: ...
    def test_inner(self, inner: str) -> None: ...  #! fixture-type

class TestInherited(TestInClass):
    @pytest.fixture
    def text(self) -> str: return ""

def outer() -> None:
    class Local: ...
    @pytest.fixture
    def local() -> Local: return Local()
    globals()["local"] = local
outer()
def test_local(local: int) -> None: ...
""",
    "tests/test_parametrized.py": PARAMETRIZED,
}
