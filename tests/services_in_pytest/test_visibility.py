"""A service is one fixture, visible where its class is imported, and can be overridden like any other."""

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.folders import put

SERVICES = """
    from dataclasses import dataclass
    from looprig import service_fixture

    starts = []

    class Life:
        async def start(self):
            starts.append(type(self).__name__)
        async def stop(self): ...

    @service_fixture(scope="session")
    class Db(Life): ...

    @service_fixture(scope="session")
    @dataclass
    class HTTPFront2(Life):
        db: Db
"""


def test_names(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        SERVICES
        + """
    import pytest

    @service_fixture(name="short")
    class Long(Life): ...

    async def test_names(db, http_front2, short):
        assert isinstance(db, Db) and isinstance(http_front2, HTTPFront2) and isinstance(short, Long)

    def test_no_long(request):
        with pytest.raises(pytest.FixtureLookupError):
            request.getfixturevalue("long")
    """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_one_instance_for_all_modules_that_import_it(pytester: pytest.Pytester, mode: str) -> None:
    put(
        pytester,
        {
            "services.py": SERVICES,
            "a/test_a.py": "from services import Db, starts\nasync def test_a(db: Db): assert starts == ['Db']",
            "b/test_b.py": "import services\nfrom services import Db as Database\n"
            "async def test_b(db: Database, anything: services.Db):\n"
            "    assert db is anything and services.starts == ['Db']",
            "c/test_c.py": "import pytest\ndef test_c(request):\n    with pytest.raises(pytest.FixtureLookupError):\n"
            "        request.getfixturevalue('db')",
        },
    )
    result = run(pytester, {}, f"--import-mode={mode}", "-o", "pythonpath=.")
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("mode", "path", "second"), [("prepend", ".", "suite.conftest"), ("importlib", "suite", "conftest")]
)
def test_one_instance_of_a_class_whose_file_is_imported_under_two_names(
    pytester: pytest.Pytester, mode: str, path: str, second: str
) -> None:
    """Pytest imports a conftest under one name, and a test module may import it under another."""
    conftest = (
        SERVICES
        + """
    from typing import Protocol
    class Reads(Protocol):
        def read(self): ...

    @service_fixture(provides=Reads)
    class Disk(Life):
        def read(self): ...

    @service_fixture(name="of_reads")
    @dataclass
    class OfReads(Life):
        reads: Reads
    """
    )
    put(
        pytester,
        {
            "suite/conftest.py": conftest,
            "suite/test_a.py": f"""
                from {second} import Db, HTTPFront2, OfReads

                async def test_by_annotation(anything: Db, db, other: HTTPFront2, http_front2, r: OfReads, disk):
                    assert anything is db and other is http_front2 and http_front2.db is db
                    assert r.reads is disk
                    assert type(db).__module__ != Db.__module__, "imported once only: this test shows nothing"
            """,
        },
    )
    result = run(pytester, {}, f"--import-mode={mode}", "-o", f"pythonpath={path}")
    result.assert_outcomes(passed=1)


def test_classes_of_one_name_that_a_function_makes_are_several_services(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        SERVICES
        + """
    def make(size):
        @service_fixture(name=f"of_{size}")
        class Made(Life):
            value = size
        return Made

    One, Two = make(1), make(2)

    async def test_both(of_1: One, of_2: Two, again: One):
        assert (of_1.value, of_2.value) == (1, 2) and again is of_1
    """,
    )
    result.assert_outcomes(passed=1)


def test_what_a_module_says_itself_overrides_and_may_ask_for_what_it_overrides(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "services.py": SERVICES,
            "conftest.py": """
                import pytest
                from services import Db
                @pytest.fixture(scope="session")
                async def db(db: Db):
                    db.seeded = True
                    yield db
            """,
            # Importing the class for its annotation doesn't undo the override.
            "a/test_a.py": "from services import Db\nasync def test_a(db: Db): assert db.seeded",
            "b/test_b.py": """
                import pytest
                from services import Db
                @pytest.fixture
                def db(): return "another"
                @pytest.fixture(params=[1, 2])
                def http_front2(request): return request.param
                async def test_b(db, http_front2): assert (db, http_front2) in {("another", 1), ("another", 2)}
            """,
            "c/test_c.py": """
                from services import Db
                class TestC:
                    async def test_c(self, db: Db): assert db.seeded
            """,
        },
    )
    run(pytester, {}).assert_outcomes(passed=4)


def test_two_services_of_one_name_in_one_module_are_told(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "one.py": SERVICES,
            "two.py": SERVICES,
            "test_it.py": "from one import Db\nfrom two import Db as Other\nasync def test_it(db): ...",
        },
    )
    result = run(pytester, {})
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "Two services are called 'db' in test_it: one.Db and two.Db." in output(result)


def test_autouse_where_it_is_imported(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "services.py": SERVICES
            + """
    @service_fixture(scope="module", autouse=True)
    class Always(Life): ...
    """,
            "a/test_a.py": "from services import Always, starts\ndef test_a(): assert starts == ['Always']",
            "b/test_b.py": "from services import starts\ndef test_b(): assert starts == ['Always']",
        },
    )
    run(pytester, {}, "-o", "pythonpath=.").assert_outcomes(passed=2)


def test_seen_by_a_file_that_is_named_on_the_command_line(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "services.py": SERVICES,
            "deep/er/conftest.py": "from services import Db",
            "deep/er/test_a.py": "async def test_a(db): ...\nasync def test_b(db): ...",
        },
    )
    run(pytester, {}, "deep/er/test_a.py::test_b", "-o", "pythonpath=.").assert_outcomes(passed=1)


def test_seen_in_a_plugin(pytester: pytest.Pytester) -> None:
    put(pytester, {"services.py": SERVICES, "test_a.py": "async def test_a(http_front2): ..."})
    run(pytester, {}, "-p", "services", "-o", "pythonpath=.").assert_outcomes(passed=1)
