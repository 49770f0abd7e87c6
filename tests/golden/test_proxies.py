"""Errors of declarations of proxies, word for word."""

from textwrap import dedent

import pytest

from tests.golden.suites import told_at_collection, told_at_import

HEAD = """\
from looprig import Proxy, TcpService, Through, proxy_fixture
@service_fixture(scope="module")
@dataclass
class Db(TcpService):
    async def handle(self, reader, writer): ...
@service_fixture
class Cache(Life): ...
"""
"""Its own lines begin at line 15."""


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            """
            @proxy_fixture(scope="module")
            class Slow: ...
            """,
            """
            proxy_fixture was put on Slow, which isn't a proxy.
              test_it.py:15: Slow
            Write `class Slow(Proxy[Rest])`, with the service that it is in front of.
            """,
            id="no proxy",
        ),
        pytest.param(
            """
            class Plain: ...
            @proxy_fixture
            class Slow(Proxy[Plain]): ...
            """,
            """
            Slow doesn't name the service that it is a proxy of: Plain isn't one.
              test_it.py:16: Slow
              test_it.py:15: Plain
            Write `class Slow(Proxy[Rest])`, with a class that is decorated with @service_fixture.
            """,
            id="no service",
        ),
        pytest.param(
            """
            @proxy_fixture
            class Slow(Proxy): ...
            """,
            """
            Slow doesn't name the service that it is a proxy of.
              test_it.py:15: Slow
            Write `class Slow(Proxy[Rest])`, with a class that is decorated with @service_fixture.
            """,
            id="of nothing",
        ),
        pytest.param(
            """
            @proxy_fixture
            class Slow(Proxy[Db]):
                seed = 7
            """,
            """
            Slow sets seed, a field of Proxy, in a way that has no effect.
              test_it.py:15: Slow
            Annotate it, and put @dataclass(kw_only=True) directly above the class.
            """,
            id="a field without effect",
        ),
        pytest.param(
            """
            @proxy_fixture
            class Slow(Proxy[Db]):
                seed: int = 7
            """,
            """
            Slow sets seed, a field of Proxy, in a way that has no effect.
              test_it.py:15: Slow
            Annotate it, and put @dataclass(kw_only=True) directly above the class.
            """,
            id="a field without a dataclass",
        ),
    ],
)
def test_a_declaration_that_is_wrong_by_itself(pytester: pytest.Pytester, suite: str, expected: str) -> None:
    told = told_at_import(pytester, HEAD + dedent(suite).lstrip("\n"))
    lines = [line.removeprefix("E   ") for line in told.splitlines() if line.startswith("E   ")]
    assert "\n".join(lines).removeprefix("looprig.DeclarationError: ") == dedent(expected).strip()


