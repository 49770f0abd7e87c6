"""Streams and websockets that a test leaves open: its client closes them, and the test is reported."""

import pytest

from tests.plugin.suite import output, run

SUITE = """
    import asyncio
    from contextlib import AsyncExitStack
    from dataclasses import dataclass, field

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, TestClient, service_fixture

    @service_fixture(scope="module"{options})
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        ended: list[str] = field(default_factory=list, init=False)

        async def create_app(self):
            async def feed(request):
                response = web.StreamResponse()
                await response.prepare(request)
                await response.write(b"first")
                try:
                    await asyncio.Event().wait()
                finally:
                    self.ended.append("feed")

            async def chat(request):
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                try:
                    async for _ in socket: ...
                finally:
                    self.ended.append("chat")
                return socket

            async def short(request): return web.Response(body=b"all")

            app = web.Application()
            app.router.add_get("/feed", feed)
            app.router.add_get("/chat", chat)
            app.router.add_get("/short", short)
            return app

    async def test_stream(api: TestClient[Rest]):
        response = await AsyncExitStack().enter_async_context(api.stream("GET", "/feed"))
        assert await anext(response.iter_bytes()) == b"first"

    async def test_websocket(api: TestClient[Rest]):
        await api.service.idle(timeout=5)
        await AsyncExitStack().enter_async_context(api.ws("/chat"))

    async def test_all_is_closed(api: TestClient[Rest]):
        await api.service.idle(timeout=5)
        assert api.service.ended == ["feed", "chat"]
        async with api.stream("GET", "/feed") as response, api.ws("/chat"):
            await anext(response.iter_bytes())

    async def test_what_has_ended_is_not_left_open(api: TestClient[Rest]):
        stack = AsyncExitStack()
        response = await stack.enter_async_context(api.stream("GET", "/short"))
        assert await response.read() == b"all"
        chat = await stack.enter_async_context(api.ws("/chat"))
        await chat.close()

    async def test_that_fails_is_not_reported_for_it(api: TestClient[Rest]):
        await AsyncExitStack().enter_async_context(api.stream("GET", "/feed"))
        assert False
"""


@pytest.mark.parametrize("options", ["", ", in_thread=True"], ids=["on the loop", "in the thread"])
def test_what_a_test_leaves_open_on_its_client_is_closed_and_reported(pytester: pytest.Pytester, options: str) -> None:
    result = run(pytester, SUITE.replace("{options}", options), "--loop-watchdogs=leaks=error")
    result.assert_outcomes(passed=4, failed=1, errors=2)
    shown = output(result)
    assert "The stream GET /feed was still open when test_stream ended." in shown
    assert "test_it.py:43: The stream GET /feed was opened here" in shown
    assert "The websocket /chat was still open when test_websocket ended." in shown
    assert 'allow it: @looprig.watchdogs(transports="off").' in shown


def test_it_is_a_warning_by_default(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE.replace("{options}", ""))
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["looprig: watchdogs noted 2 findings in 2 tests*"])
