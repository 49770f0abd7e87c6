"""Clients of `aiohttp_client` become services where looprig's client does the same, and are listed where it doesn't."""

from textwrap import dedent

import pytest

from tests.migrate.suites import after, left

SUITE = """
import pytest
from aiohttp import web


def make_app(text):
    return web.Application()


@pytest.fixture
async def client(aiohttp_client, greeting):
    # For all tests.
    app = make_app(text=greeting)
    return await aiohttp_client(app)


async def test_text(client):
    response = await client.get("/", params={"a": "b"})
    assert response.status == 200
    assert response.headers["X"] == "y"
    assert "Z" not in response.headers
    assert await response.text() == "hello"
    assert (await client.post(f"/{1}", json={"text": "text"})).ok


async def test_block(client):
    async with client.get("/") as response:
        # A comment.
        assert await response.json() == {"text": 1}
        assert await response.read() == b""
    async with client.delete("/"):
        pass
"""
EXPECTED = """
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from looprig import AiohttpService, TestClient, service_fixture


def make_app(text):
    return web.Application()


@service_fixture
@dataclass(kw_only=True)
class Rest(AiohttpService):
    greeting: Any

    async def create_app(self) -> web.Application:
        # For all tests.
        app = make_app(text=self.greeting)
        return app


async def test_text(client: TestClient[Rest]):
    response = await client.get("/", params={"a": "b"})
    assert response.status == 200
    assert response.headers["X"] == "y"
    assert "Z" not in response.headers
    assert response.text == "hello"
    assert (await client.post(f"/{1}", json={"text": "text"})).ok


async def test_block(client: TestClient[Rest]):
    response = await client.get("/")
    # A comment.
    assert response.json() == {"text": 1}
    assert response.body == b""
    await client.delete("/")
    pass
"""


def test_a_fixture_becomes_a_service() -> None:
    assert after(SUITE) == EXPECTED


def test_one_of_a_conftest_stays_for_the_tests_in_other_files() -> None:
    conftest = """
    import pytest
    from aiohttp import web


    @pytest.fixture
    def app() -> web.Application:
        return web.Application()


    @pytest.fixture
    def api_client(loop, aiohttp_client, app: web.Application):
        return loop.run_until_complete(aiohttp_client(app))
    """
    test = 'async def test_it(api_client):\n    assert await (await api_client.get("/")).text() == ""\n'
    made = after(conftest, "conftest.py", test_it=test)
    assert after(test, conftest=conftest) == test.replace("await (await", "(await").replace(".text()", ".text")
    expected = """
    @service_fixture
    @dataclass(kw_only=True)
    class Api(AiohttpService):
        application: Annotated[web.Application, Fixture("app")]

        async def create_app(self) -> web.Application:
            return self.application


    @pytest.fixture
    def api_client(api: TestClient[Api]) -> TestClient[Api]:
        return api
    """
    assert made.endswith(dedent(expected))
    assert "from dataclasses import dataclass\nfrom typing import Annotated\n" in made


NAMED_SESSION = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def settings(): ...

@pytest.fixture
async def session(aiohttp_client, app):
    return await aiohttp_client(app)

async def test_it(session):
    assert (await session.get("/")).status == 200