TWO = """
@proxy_fixture(scope="module")
class Slow(Proxy[Db]): ...
@proxy_fixture(scope="module")
class Lossy(Proxy[Db]): ...
"""


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            TWO + "async def test_it(proxy: Proxy[Db]): ...",
            """
            test_it requests a Proxy[Db], but 2 proxies are in front of Db.
              test_it.py:19: test_it
              test_it.py:15: Slow
              test_it.py:17: Lossy
            Name the one you mean: Slow or Lossy.
            """,
            id="one of several",
        ),
        pytest.param(
            "async def test_it(proxy: Proxy): ...",
            """
            test_it declares proxy: Proxy, but not for which service.
              test_it.py:15: test_it
            Name it: Proxy[Rest].
            """,
            id="a proxy of nothing",
        ),
        pytest.param(
            """
            class Plain: ...
            async def test_it(proxy: Proxy[Plain]): ...
            """,
            """
            test_it declares proxy: Proxy[Plain], but there is no fixture 'proxy', and Plain isn't a service.
              test_it.py:16: test_it
              test_it.py:15: Plain
            Decorate Plain with @service_fixture(...).
            """,
            id="a proxy of no service",
        ),
        pytest.param(
            """
            @service_fixture(scope="module")
            @dataclass
            class Rest(Life):
                db: Annotated[Db, Through()]
            async def test_it(rest): ...
            """,
            """
            Rest.db requests a Proxy[Db], but none is declared.
              test_it.py:15: Rest.db
              test_it.py:9: Db
            Declare one: @proxy_fixture(scope=...) on `class DbProxy(Proxy[Db])`.
            """,
            id="through none",
        ),
        pytest.param(
            TWO
            + """
            @service_fixture(scope="module")
            @dataclass
            class Rest(Life):
                cache: Annotated[Cache, Through(Slow)]
            async def test_it(rest): ...
            """.replace("\n            ", "\n"),
            """
            Rest.cache requests a Cache through Slow, which is in front of Db.
              test_it.py:20: Rest.cache
              test_it.py:15: Slow
              test_it.py:13: Cache
            Name a proxy in front of Cache.
            """,
            id="through one of something else",
        ),
        pytest.param(
            """
            @proxy_fixture
            class Slow(Proxy[Db]): ...
            @service_fixture(scope="module")
            @dataclass
            class Rest(Life):
                db: Annotated[Db, Through(Slow)]
            async def test_it(rest): ...
            """,
            """
            Rest (scope "module") needs Slow (scope "function"), which ends first.
              test_it.py:17: Rest
              test_it.py:15: Slow
            Widen Slow to scope="module", or narrow Rest to scope="function".
            """,
            id="through one that ends first",
        ),
        pytest.param(
            """
            class Sql(Protocol): ...
            @proxy_fixture(scope="module")
            class Slow(Proxy[Db]): ...
            @service_fixture(scope="module")
            @dataclass
            class Rest(Life):
                db: Annotated[Sql, Through(Slow)]
            async def test_it(rest): ...
            """,
            """
            Rest.db goes through Slow, but no service provides Sql.
              test_it.py:18: Rest.db
              test_it.py:15: Sql
            Annotate it with the service behind the proxy, or with a Protocol that it provides.
            """,
            id="through one to a Protocol that nothing provides",
        ),
        pytest.param(
            """
            @service_fixture(scope="module")
            @dataclass
            class Rest(Life):
                db: Annotated[str, Through()]
            async def test_it(rest): ...
            """,
            """
            Rest.db goes through a proxy, but str isn't a service.
              test_it.py:15: Rest.db
            Annotate it with the service behind the proxy, or with a Protocol that it provides.
            """,
            id="through one to what isn't a service",
        ),
        pytest.param(
            "async def test_it(proxy: Proxy[Cache]): ...",
            """
            Cache has no address, so no proxy can be put in front of it.
              test_it.py:13: Cache
            Give it a property `address`: (host, port), or the path of a Unix socket.
            """,
            id="in front of a service without an address",
        ),
        pytest.param(
            """
            @proxy_fixture
            class Slow(Proxy[Cache]): ...
            async def test_it(slow): ...
            """,
            """
            Cache has no address, so no proxy can be put in front of it.
              test_it.py:13: Cache
              test_it.py:15: Slow
            Give it a property `address`: (host, port), or the path of a Unix socket.
            """,
            id="declared in front of a service without an address",
        ),
        pytest.param(
            "async def test_it(api: TestClient[Cache]): ...",
            """
            Cache has no url, so a TestClient cannot know where to send requests.
              test_it.py:13: Cache
            Give it a `url` property, or request the service itself instead of a client.
            """,
            id="a client of a service without a url",
        ),
        pytest.param(
            """
            @pytest.fixture(scope="module")
            async def wide(proxy: Proxy[Db]): ...
            async def test_it(wide): ...
            """,
            """
            wide (scope "module") needs Proxy[Db] (scope "function"), which ends first.
              test_it.py:15: wide
              test_it.py:9: Proxy[Db]
            Declare a proxy that lives as long: @proxy_fixture(scope="module") on `class DbProxy(Proxy[Db])`.
            """,
            id="a wide fixture of a test's own proxy",
        ),
        pytest.param(
            "async def test_it(cache: Proxy[Db]): ...",
            """
            test_it declares cache: Proxy[Db], but fixture 'cache' provides Cache.
              test_it.py:15: test_it
              test_it.py:13: Cache
              test_it.py:9: Proxy[Db]
            Annotate it as Cache, or give the parameter a name that no fixture has.
            """,
            id="answered by name with something else",
        ),
        pytest.param(
            "async def test_it(db: Annotated[Db, Through()]): ...",
            """
            test_it declares db: Db through Proxy[Db], but fixture 'db' provides Db.
              test_it.py:15: test_it
              test_it.py:9: Db
            Annotate it as Db, or give the parameter a name that no fixture has.
            """,
            id="answered by name, past the proxy",
        ),
    ],
)
def test_declarations_that_do_not_go_together(pytester: pytest.Pytester, suite: str, expected: str) -> None:
    told = told_at_collection(pytester, HEAD + dedent(suite).lstrip("\n"))
    assert told.strip() == dedent(expected).strip()
