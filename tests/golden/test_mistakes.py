"""Likely mistakes of a first suite: parameters and fields that look like a service, a client or a proxy, but aren't."""

from textwrap import dedent

import pytest

from tests.golden.suites import told_at_collection


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
    """Not of a service that only uses the `url` of another, or whose `url` is a method."""
    suite = """
    @service_fixture
    class Queue(Life): ...
    @service_fixture
    class Rest(Life):
        url = "http://127.0.0.1:1"
    @service_fixture
    @dataclass
    class Worker(Life):
        rest: Rest
        def command(self): return ["worker", self.rest.url]
    @service_fixture
    class Database(Life):
        def url(self, scheme): return f"{scheme}://127.0.0.1:1"
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
          test_it.py:22: test_it
        Add a fixture 'client'. For a client of a service, annotate the parameter: client: TestClient[Rest].

        test_of_another_package asks for 'client', but there is no such fixture.
          test_it.py:23: test_of_another_package
        Add a fixture 'client'. For a client of a service, annotate the parameter: client: TestClient[Rest].

        test_number asks for 'client', but there is no such fixture.
          test_it.py:24: test_number
        Add a fixture 'client'.

        test_uses uses 'http', but there is no such fixture.
          test_it.py:25: test_uses
        Add a fixture 'http'.
        """
    )


def test_a_generic_base_class_without_its_service_is_told(pytester: pytest.Pytester) -> None:
    suite = """
    from typing import Generic, TypeVar
    from looprig.kits import RedisDatabase
    S = TypeVar("S")
    @dataclass(kw_only=True)
    class Repository(Life, Generic[S]):
        store: S
    @service_fixture
    @dataclass(kw_only=True)
    class Cache(RedisDatabase): ...
    @service_fixture
    @dataclass(kw_only=True)
    class Users(Repository): ...
    @service_fixture
    @dataclass(kw_only=True)
    class Orders(Repository[int]): ...
    async def test_cache(cache: Cache): ...
    async def test_users(users: Users): ...
    async def test_orders(orders: Orders): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        Cache.server has no value: Cache is derived from RedisDatabase without naming its service.
          test_it.py:14: Cache
          test_it.py:23: test_cache
        Name it in brackets: class Cache(RedisDatabase[...]).

        Users.store has no value: Users is derived from Repository without naming its service.
          test_it.py:17: Users
          test_it.py:24: test_users
        Name it in brackets: class Users(Repository[...]).

        Orders.store has no value: there is no fixture 'store', no service of its type, and no default.
          test_it.py:20: Orders
          test_it.py:25: test_orders
        Add a fixture 'store', give the field a default, or annotate it with a service.
        """
    )


def test_nobody_is_told_to_share_a_database_with_all_workers(pytester: pytest.Pytester) -> None:
    """It can't have the scope "run", since a class of looprig that it needs ends before."""
    suite = """
    from looprig.kits import PostgresDatabase, PostgresService
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Postgres(PostgresService): ...
    @service_fixture
    @dataclass(kw_only=True)
    class Database(PostgresDatabase[Postgres]): ...
    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Wide(PostgresDatabase[Postgres]): ...
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Rest(Life):
        database: Database
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Other(Life):
        database: Wide
    async def test_rest(rest: Rest): ...
    async def test_other(other: Other): ...
    """
    assert told_at_collection(pytester, suite) == dedent(
        """\
        Rest (scope "run") needs Database (scope "function"), which ends first.
          test_it.py:18: Rest
          test_it.py:12: Database
        Narrow Rest to scope="function", or narrow Rest and widen Database to scope="session": Database needs \
DatabaseCopies, a class of looprig, whose scope is fixed.

        Other (scope "run") needs Wide (scope "session"), which ends first.
          test_it.py:22: Other
          test_it.py:15: Wide
        Narrow Other to scope="session": Wide needs DatabaseCopies, a class of looprig, whose scope is fixed.
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


def test_what_is_no_service_in_an_annotation_is_told(pytester: pytest.Pytester) -> None:
    suite = """
    from decimal import Decimal
    from looprig import Proxy
    @service_fixture
    class Db(Life):
        address = "127.0.0.1", 1
    @service_fixture
    class Rest(Life): ...
    class Slow(Proxy[Db]): ...
    number, db = Decimal(3), Db()
    async def test_foreign(a: TestClient[Decimal]): ...
    async def test_value(a: "TestClient[number]"): ...
    async def test_instance(a: db): ...
    async def test_several(a: Db | Rest | None): ...
    async def test_proxy(a: Slow): ...
    async def test_any(a: int | str): ...
    async def test_method(self): ...
    """
    text = told_at_collection(pytester, suite)
    decimal = text.splitlines()[2]
    assert text.replace(decimal, "  decimal.py: Decimal") == dedent(
        """\
        test_foreign declares a: TestClient[Decimal], but there is no fixture 'a', and Decimal isn't a service.
          test_it.py:17: test_foreign
          decimal.py: Decimal
        Name a service of your own that runs it: a class that is decorated with @service_fixture(...).

        test_value declares a: TestClient[<a Decimal>], but there is no fixture 'a', and <a Decimal> isn't a class.
          test_it.py:18: test_value
        Name a class that is decorated with @service_fixture(...).

        test_instance declares a: <a Db>, but there is no fixture 'a', and it is an instance.
          test_it.py:19: test_instance
          test_it.py:10: Db
        Annotate it with the class: Db.

        test_several declares a: Db | Rest | NoneType, but there is no fixture 'a', and it may be one of several things.
          test_it.py:20: test_several
          test_it.py:10: Db
          test_it.py:13: Rest
        Annotate it with one of them.

        test_proxy declares a: Slow, but there is no fixture 'a', and Slow isn't a service.
          test_it.py:21: test_proxy
          test_it.py:15: Slow
        Decorate Slow with @proxy_fixture(...).

        test_any asks for 'a', but there is no such fixture.
          test_it.py:22: test_any
        Add a fixture 'a'.

        test_method asks for 'self', but there is no such fixture.
          test_it.py:23: test_method
        Remove the parameter, or indent the function into the class that it belongs to.
        """
    )
