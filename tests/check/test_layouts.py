"""Suites whose layout confuses type checkers: mypy stops at them, others mix files up."""

import json
from collections.abc import Mapping

import pytest

from tests.check.test_running import put
from tests.plugin.suite import KEEPING

CHECKERS = ("mypy", "pyright", "ty", "pyrefly")
THING = "import pytest\nclass Thing: ...\n@pytest.fixture\ndef thing() -> Thing: return Thing()\n"


def found(
    pytester: pytest.Pytester, files: Mapping[str, str], checker: str, *options: str
) -> list[tuple[str, int, str]]:
    put(pytester.path, files)
    result = pytester.runpytest_subprocess(*KEEPING, *options, f"--check-fixtures={checker}", "--check-format=json")
    assert result.ret in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}, result.stderr.str()
    return [(each["path"], each["line"], each["code"]) for each in json.loads(result.stdout.str())]


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_conftest_that_is_imported_by_another_name(pytester: pytest.Pytester, checker: str) -> None:
    suite = {
        "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n[tool.mypy]\nexplicit_package_bases = true\n",
        "tests/conftest.py": THING,
        "tests/unit/conftest.py": THING.replace("hing", "ool"),
        "tests/unit/test_a.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from tests.conftest import Thing\n    from tests.unit.conftest import Tool\n"
        "def test_right(thing: Thing, tool: Tool) -> None: ...\ndef test_wrong(tool: Thing) -> None: ...\n",
        "tests/pkg/__init__.py": "",
        "tests/pkg/things.py": "class Gear: ...\n",
        "tests/pkg/conftest.py": "import pytest\nfrom tests.pkg.things import Gear\nclass Own: ...\n"
        "@pytest.fixture\ndef gear() -> Gear: return Gear()\n@pytest.fixture\ndef own() -> Own: return Own()\n",
        "tests/pkg/test_b.py": "from tests.pkg.things import Gear\nfrom .conftest import Own\n"
        "def test_right(gear: Gear, own: Own) -> None: ...\ndef test_wrong(gear: Own) -> None: ...\n",
    }
    assert found(pytester, suite, checker) == [
        ("tests/pkg/test_b.py", 4, "fixture-type"),
        ("tests/unit/test_a.py", 7, "fixture-type"),
    ]


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_folder_whose_name_is_none_of_pythons(pytester: pytest.Pytester, checker: str) -> None:
    suite = {
        "tests/my-service/conftest.py": THING,
        "tests/my-service/test_x.py": "class Own: ...\ndef test_right(thing: object) -> None: ...\n"
        "def test_wrong(thing: Own) -> None: ...\n",
        "tests/lambda/test_y.py": "import pytest\nclass Own: ...\n@pytest.fixture\ndef own() -> Own: return Own()\n"
        "@pytest.mark.parametrize('given', [Own()])\ndef test_right(own: Own, given: Own) -> None: ...\n",
    }
    wrong = [("tests/my-service/test_x.py", 3, "fixture-type")]
    assert found(pytester, suite, checker, "--import-mode=importlib") == wrong


@pytest.mark.parametrize("checker", CHECKERS)
def test_sources_apart_from_tests(pytester: pytest.Pytester, checker: str) -> None:
    suite = {
        "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['src']\ntestpaths = ['tests']\n",
        "src/app/__init__.py": "",
        "src/app/models.py": "class User: ...\n",
        "tests/conftest.py": "import pytest\nimport app.models\n@pytest.fixture\n"
        "def user() -> app.models.User: return app.models.User()\n",
        "tests/test_it.py": "from app import models as m\ndef test_right(user: m.User) -> None: ...\n"
        "def test_wrong(user: int) -> None: ...\n",
    }
    assert found(pytester, suite, checker) == [("tests/test_it.py", 3, "fixture-type")]


