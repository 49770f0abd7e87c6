"""The head of suites with a service in a thread."""

__all__ = ["HEAD"]

HEAD = """
    import asyncio
    import contextvars
    import socket
    import threading
    import urllib.request
    from dataclasses import dataclass, field

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, ProcessService, TcpService, TestClient, call_service, service_fixture

    told = []

    @service_fixture(scope="module", in_thread=True)
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        page_size: int = 20
        users: list[str] = field(default_factory=list, init=False)
        loop: object = field(default=None, init=False)

        async def create_app(self) -> web.Application:
            self.loop = asyncio.get_running_loop()
            app = web.Application()
            app.router.add_get("/users", self.list_users)
            return app

        async def list_users(self, _request: web.Request) -> web.Response:
            return web.json_response(self.users)

        async def add_user(self, name: str) -> int:
            assert asyncio.get_running_loop() is self.loop
            self.users.append(name)
            return len(self.users)

    def read(url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
"""
