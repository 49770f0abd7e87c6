"""Parameters that no fixture answers, or one that ends too soon: pytest reports them, looprig explains."""

from textwrap import dedent

import pytest

from tests.golden.suites import HEAD, told_at_collection, told_with_the_plan
from tests.plugin.suite import OPTIONS
from tests.services_in_pytest.folders import put


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            """
            @pytest.fixture
            def database(): ...
            @pytest.fixture
            def users(databse): ...
            def test_one(users): ...
            def test_two(users, nothing): ...
            @pytest.mark.parametrize("number", [1, 2])
            def test_three(users, number, nothing_else): ...
            class TestIn:
                def test_four(self, users, nothing): ...
            """,
            """
            users asks for 'databse', but there is no such fixture.
              test_it.py:10: users
              test_it.py:12: test_one
            Did you mean 'database'?

            test_two asks for 'nothing', but there is no such fixture.
              test_it.py:13: test_two
            Add a fixture 'nothing'.

            test_three asks for 'nothing_else', but there is no such fixture.
              test_it.py:14: test_three
            Add a fixture 'nothing_else'.

            test_four asks for 'nothing', but there is no such fixture.
              test_it.py:17: test_four
            Add a fixture 'nothing'.
            """,
            id="each where it is written, once",
        ),
        pytest.param(
            """
            @pytest.mark.usefixtures("database")
            def test_it(): ...
            """,
            """
            test_it uses 'database', but there is no such fixture.
              test_it.py:8: test_it
            Add a fixture 'database'.
            """,
            id="usefixtures",
        ),
        pytest.param(
            """
            @pytest.fixture
            def tmp_pth(tmp_pth): ...
            @pytest.fixture
            def hen(egg): ...
            @pytest.fixture
            def egg(hen): ...
            def test_it(tmp_pth): ...
            def test_circle(hen): ...
            """,
            """
            tmp_pth asks for 'tmp_pth', but there is no such fixture that it could override.
              test_it.py:8: tmp_pth
              test_it.py:14: test_it
            Add the fixture 'tmp_pth' that it overrides, or remove the parameter.

            egg asks for 'hen', which needs egg itself: neither can be set up first.
              test_it.py:12: egg
              test_it.py:10: hen
            Remove one of the parameters.
            """,
            id="fixtures that need themselves",
        ),
        pytest.param(
            """
            class Store(Protocol):
                def read(self) -> str: ...
            @service_fixture(provides=Store)
            class Disk(Life):
                def read(self): ...
            async def test_it(store: Store): ...
            """,
            """
            test_it asks for 'store', but there is no such fixture.
              test_it.py:13: test_it
            Store is a Protocol. Ask for a service that provides it: store: Disk.
            """,
            id="a Protocol in place of its service",
        ),
        pytest.param(
            """
            @pytest.fixture(scope="module")
            def rates(): ...
            @pytest.fixture
            def price(rates): ...
            @pytest.fixture(scope="session")
            def prices(price, rates, tmp_path_factory): ...
            def test_it(prices): ...
            """,
            """
            prices (scope "session") needs price (scope "function"), which ends first.
              test_it.py:12: prices
              test_it.py:10: price
            Widen price to scope="session", or narrow prices to scope="function".

            prices (scope "session") needs rates (scope "module"), which ends first.
              test_it.py:12: prices
              test_it.py:8: rates
            Widen rates to scope="session", or narrow prices to scope="module".
            """,
            id="a wide fixture and narrow ones",
        ),
    ],
)
def test_what_is_missing_is_told(pytester: pytest.Pytester, suite: str, expected: str) -> None:
    assert told_with_the_plan(pytester, suite) == dedent(expected).lstrip("\n")


def test_a_service_that_is_not_seen_there_is_named(pytester: pytest.Pytester) -> None:
    files = {
        "services.py": "@service_fixture\nclass Db(Life): ...\n",
        "test_a.py": "from services import Db\nasync def test_a(db): ...\n",
        "test_b.py": "async def test_b(db): ...\n",
    }
    assert told_at_collection(pytester, files) == dedent(
        """\
        test_b asks for 'db', but there is no such fixture.
          test_b.py:8: test_b
        The service Db (services.py:8) has that name: annotate it, db: Db, or import Db.
        """
    )


