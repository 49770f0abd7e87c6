"""pytest's own options that show services: `--fixtures`, `--setup-show`, `--fixtures-per-test`."""

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.folders import put

SERVICES = '''
    from dataclasses import dataclass
    from looprig import TestClient, service_fixture

    class Life:
        url = "http://127.0.0.1:1"
        async def start(self): ...
        async def stop(self): ...


    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Db(Life):
        """The database of the shop."""

        size: int = 3

    @service_fixture(scope="module", name="shop")
    @dataclass
    class Rest(Life):
        db: Db
'''


def files(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "lib/services.py": SERVICES,
            "conftest.py": "from services import Db, Rest",
            "test_it.py": "from services import Rest, TestClient\n"
            "async def test_it(shop: Rest, api: TestClient[Rest]): ...",
        },
    )


def test_fixtures(pytester: pytest.Pytester) -> None:
    files(pytester)
    result = run(pytester, {}, "--fixtures", "-o", "pythonpath=lib")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*api -- *services.py:18",
            "*A client of Rest, closed after the test.",
        ]
    )
    result.stdout.fnmatch_lines(["db [[]session scope[]] -- *lib/services.py:11", "    The database of the shop."])
    result.stdout.fnmatch_lines(["shop [[]module scope[]] -- *lib/services.py:18", "*no docstring available"])
    assert "_looprig" not in output(result)


def test_fixtures_per_test(pytester: pytest.Pytester) -> None:
    files(pytester)
    result = run(pytester, {}, "--fixtures-per-test", "-o", "pythonpath=lib")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["shop -- *services.py:18"])


def test_setup_show_and_setup_plan(pytester: pytest.Pytester) -> None:
    files(pytester)
    result = run(pytester, {}, "--setup-show", "-o", "pythonpath=lib", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = run(
        pytester,
        {"test_it.py": "from services import Rest\nasync def test_it(shop: Rest): ..."},
        "--setup-show",
        "-o",
        "pythonpath=lib",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "SETUP    S _looprig_services_Db",
            "    SETUP    M _looprig_services_Rest (fixtures used: _looprig_services_Db)",
            "    SETUP    M shop (fixtures used: _looprig_services_Rest)",
            "*test_it.py::test_it (fixtures used: _looprig_services_Db, _looprig_services_Rest, shop)*",
            "    TEARDOWN M shop",
            "    TEARDOWN M _looprig_services_Rest",
            "TEARDOWN S _looprig_services_Db",
        ]
    )


def test_explained_by_class_and_place(pytester: pytest.Pytester) -> None:
    files(pytester)
    result = run(
        pytester,
        {"test_it.py": "async def test_it(shop): ..."},
        "--explain-loops",
        "-v",
        "-o",
        "pythonpath=lib",
    )
    result.stdout.fnmatch_lines(["    Db (scope session) <- lib/services.py:11"])
    result.stdout.fnmatch_lines(["*Rest (scope module) <- lib/services.py:18"])
    assert "_looprig" not in output(result)


def test_services_and_tests_of_one_name_are_told_apart(pytester: pytest.Pytester) -> None:
    asks = "from .services import Rest\nasync def test_it(rest: Rest): ...\nasync def test_{}(rest: Rest): ..."
    put(
        pytester,
        {
            **{f"{name}/__init__.py": "" for name in ("one", "two")},
            **{f"{name}/services.py": SERVICES for name in ("one", "two")},
            **{f"{name}/test_it.py": asks.format(name) for name in ("one", "two")},
            "test_both.py": """
                from one import services
                from two import services as others

                async def test_both(one: services.Rest, two: others.Rest): ...
            """,
        },
    )
    text = output(run(pytester, {}, "--explain-loops", "--collect-only", "-v", "-o", "pythonpath=."))
    assert text[text.index("session loop") :].partition("\n\n")[0].splitlines() == [
        "session loop: 5 tests in 3 files and 4 fixtures, because of one.services.Db (one/services.py:11) and 1 more",
        "    one.services.Db (scope session) <- one/services.py:11",
        "    one.services.Rest (scope module, on one/test_it.py, test_both.py) <- one/services.py:18",
        "    two.services.Db (scope session) <- two/services.py:11",
        "    two.services.Rest (scope module, on test_both.py, two/test_it.py) <- two/services.py:18",
        "    one/test_it.py::test_it, test_one -> session loop: rest -> one.services.Rest ->",
        "        one.services.Db <- one/services.py:11",
        "    test_both -> session loop: one -> one.services.Rest -> one.services.Db <- one/services.py:11",
        "    two/test_it.py::test_it, test_two -> session loop: rest -> two.services.Rest ->",
        "        two.services.Db <- two/services.py:11",
    ]


@pytest.mark.parametrize(
    "asks", ["def test_it(missing): ...", "def test_it(request): request.getfixturevalue('missing')"]
)
def test_a_missing_fixture_lists_only_names_that_can_be_asked_for(pytester: pytest.Pytester, asks: str) -> None:
    result = run(
        pytester,
        f"""
    from looprig import TestClient, service_fixture

    @service_fixture
    class Shop:
        url = "http://localhost"
        async def start(self): ...
        async def stop(self): ...

    def test_client(api: TestClient[Shop], wide: Shop | None = None): ...
    {asks}
    """,
    )
    listed = next(line for line in output(result).splitlines() if "available fixtures" in line)
    names = listed.partition(": ")[2].split(", ")
    assert "shop" in names
    assert not [name for name in names if name.startswith("_") or not name]
