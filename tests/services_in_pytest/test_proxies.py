"""Proxies in front of services: by annotation, declared, and as a route."""

import pytest

from tests.plugin.suite import run
from tests.services_in_pytest.folders import put
from tests.services_in_pytest.proxy_suites import DECLARED, HEAD, suite


def test_by_annotation_with_no_declaration_each_test_has_one_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        suite("""
    seen = []

    async def test_one(proxy: Proxy[Rest], again: Proxy[Rest], rest, direct: TestClient[Rest]):
        assert proxy is again
        assert proxy.service is rest
        assert proxy.address != rest.address
        with proxy.down():
            assert await direct.get("/", into=str) == "row"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*proxy.address)
        seen.append(proxy)

    async def test_two(proxy: Proxy[Rest]):
        assert proxy is not seen[0]
        assert proxy.events == ()

    async def test_of_something_else(proxy: Proxy[Db]):
        assert await ask(proxy.address) == "row"
    """),
    )
    result.assert_outcomes(passed=3)


def test_a_client_goes_through_a_proxy(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        suite("""
    async def test_it(
        proxy: Proxy[Rest],
        of_proxy: TestClient[Proxy[Rest]],
        through: Annotated[TestClient[Rest], Through()],
        seen: Annotated[Rest, Through()],
        rest: Rest,
    ):
        assert of_proxy.service is proxy
        assert isinstance(through.service, Rest) and isinstance(seen, Rest)
        assert through.service.url == of_proxy.url == seen.url == proxy.url != rest.url
        assert seen.address == proxy.address and seen.port == proxy.port and seen.db is rest.db
        with proxy.apply(Discard(direction="downstream")):
            for client in (of_proxy, through):
                with pytest.raises(TimeoutError):
                    await client.get("/", timeout=0.05)
        for client in (of_proxy, through):
            assert await client.get("/", into=str) == "row"
        async with TestClient(proxy.routed) as api:
            assert await api.get("/", into=str) == "row"
            with proxy.apply(Reset()):
                with pytest.raises(Exception):
                    await api.get("/")
    """),
    )
    result.assert_outcomes(passed=1)


def test_a_declared_proxy_is_what_dependents_get(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        suite(
            """
    async def test_it(slow_db, by_class: SlowDb, by_service: Proxy[Db], rest: Rest, db: Db, api: TestClient[Rest]):
        assert slow_db is by_class is by_service
        assert (slow_db.seed, slow_db.window) == (7, 1 << 20)
        assert slow_db.service is db
        assert rest.db.address == slow_db.address != db.address
        assert rest.db.dsn == f"db://{slow_db.address.host}:{slow_db.port}" and rest.db.answer == "row"
        assert isinstance(rest.db, Db)
        begin = asyncio.get_running_loop().time()
        assert await api.get("/", into=str) == "row"
        assert asyncio.get_running_loop().time() - begin >= 0.02
        with slow_db.down():
            await api.get("/", status=503)
        rest.db.answer = "other"
        assert db.answer == "other"
        db.answer = "row"
        assert await api.get("/", into=str) == "row"

    async def test_the_module_has_one(slow_db, rest):
        assert rest.db.port == slow_db.port
        assert len(slow_db.events) > 0

    async def test_outside_pytest(db):
        async with rig(Rest) as rest:
            assert rest.db.port != rest.port
            assert await ask(rest.db.address) == "row"
        async with rig(SlowDb, service=db) as slow:
            assert await ask(slow.address) == "row"
    """,
            db="Annotated[Db, Through(SlowDb)]",
            before=DECLARED,
        ),
    )
    result.assert_outcomes(passed=3)


def test_a_field_that_is_a_protocol_goes_through_the_proxy_of_its_provider(pytester: pytest.Pytester) -> None:
    suite_ = suite(
        """
    async def test_it(slow_db, rest: Rest, db: Db):
        assert rest.db.dsn == f"db://{slow_db.address.host}:{slow_db.port}" != db.dsn

    async def test_outside_pytest(db):
        async with rig(Rest) as rest:
            assert rest.db.dsn != db.dsn
    """,
        db="Annotated[Sql, Through(SlowDb)]",
        before=DECLARED,
    )
    protocol = """
    from typing import Protocol

    class Sql(Protocol):
        @property
        def dsn(self) -> str: ...

    @service_fixture(scope="session", provides=Sql)
    """
    result = run(
        pytester,
        suite_.replace(
            """
    @service_fixture(scope="session")
    """,
            protocol,
            1,
        ),
    )
    result.assert_outcomes(passed=2)


