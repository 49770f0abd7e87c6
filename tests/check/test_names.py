"""Where the names in a file come from, according to its source."""

from collections.abc import Mapping
from typing import Any

import pytest

from looprig.check.names import Origin, UnresolvedError, nearest, origin_of
from looprig.check.source import Source

TEXT = """
import os.path
import aiohttp.web as web
from pathlib import Path, PurePath as Pure
from . import models
from .models import User
from ..shared import Shared
from collections.abc import *
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from nowhere import Hidden
    from decimal import Decimal
try:
    from fast import Loader
except ImportError:
    from slow import Loader
else:
    made_in_else = 1
if sys.version_info > (3, 12):
    from new import Choice
else:
    class Choice: ...
class Outer:
    class Inner: ...
    Alias = Inner
ALIAS = int | str
first, (second, *rest) = [], ([], [])
with open("x") as file:
    in_with = 1
for each in []:
    in_for = 1
def function(): ...
"""


def source(namespace: Mapping[str, Any] | None = None) -> Source:
    return Source("/p/tests/a.py", "package.tests.a", TEXT, namespace or {})


@pytest.mark.parametrize(
    ("name", "origin", "rest"),
    [
        ("os.path.PathLike", Origin("os.path"), ("PathLike",)),
        ("os.getcwd", Origin("os"), ("getcwd",)),
        ("web.Application", Origin("aiohttp.web"), ("Application",)),
        ("Path", Origin("pathlib", "Path"), ()),
        ("Pure", Origin("pathlib", "PurePath"), ()),
        ("models.User", Origin("package.tests", "models"), ("User",)),
        ("User", Origin("package.tests.models", "User"), ()),
        ("Shared", Origin("package.shared", "Shared"), ()),
        ("Iterator", Origin("collections.abc", "Iterator"), ()),
        ("Hidden", Origin("nowhere", "Hidden"), ()),
        ("Loader", Origin("fast", "Loader"), ()),
        ("Choice", Origin("package.tests.a", "Choice", "/p/tests/a.py"), ()),
        ("Outer.Inner", Origin("package.tests.a", "Outer", "/p/tests/a.py"), ("Inner",)),
        *(
            (name, Origin("package.tests.a", name, "/p/tests/a.py"), ())
            for name in (
                "ALIAS",
                "first",
                "second",
                "rest",
                "each",
                "in_with",
                "in_for",
                "in_try",
                "in_finally",
                "in_case",
                "made_in_else",
                "function",
            )
        ),
        ("int", None, ("int",)),
    ],
)
def test_a_name_comes_from_where_its_file_imports_it(name: str, origin: Origin | None, rest: tuple[str, ...]) -> None:
    assert origin_of(tuple(name.split(".")), source(), ()) == (origin, rest)


def test_a_class_is_looked_through_first() -> None:
    found = origin_of(("Inner",), source(), ("Outer",))
    assert found == (Origin("package.tests.a", "Outer", "/p/tests/a.py"), ("Inner",))
    assert origin_of(("Path",), source(), ("Outer",)) == (Origin("pathlib", "Path"), ())


def test_of_several_imports_the_one_that_is_there_at_run_time_is_taken() -> None:
    text = "try:\n    from json import loads\nexcept ImportError:\n    from pickle import loads\n"
    import pickle

    found = Source("/p/a.py", "a", text, {"loads": pickle.loads})
    assert origin_of(("loads",), found, ()) == (Origin("pickle", "loads"), ())


def test_what_is_imported_for_checkers_goes_before_what_is_there_at_run_time() -> None:
    text = (
        "import typing as t\nif t.TYPE_CHECKING:\n    from decimal import Decimal\n"
        "else:\n    from numbers import Decimal\n"
    )
    found = Source("/p/a.py", "a", text, {})
    assert origin_of(("Decimal",), found, ()) == (Origin("decimal", "Decimal"), ())
    text = "try:\n    from fractions import Decimal\nfinally:\n    pass\n" + text
    assert origin_of(("Decimal",), Source("/p/a.py", "a", text, {}), ()) == (Origin("decimal", "Decimal"), ())


@pytest.mark.parametrize(
    "block",
    [
        "try:\n    x = 1\nfinally:\n    pass",
        "try:\n    pass\nexcept ValueError:\n    x = 1",
        "try:\n    pass\nexcept* ValueError:\n    x = 1",
        "try:\n    pass\nfinally:\n    x = 1",
        "match 1:\n    case 1:\n        x = 1",
        "while True:\n    x = 1\n    break",
        "for _ in ():\n    pass\nelse:\n    x = 1",
        "with open('y'):\n    x = 1",
        "if 1:\n    if 2:\n        x: int = 1",
    ],
)
def test_a_name_may_be_bound_within_any_statement(block: str) -> None:
    assert origin_of(("x",), Source("/p/a.py", "a", block, {}), ()) == (Origin("a", "x", "/p/a.py"), ())


def test_what_is_there_unless_for_checkers_is_not_for_them() -> None:
    """Although it is under the same `if`."""
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    x = 1\nelse:\n    from numbers import Number\n"
        "if TYPE_CHECKING:\n    from decimal import Decimal as Number\n"
    )
    found = Source("/p/a.py", "a", text, {})
    assert origin_of(("Number",), found, ()) == (Origin("decimal", "Decimal"), ())


def test_what_it_imports_by_a_whole_name_is_known() -> None:
    """A relative import doesn't show how the project is found."""
    found = set(source().imports())
    assert {"os.path", "aiohttp.web", "pathlib", "decimal"} <= found
    assert not {"package.tests", "package.tests.models", "package.shared"} & found


def test_of_files_of_one_name_the_nearest_around_is_meant() -> None:
    def file(path: str) -> Source:
        return Source(path, "conftest", "", {})

    here = file("/p/tests/unit/test_it.py")
    top, middle, beside = file("/p/conftest.py"), file("/p/tests/conftest.py"), file("/p/tests/other/conftest.py")
    assert nearest([top, beside, middle], here) is middle
    assert nearest([beside, top], here) is top


def test_what_nothing_binds_is_an_error() -> None:
    with pytest.raises(UnresolvedError, match="Missing"):
        origin_of(("Missing", "x"), Source("/p/a.py", "a", "x = 1", {}), ())


def test_columns_are_characters() -> None:
    found = Source("/p/a.py", "a", 'def f(é: "x", b: int) -> None: ...\n', {})
    argument = found.functions[1].parameter("b")
    assert argument is not None
    assert found.spot(argument).column == 15