def test_a_type_for_checkers_only_cannot_answer(pytester: pytest.Pytester) -> None:
    suite = """
    if TYPE_CHECKING:
        from services import Rest
    async def test_it(api: "TestClient[Rest]"): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        test_it asks for 'api', but there is no such fixture.
          test_it.py:10: test_it
        api is annotated with TestClient[Rest], which does not exist at run time. Import its names outside of `if TYPE_CHECKING`, so that looprig can find the service.
        """  # noqa: E501 - as it is told
    )


def test_what_an_annotation_makes_of_a_name_is_for_nobody_else(pytester: pytest.Pytester) -> None:
    suite = """
    @service_fixture
    class Db(Life): ...
    async def test_a(thing: Db): ...
    async def test_b(thing): ...
    async def test_c(thing: TestClient): ...
    @pytest.fixture
    def uses(thing: Db): ...
    async def test_d(uses, thing): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        test_b asks for 'thing', but there is no such fixture.
          test_it.py:11: test_b
        Add a fixture 'thing'.

        test_c declares thing: TestClient, but not for which service.
          test_it.py:12: test_c
        Name it: TestClient[Rest].
        """
    )


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ("Through", "Rest is annotated with the class Through, which does nothing.\n{}Write Through()."),
        ("Slow", "Rest is annotated with the class Slow, which does nothing.\n{}Write Through(Slow)."),
    ],
)
def test_a_class_in_place_of_through_is_told(pytester: pytest.Pytester, beside: str, told: str) -> None:
    suite = f"""
    from looprig import Proxy, Through, proxy_fixture
    @service_fixture
    class Rest(Life):
        address = "127.0.0.1", 1
    @proxy_fixture
    class Slow(Proxy[Rest]): ...
    async def test_it(other: Annotated[Rest, {beside}]): ...
    @service_fixture
    @dataclass
    class User(Life):
        rest: Annotated[Rest, {beside}]
    async def test_user(user: User): ...
    """
    text = told_at_collection(pytester, suite)
    assert told.format("  test_it.py:14: test_it\n") in text
    assert told.replace("Rest", "Field User.rest", 1).format("  test_it.py:15: User.rest\n") in text


def test_what_may_be_missing_is_not_told(pytester: pytest.Pytester) -> None:
    """A test that is skipped, or is to fail, may ask for what is not there; so may one that asks at run time."""
    suite = """
    import unittest.mock
    def test_right(request, tmp_path, capsys): ...
    @pytest.mark.skip
    def test_skipped(nothing): ...
    @pytest.mark.skipif("True")
    def test_skipped_if(nothing): ...
    @pytest.mark.xfail
    def test_to_fail(nothing): ...
    @unittest.mock.patch("os.getcwd")
    def test_patched(getcwd): ...
    def test_default(number=3): ...
    @pytest.mark.parametrize("nothing", [1])
    def test_parametrized(nothing): ...
    @pytest.fixture(scope="session")
    def wide(request): return request.param
    @pytest.mark.parametrize("wide", [1], indirect=True, scope="function")
    def test_narrowed(wide): ...
    @pytest.fixture
    def narrow(): ...
    @pytest.mark.parametrize("narrow", [1], indirect=False, scope="session")
    def test_replaced(narrow): ...
    """
    put(pytester, {"test_it.py": HEAD + dedent(suite)})
    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=6, skipped=2, xfailed=1)


def test_a_test_that_is_excused_excuses_no_other(pytester: pytest.Pytester) -> None:
    suite = """
    @pytest.mark.skip
    def test_skipped(nothing): ...
    def test_it(nothing): ...
    """
    assert "test_it asks for 'nothing'" in told_with_the_plan(pytester, suite)