def test_what_a_proxy_is_configured_with_is_never_a_fixture(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    @pytest.fixture
    def seed(): return 1
    @pytest.fixture
    def window(): return 1
    @pytest.fixture
    def host(): return "elsewhere"

    async def test_it(slow_db: SlowDb):
        assert (slow_db.seed, slow_db.window) == (7, 1 << 20)
        assert await ask(slow_db.address) == "row"
    """,
    )
    result.assert_outcomes(passed=1)


def test_the_plan_joins_a_proxy_with_its_service_and_its_dependents(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        suite(
            """
    async def test_it(rest): ...
    def test_sync(): ...
    """,
            db="Annotated[Db, Through()]",
            before=DECLARED,
        ),
        "--explain-loops",
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "session loop: 1 test in test_it.py and 3 fixtures, because of Db (test_it.py:*)",
            "*Db (scope session) <- *",
            "*SlowDb (scope module) <- *",
            "*Rest (scope module) <- *",
            "*test_it -> session loop: rest -> Rest -> SlowDb -> Db <- *",
        ]
    )


def test_a_field_may_take_the_proxy_itself(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Saboteur:
        proxy: Proxy[Db]
        async def start(self):
            assert isinstance(self.proxy, SlowDb)
        async def stop(self): ...

    async def test_it(saboteur, slow_db):
        assert saboteur.proxy is slow_db
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_declared_proxy_is_meant_only_where_it_is_seen(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "conftest.py": HEAD,
            "one/test_declares.py": """
                from conftest import *
                """
            + DECLARED.replace("\n    ", "\n                ")
            + """
                async def test_sees_it(proxy: Proxy[Db]): assert isinstance(proxy, SlowDb)
                """,
            "two/test_other.py": """
                from conftest import *
                async def test_does_not(proxy: Proxy[Db]): assert type(proxy).__name__ == "Proxy[Db]"
                """,
        },
    )
    result = pytester.runpytest_inprocess(
        "-p",
        "no:cacheprovider",
        "-Werror",
        "--disable-plugin-autoload",
        "-p",
        "looprig.pytest_plugin",
        "-o",
        "pythonpath=.",
    )
    result.assert_outcomes(passed=2)


def test_declared_proxies_are_equal_to_themselves_alone_and_short_to_show(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    async def test_it(slow_db, db):
        assert slow_db != SlowDb(service=db) and {slow_db: 1}[slow_db] == 1
        assert repr(slow_db) == f"<SlowDb: 127.0.0.1:{slow_db.port}>"
    """,
    )
    result.assert_outcomes(passed=1)


def test_on_uvloop_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        suite(
            """
    async def test_it(proxy: Proxy[Rest], api: TestClient[Proxy[Rest]], slow_db):
        assert await api.get("/", into=str) == "row"
        with slow_db.down():
            await api.get("/", status=503)
        with proxy.apply(Reset()):
            with pytest.raises(Exception):
                await api.get("/")
    """,
            db="Annotated[Db, Through(SlowDb)]",
            before=DECLARED,
        ),
        "--loop-factory=uvloop",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "body",
    [
        "async def start(self): self.address = ('127.0.0.1', 1)",
        "address: tuple[str, int] = ('127.0.0.1', 1)",
        "async def start(self): setattr(self, 'address', ('127.0.0.1', 1))",
        "address: tuple[str, int] = field(init=False, repr=False, compare=False)\n        async def start(self): fill(self)",
        "def __getattr__(self, name): return ('127.0.0.1', 1) if name == 'address' else object.__getattribute__(self, name)",
    ],
    ids=["set", "a field", "set by name", "set elsewhere", "made up"],
)
def test_an_address_may_come_with_the_start(pytester: pytest.Pytester, body: str) -> None:
    result = run(
        pytester,
        f"""
    from dataclasses import dataclass, field
    from looprig import Proxy, service_fixture

    def fill(service):
        service.address = ("127.0.0.1", 1)

    class Life:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture
    @dataclass
    class Db(Life):
        {body}
    async def test_it(proxy: Proxy[Db]): assert proxy.service.address == ("127.0.0.1", 1)
    """,
    )
    result.assert_outcomes(passed=1)
