"""A request that takes too long: its failure shows the test's own line, and nothing of aiohttp or asyncio."""

import re

import pytest

from tests.plugin.suite import output, run

SUITE = """
    import asyncio
    from dataclasses import dataclass

    from aiohttp import web
    from looprig import AiohttpService, TestClient, service_fixture

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self):
            async def hang(request):
                await asyncio.Event().wait()

            async def chat(request):
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                await socket.receive()

            app = web.Application()
            app.router.add_get("/", hang)
            app.router.add_get("/chat", chat)
            return app

    async def asks(api):
        await api.get("/", timeout=0.1)

    async def test_request(api: TestClient[Rest]): await asks(api)

    async def test_websocket(api: TestClient[Rest]):
        async with api.ws("/", timeout=0.1): ...

    async def test_message(api: TestClient[Rest]):
        async with api.ws("/chat", timeout=0.5) as chat:
            await chat.receive()
"""


@pytest.mark.parametrize(
    ("test", "told", "lines"),
    [
        (
            "test_request",
            "GET http://.*/: no complete response within 0.1 s.",
            ["test_it.py:28: in test_request", "test_it.py:26: in asks"],
        ),
        ("test_websocket", "http://.*/: no websocket within 0.1 s.", ["test_it.py:31: in test_websocket"]),
        (
            "test_message",
            "http://.*/chat: waited 0.5 s for a message.",
            ["test_it.py:35: in test_message"],
        ),
    ],
)
def test_only_the_lines_of_the_suite_are_shown(
    pytester: pytest.Pytester, test: str, told: str, lines: list[str]
) -> None:
    result = run(pytester, SUITE, "-k", test, "--tb=short", "--show-capture=no")
    result.assert_outcomes(failed=1)
    text = output(result)
    shown = re.findall(r"^\S*\.py:\d+: in \w+$", text, re.MULTILINE)
    assert [line for line in shown if "contextlib" not in line] == lines, text
    assert re.search(rf"^E   TimeoutError: {told}$", text, re.MULTILINE)
