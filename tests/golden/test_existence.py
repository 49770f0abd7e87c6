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


def test_a_class_that_only_lacks_the_decorator_is_told(pytester: pytest.Pytester) -> None:
    """But not one of another package, which the suite can't decorate, nor a parameter that is no fixture."""
    suite = """
    import asyncio
    from unittest import mock
    @service_fixture
    class Db(Life): ...
    class Queue:
        async def run(self): yield
    class Plain: ...
    async def test_it(worker: Life): ...
    async def test_optional(queue: Queue | None, db: Db): ...
    async def test_others(lock: asyncio.Lock, plain: Plain): ...
    @mock.patch("os.getcwd")
    async def test_patched(getcwd: Life): ...
    @service_fixture
    @dataclass
    class User(Life):
        queue: Queue
    async def test_field(user: User): ...
    """
    text = told_at_collection(pytester, suite)
    assert text == dedent(
        """\
        test_it declares worker: Life, but there is no fixture 'worker', and Life isn't a service.
          test_it.py:15: test_it
          test_it.py:5: Life
        Decorate Life with @service_fixture(...).

        test_optional declares queue: Queue, but there is no fixture 'queue', and Queue isn't a service.
          test_it.py:16: test_optional
          test_it.py:12: Queue
        Decorate Queue with @service_fixture(...).

        test_others asks for 'lock', but there is no such fixture.
          test_it.py:17: test_others
        Add a fixture 'lock'.

        test_others asks for 'plain', but there is no such fixture.
          test_it.py:17: test_others
        Add a fixture 'plain'.

        User.queue has no value: there is no fixture 'queue', and Queue isn't a service.
          test_it.py:20: User
          test_it.py:12: Queue
          test_it.py:24: test_field
        Decorate Queue with @service_fixture(...).
        """
    )


def test_a_protocol_that_no_service_provides_is_told(pytester: pytest.Pytester) -> None:
    suite = """
    class Store(Protocol): ...
    @service_fixture
    @dataclass
    class User(Life):
        store: Store
    async def test_field(user: User): ...
    async def test_it(store: Store): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        User.store has no value: there is no fixture 'store', and no service provides Store.
          test_it.py:9: User
          test_it.py:13: test_field
        Declare a service with @service_fixture(provides=Store), and import it where User is imported.

        test_it asks for 'store', but there is no such fixture.
          test_it.py:14: test_it
        Add a fixture 'store'. Store is a Protocol, and no service provides it.
        """
    )


def test_a_client_without_an_annotation_is_told_which_services_have_one(pytester: pytest.Pytester) -> None:
    suite = """
    @service_fixture
    class Queue(Life): ...
    @service_fixture
    class Rest(Life):
        url = "http://127.0.0.1:1"
    class AsyncClient: ...
    async def test_it(client): ...
    async def test_of_another_package(client: AsyncClient): ...
    async def test_number(client: int): ...
    @pytest.mark.usefixtures("http")
    async def test_uses(): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        test_it asks for 'client', but there is no such fixture.
          test_it.py:14: test_it
        Add a fixture 'client'. For a client of a service, annotate the parameter: client: TestClient[Rest].

        test_of_another_package asks for 'client', but there is no such fixture.
          test_it.py:15: test_of_another_package
        Add a fixture 'client'. For a client of a service, annotate the parameter: client: TestClient[Rest].

        test_number asks for 'client', but there is no such fixture.
          test_it.py:16: test_number
        Add a fixture 'client'.

        test_uses uses 'http', but there is no such fixture.
          test_it.py:17: test_uses
        Add a fixture 'http'.
        """
    )


def test_a_client_whose_name_is_that_of_a_service_is_told_at_each_place_once(pytester: pytest.Pytester) -> None:
    suite = """
    @service_fixture
    class Api(Life):
        url = "http://127.0.0.1:1"
    async def test_it(api: TestClient[Api]): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        test_it declares api: TestClient[Api], but fixture 'api' provides Api.
          test_it.py:11: test_it
          test_it.py:8: Api
        Annotate it as Api, or give the parameter a name that no fixture has.
        """
    )


def test_what_is_wrong_in_one_test_hides_nothing_in_another(pytester: pytest.Pytester) -> None:
    """Nor does the other test get what the name means in a third one."""
    suite = """
    from looprig import Through
    @service_fixture
    class Db(Life): ...
    async def test_right(thing: Db): ...
    async def test_wrong(thing: Annotated[Db, Through]): ...
    async def test_missing(thing): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        Db is annotated with the class Through, which does nothing.
          test_it.py:12: test_wrong
        Write Through().

        test_missing asks for 'thing', but there is no such fixture.
          test_it.py:13: test_missing
        Add a fixture 'thing'.
        """
    )
