"""Errors of websockets: each shows the test's own line and one error, and nothing of aiohttp, msgspec or contextlib."""

import re

import pytest

from tests.plugin.suite import output, run

SUITE = """
    from dataclasses import dataclass

    from aiohttp import web
    from looprig import AiohttpService, TestClient, service_fixture

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self):
            async def chat(request):
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                await socket.send_str('{"a": 1}')
                await socket.receive()

            async def plain(request):
                return web.Response(body=b"\\xff{", content_type="application/json")

            async def own_status(request):
                return web.Response(status=599)

            app = web.Application()
            app.router.add_get("/chat", chat)
            app.router.add_get("/plain", plain)
            app.router.add_get("/own", own_status)
            return app
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "async with api.ws('/none'): ...",
            "GET .*/none answered 404 Not Found, but a websocket was expected to open.",
        ),
        ("async with api.ws('/own'): ...", "GET .*/own answered 599, but a websocket was expected to open."),
        (
            "async with api.ws('/chat') as chat: await chat.receive(into=list[float])",
            r".*/chat sent a message that does not decode into list\[float\]: Expected `array`, got `object`",
        ),
        ("(await api.get('/plain')).json()", "GET .*/plain answered 200 OK, but its body is not JSON: .*"),
        ("(await api.get('/plain')).text", "GET .*/plain answered 200 OK, but its body is not text in utf-8: .*"),
    ],
    ids=["no such path", "a status of its own", "another type", "not JSON", "not text"],
)
def test_one_error_and_one_line(pytester: pytest.Pytester, body: str, told: str) -> None:
    suite = SUITE + f"\n    async def test_it(api: TestClient[Rest]):\n        {body}\n"
    result = run(pytester, suite, "--tb=short", "--show-capture=no")
    result.assert_outcomes(failed=1)
    text = output(result)
    assert re.findall(r"^\S*\.py:\d+: in \w+$", text, re.MULTILINE) == ["test_it.py:30: in test_it"], text
    assert re.search(rf"^E   looprig.UnexpectedResponseError: {told}$", text, re.MULTILINE), text
    assert "above exception" not in text


def test_an_answer_that_is_wrong_besides_its_status_says_how(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        SUITE
        + """
    from looprig import TcpService

    @service_fixture
    @dataclass(kw_only=True)
    class Wrong(TcpService):
        @property
        def url(self): return f"http://{self.host}:{self.port}"

        async def handle(self, reader, writer):
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n")
            await writer.drain()

    async def test_it(api: TestClient[Wrong]):
        async with api.ws("/"): ...
    """,
    )
    result.assert_outcomes(failed=1)
    told = "answered 101 (Invalid upgrade header), but a websocket was expected to open.\n"
    assert told in output(result)