def test_pyright_reads_the_projects_own_typings(pytester: pytest.Pytester) -> None:
    suite = {
        "lib.py": "class Thing: ...\n",
        "typings/lib.pyi": "class Thing:\n    size: int\n",
        "conftest.py": "import pytest\nfrom lib import Thing\n@pytest.fixture\ndef thing() -> Thing: return Thing()\n",
        "test_it.py": "from typing import Protocol\nclass Sized(Protocol):\n    size: int\n"
        "def test_right(thing: Sized) -> None: ...\n",
    }
    put(pytester.path, {"hidden/lib.py": suite.pop("lib.py")})
    assert found(pytester, suite, "pyright", "-o", "pythonpath=hidden") == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_mocks_are_known_though_they_may_be_anything(pytester: pytest.Pytester, checker: str) -> None:
    suite = {
        "test_it.py": "from unittest.mock import Mock\nimport pytest\nclass Own(Mock): ...\n"
        "@pytest.fixture\ndef mock() -> Mock: return Mock()\n@pytest.fixture\ndef own() -> Own: return Own()\n"
        "def test_right(mock: Mock, own: Own) -> None: ...\ndef test_wrong(request: int) -> None: ...\n",
    }
    assert found(pytester, suite, checker) == [("test_it.py", 9, "fixture-type")]


@pytest.mark.parametrize("checker", ["mypy", "pyright", "ty"])
def test_a_class_with_an_unknown_base_is_judged_where_it_can_be(pytester: pytest.Pytester, checker: str) -> None:
    suite = {
        "test_it.py": "from typing import TYPE_CHECKING\nimport pytest\n"
        "if TYPE_CHECKING:\n    from nowhere import Base\n"
        "else:\n    Base = object\nclass Worker(Base): ...\n@pytest.fixture\ndef worker() -> Worker: return Worker()\n"
        "@pytest.fixture\ndef number() -> int: return 1\n"
        "def test_right(worker: Worker) -> None: ...\ndef test_wrong(number: Worker) -> None: ...\n"
        "def test_unknown(worker: int) -> None: ...\n",
    }
    assert found(pytester, suite, checker) == [
        ("test_it.py", 13, "fixture-type"),
        ("test_it.py", 14, "fixture-unchecked"),
    ]


@pytest.mark.parametrize("checker", CHECKERS)
def test_names_that_are_bound_in_odd_ways(pytester: pytest.Pytester, checker: str) -> None:
    suite = {
        "names.py": "from typing_extensions import TypeAlias\nfrom typing import Any\nQuoted: TypeAlias = 'Any'\n"
        "Plain = Any\n",
        "test_it.py": "import sys\nfrom collections.abc import Callable\nfrom typing import Any, Generic, TypeVar\n"
        "import pytest\nfrom names import Plain, Quoted\nif sys.version_info < (3, 8):\n"
        "    from exceptiongroup import ExceptionGroup\nT = TypeVar('T')\nU = TypeVar('U')\n"
        "@pytest.fixture\ndef group() -> ExceptionGroup[ValueError]: ...\n"
        "@pytest.fixture\ndef some() -> Plain: ...\n"
        "@pytest.fixture\ndef same() -> Callable[[T], T]: ...\n"
        "def test_right(group: ExceptionGroup[ValueError], some: Quoted, same: Callable[[U], U]) -> None: ...\n"
        "class TestOf(Generic[T]):\n    @pytest.fixture\n    def made(self) -> list[T]: ...\n"
        "    def test_made(self, made: list[T]) -> None: ...\n"
        "class Made:\n    def __class_getitem__(cls, item: Any) -> Any:\n"
        "        made = type(f'Made[{item.__name__}]', (cls,), {'__module__': __name__})\n"
        "        globals()[made.__qualname__] = made\n        return made\n"
        "@pytest.mark.parametrize('made', [Made[int]])\ndef test_values(made: type[Made]) -> None: ...\n"
        "def local() -> object:\n    class Local: ...\n    return Local()\n"
        "@pytest.mark.parametrize('value', [local()])\ndef test_local(value: int) -> None: ...\n",
    }
    assert found(pytester, suite, checker) == []


