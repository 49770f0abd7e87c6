"""Errors about a class of another installed package, which a suite can't change."""

from textwrap import dedent

import pytest

from looprig import location
from tests.golden.suites import told_at_collection


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(
            'scope="session"',
            """
            Rest (scope "session") needs Db (scope "function"), which ends first.
              test_it.py:9: Rest
              site/installed.py:8: Db
            Narrow Rest to scope="function", or declare a subclass of Db with scope="session" and annotate the field \
with it.
            """,
            id="scope",
        ),
        pytest.param(
            "in_thread=True",
            """
            Rest runs in a thread, but its field db is Db, which is on the loop of the tests: that stands still while \
sync code runs.
              test_it.py:9: Rest
              site/installed.py:8: Db
            Declare a subclass of Db with in_thread=True and annotate the field with it, or declare Rest without \
in_thread.
            """,
            id="thread",
        ),
    ],
)
def test_nobody_is_told_to_change_an_installed_class(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: str, expected: str
) -> None:
    monkeypatch.setattr(location, "_FOLDERS", [frozenset({str(pytester.path / "site")})])
    monkeypatch.syspath_prepend(str(pytester.path / "site"))  # pyright: ignore[reportUnknownMemberType]
    suite = {
        "site/installed.py": """
            @service_fixture
            class Db(Life): ...
        """,
        "test_it.py": f"""
            from installed import Db
            @service_fixture({options})
            @dataclass
            class Rest(Life):
                db: Db
            async def test_it(rest): ...
        """,
    }
    assert told_at_collection(pytester, suite, "test_it.py") == dedent(expected).lstrip("\n")