"""


def test_a_scope_is_no_request_for_a_fixture_of_its_name() -> None:
    assert "async def test_it(session: TestClient[" in after(NAMED_SESSION)
    requested = "\n@pytest.mark.usefixtures('session')\nasync def test_other(): ...\n"
    assert "it is requested by its name in a string" in left(NAMED_SESSION + requested)[0]


def test_what_the_project_itself_does_with_the_name_of_a_fixture_does_not_matter() -> None:
    project = "SOURCE = 'client'\n\ndef make(client):\n    return client.session\n"
    assert after(SUITE, app=project) == after(SUITE)


def test_clients_that_tests_make_of_one_application_share_a_service() -> None:
    text = """
    from aiohttp import web
    from app import make_app


    async def test_it(aiohttp_client):
        client = await aiohttp_client(make_app(debug=True))

        assert (await client.get("/")).status == 200


    class TestIt:
        async def test_it(self, aiohttp_client):
            api = await aiohttp_client(make_app(debug=True))
            assert (await api.get("/")).status == 200
    """
    expected = """
    from dataclasses import dataclass

    from aiohttp import web
    from app import make_app
    from looprig import AiohttpService, TestClient, service_fixture


    @service_fixture
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self) -> web.Application:
            return make_app(debug=True)


    async def test_it(client: TestClient[Rest]):
        assert (await client.get("/")).status == 200


    class TestIt:
        async def test_it(self, api: TestClient[Rest]):
            assert (await api.get("/")).status == 200
    """
    assert after(text) == dedent(expected)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ("assert client.session", "client is used for more than requests"),
        ('await client.ws_connect("/")', "client.ws_connect doesn't exist in looprig's client, or differs there"),
        ("await client.get(path)", "the path of a request is not known to be a str"),
        ('await client.get("/", timeout=3)', "the request has the option timeout"),
        ('await client.post("/", json=None)', "the request has the option json"),
        ('response = await client.get("/")\n    check(response)', "response is passed on"),
        ('response = await client.get("/")\n    assert response.url == "/"', "response.url is not the same in looprig"),
        ('response = await client.get("/")\n    dict(response.headers)', "response.headers is passed on"),
        (
            'response = await client.get("/")\n    await response.json(content_type=None)',
            "response.json is not the same",
        ),
        ('response = client.get("/")', "the response is passed on"),
        ('with pytest.raises(OSError):\n        await client.get("/")', "a request is expected to raise"),
        ('def inner():\n        return client.get("/")', "client is used in a nested function"),
    ],
)
def test_what_looprigs_client_does_otherwise_is_left(use: str, reason: str) -> None:
    text = dedent(SUITE) + f"\n\nasync def test_more(client, path):\n    {use}\n"
    assert after(text) == text
    (found,) = left(text)
    assert found.startswith("11:18: aiohttp_client: test_it.py:")
    assert reason in found


@pytest.mark.parametrize(
    ("fixture", "reason"),
    [
        ('@pytest.fixture(scope="module")\nasync def client(aiohttp_client):', "options that a service doesn't have"),
        ("@pytest.fixture\nasync def client(aiohttp_client, port):\n    print(port)", "something else with the name"),
        (
            "@pytest.fixture\nasync def client(aiohttp_client):\n    await aiohttp_client(2)",
            "more than return aiohttp_client(app)",
        ),
        ("@pytest.fixture\nasync def client(aiohttp_client, request):\n    request.param", "more than return"),
    ],
)
def test_a_fixture_that_does_more_is_left(fixture: str, reason: str) -> None:
    text = f"import pytest\n\n{fixture}\n    return await aiohttp_client(1)\n\nasync def test_it(client): ...\n"
    assert after(text) == text
    assert [reason in each for each in left(text)] == [True]


def test_an_application_that_is_made_in_the_test_is_left() -> None:
    text = "async def test_it(aiohttp_client):\n    app = 1\n    client = await aiohttp_client(app)\n"
    assert after(text) == text
    assert left(text) == [
        "1:19: aiohttp_client: the application is made in the test; "
        "declare an AiohttpService and request a TestClient[...] of it, or keep pytest-aiohttp"
    ]


def test_aiohttps_own_type_gives_way() -> None:
    text = dedent(SUITE).replace("import pytest\n", "import pytest\nfrom aiohttp.test_utils import TestClient\n")
    annotated = text.replace("(client)", "(client: TestClient)")
    assert after(annotated) == EXPECTED
    used = text + "\n\nx = TestClient\n"
    assert after(used) == used
    assert "the file uses another TestClient" in left(used)[0]


def test_a_fixture_of_the_suites_own_is_left() -> None:
    text = dedent(SUITE) + "\n\n@pytest.fixture\ndef aiohttp_client(): ...\n"
    assert after(text) == text
    assert left(text) == []