def test_a_part_of_a_suite_makes_no_comment_stale(pytester: pytest.Pytester) -> None:
    suite = {
        "conftest.py": "import pytest\n@pytest.fixture\ndef number() -> int: return 1\n"
        "@pytest.fixture\ndef uses(number: int) -> None: ...  # looprig: ignore[fixture-type]\n",
        "a/test_a.py": "def test_a(uses: None) -> None: ...  # looprig: ignore[fixture-type]\n",
        "b/conftest.py": "import pytest\n@pytest.fixture\ndef number() -> str: return ''\n",
        "b/test_b.py": "def test_b(uses: None) -> None: ...\n",
    }
    assert found(pytester, suite, "ty", "a") == [("a/test_a.py", 1, "unused-ignore")]
    assert found(pytester, suite, "ty", "b") == []
    assert found(pytester, suite, "ty") == [("a/test_a.py", 1, "unused-ignore")]


UNTYPED = {
    # Hypothesis brings the package, which declares no types.
    "conftest.py": "import pytest, sortedcontainers\nfrom collections.abc import Iterator\n"
    "@pytest.fixture\ndef names() -> sortedcontainers.SortedList: return sortedcontainers.SortedList()\n"
    "@pytest.fixture\ndef made() -> Iterator[list[sortedcontainers.SortedSet]]: yield []\n",
    "test_it.py": "from sortedcontainers import SortedList, SortedSet\n"
    "def test_same(names: SortedList, made: list[SortedSet]) -> None: ...\n"
    "def test_other(names: int) -> None: ...\ndef test_wrapped(made: SortedSet) -> None: ...\n",
}


def test_mypy_needs_no_types_where_both_sides_name_the_same(pytester: pytest.Pytester) -> None:
    assert found(pytester, UNTYPED, "mypy") == [
        ("test_it.py", 3, "fixture-unchecked"),
        ("test_it.py", 4, "fixture-unchecked"),
    ]


def test_mypy_reads_a_package_without_types_with_the_setting_that_the_finding_names(pytester: pytest.Pytester) -> None:
    put(pytester.path, UNTYPED)
    text = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=mypy").stdout.str()
    assert "though sortedcontainers is installed: the package declares no types. Install stubs for it" in text
    assert "follow_untyped_imports = true" in text
    put(pytester.path, {"mypy.ini": "[mypy]\n[mypy-sortedcontainers.*]\nfollow_untyped_imports = true\n"})
    assert found(pytester, UNTYPED, "mypy") == [
        ("test_it.py", 3, "fixture-type"),
        ("test_it.py", 4, "fixture-type"),
    ]


def test_mypy_may_be_told_to_skip_a_package_that_has_types(pytester: pytest.Pytester) -> None:
    put(
        pytester.path,
        {
            "mypy.ini": "[mypy]\n[mypy-iniconfig.*]\nfollow_imports = skip\n",
            "conftest.py": "import pytest\nfrom iniconfig import IniConfig\n"
            "@pytest.fixture\ndef ini() -> IniConfig: return IniConfig('x', data='')\n",
            "test_it.py": "def test_it(ini: int) -> None: ...\n",
        },
    )
    text = pytester.runpytest_subprocess(*KEEPING, "--check-fixtures=mypy").stdout.str()
    assert (
        "though iniconfig is installed: its configuration skips the module (follow_imports)  [fixture-unchecked]"
        in text
    )


LIFE = "from looprig import service_fixture\n@service_fixture\nclass Db:\n    async def start(self) -> None: ...\n\
    async def stop(self) -> None: ...\n"
TWO = {
    "one.py": LIFE,
    "two.py": LIFE,
    "test_it.py": "import pytest\nfrom one import Db\nfrom two import Db as Other\n"
    "async def test_it(a: Db, b: Other) -> None: ...\n",
}


def test_two_services_of_one_name_are_wrong_only_where_the_name_is_used(pytester: pytest.Pytester) -> None:
    assert found(pytester, TWO, "mypy") == []
    uses = TWO | {"test_it.py": TWO["test_it.py"] + "@pytest.fixture\ndef made(db: Db) -> int: return 1\n"}
    assert found(pytester, uses, "mypy") == [("one.py", 2, "declaration")]
