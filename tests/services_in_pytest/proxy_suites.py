"""The shared start of suites about proxies: a database, a service that uses it, and a declared proxy between them."""

__all__ = ["DECLARED", "HEAD", "REST", "suite"]

HEAD = """
    import asyncio
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Annotated

    import pytest
    from aiohttp import web
    from looprig import (
        AiohttpService, Fixture, Proxy, TcpService, TestClient, Through, proxy_fixture, rig, service_fixture,
    )
    from looprig.toxics import Discard, Latency, Limit, Reset, Toxic, Transform

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


DECLARED = """
    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class SlowDb(Proxy[Db]):
        seed: int | None = 7
        window: int = 1 << 20
        toxics: Sequence[Toxic] = (Latency(0.02, direction="upstream"),)
"""
