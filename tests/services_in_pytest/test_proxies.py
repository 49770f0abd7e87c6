"""Proxies in front of services: by annotation, declared, routed through; and what of them fails a test."""

import re

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.folders import put

HEAD = """
    import asyncio
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Annotated

    import pytest
    from aiohttp import web
    from looprig import (
        AiohttpService, Discard, Fixture, Latency, Limit, Proxy, Reset, TcpService, TestClient, Through, Toxic, Transform,
        proxy_fixture, rig, service_fixture,
    )

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Db(TcpService):
        answer: str = "row"

        @property
        def dsn(self) -> str:
            return f"db://{self.host}:{self.port}"

        async def handle(self, reader, writer):
            while await reader.readline():
                writer.write(f"{self.answer}\\n".encode())

    async def ask(address) -> str:
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(b"?\\n")
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()
"""

REST = """
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        db: DB

        async def create_app(self):
            async def get(request):
                try:
                    return web.json_response(await ask(self.db.address))
                except ConnectionError:
                    return web.json_response("no db", status=503)
            app = web.Application()
            app.router.add_get("/", get)
            return app
"""


def suite(tests: str, *, db: str = "Db", before: str = "") -> str:
    return HEAD + before + REST.replace("DB", db) + tests


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


DECLARED = """
    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class SlowDb(Proxy[Db]):
        seed: int | None = 7
        window: int = 1 << 20
        toxics: Sequence[Toxic] = (Latency(0.02, direction="upstream"),)
"""


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
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "loop 1: scope session, on the session, 1 test, 3 fixtures",
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


def test_an_error_that_nobody_takes_fails_the_test_that_runs_and_no_other(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    def boom(chunk): raise ValueError("boom")

    async def provoke(proxy):
        with proxy.apply(Transform(boom, direction="upstream")):
            assert await ask(proxy.address) == "" if False else True
            with pytest.raises(ConnectionResetError):
                await ask(proxy.address)

    async def test_fails(slow_db): await provoke(slow_db)
    async def test_passes(slow_db): assert await ask(slow_db.address) == "row"
    async def test_takes_it(slow_db):
        await provoke(slow_db)
        assert len(slow_db.take_errors()) == 1
    async def test_fails_anyhow(slow_db):
        await provoke(slow_db)
        assert 0
    async def test_own_proxy_fails_too(own: Annotated[Proxy[Db], Fixture("slow_db")], slow_db): await provoke(slow_db)
    """,
    )
    result.assert_outcomes(passed=2, failed=3)
    text = output(result)
    assert len(re.findall(r"^E +looprig\.ProxyError: Transform raised on connection #", text, re.MULTILINE)) == 2
    assert "Besides, in a proxy: Transform raised on connection #" in text
    assert re.search(r"test_it\.py:\d+: boom\n", text)


def test_the_report_of_a_failed_test_has_its_events_the_seed_and_how_to_run_it_again(pytester: pytest.Pytester) -> None:
    tests = (
        HEAD
        + """
    async def test_earlier(proxy: Proxy[Db]): assert await ask(proxy.address) == "row"

    async def test_fails(proxy: Proxy[Db]):
        with proxy.apply(Limit(0, probability=0.5)) as applied:
            answers = [await ask(proxy.address) for _ in range(20)]
        print("struck", applied.struck)
        assert answers == []
    """
    )
    result = run(pytester, tests)
    result.assert_outcomes(passed=1, failed=1)
    text = output(result)
    seed = re.search(r"The same faults again: pytest 'test_it\.py::test_fails' --proxy-seed=(\d+)", text)
    assert seed is not None
    assert text.count("- Network faults -") == 1
    assert f"Proxy[Db], seed {seed[1]}:" in text
    assert re.search(r"\d\.\d{4} s +#0  accepted from 127\.0\.0\.1:\d+", text)
    struck = re.search(r"struck \(.*\)", text)
    assert struck is not None
    again = output(run(pytester, tests, f"--proxy-seed={seed[1]}"))
    assert struck[0] in again
    assert struck[0] not in output(run(pytester, tests, f"--proxy-seed={int(seed[1]) + 1}"))


def test_the_log_has_what_came_since_the_test_began(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    async def test_earlier(slow_db): assert await ask(slow_db.address) == "row"
    async def test_fails(slow_db):
        assert await ask(slow_db.address) == "row"
        assert 0
    async def test_fails_without_it(): assert 0
    """,
    )
    result.assert_outcomes(passed=1, failed=2)
    text = output(result)
    assert text.count("- Network faults -") == 1
    assert "#0  accepted" not in text
    assert "#1  accepted" in text
    assert "SlowDb, seed 7:" in text
    assert "--proxy-seed" not in text


def test_a_proxy_made_by_hand_has_the_seed_and_the_log_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    from looprig import TcpProxy

    @pytest.fixture(scope="module")
    async def by_hand(db: Db):
        async with TcpProxy(db.address) as proxy:
            yield proxy

    def boom(chunk): raise ValueError("boom")

    async def test_fails(by_hand):
        assert by_hand.seed == 7
        with by_hand.apply(Transform(boom, direction="upstream")):
            with pytest.raises(ConnectionResetError):
                await ask(by_hand.address)

    async def test_passes(by_hand): assert await ask(by_hand.address) == "row"
    """,
        "--proxy-seed=7",
    )
    result.assert_outcomes(passed=1, failed=1)
    text = output(result)
    assert "TcpProxy, seed 7:" in text
    assert "The same faults again: pytest 'test_it.py::test_fails' --proxy-seed=7" in text


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
