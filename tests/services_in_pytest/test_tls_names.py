"""A TLS service that is known by a name is reached by that name through a proxy, too."""

import pytest

from tests.plugin.suite import run

HEAD = """
    import ssl
    from dataclasses import dataclass, field
    from typing import Annotated

    import trustme
    from aiohttp import web
    from looprig import AiohttpService, Proxy, TcpProxy, TestClient, Through, proxy_fixture, service_fixture

    CA = trustme.CA()
    NAMES = []

    def server_context():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CA.issue_cert("localhost").configure_cert(context)
        context.sni_callback = lambda socket, name, context: NAMES.append(name)
        return context

    def client_context():
        context = ssl.create_default_context()
        CA.configure_trust(context)
        return context

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        tls: ssl.SSLContext | None = field(default_factory=server_context)
        client_tls: ssl.SSLContext | None = field(default_factory=client_context)

        async def create_app(self):
            async def host(request):
                return web.json_response(request.headers["Host"])
            app = web.Application()
            app.router.add_get("/", host)
            return app

        @property
        def url(self) -> str:
            return f"https://{NAME}:{self.port}"

    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class Inside(Proxy[Rest]):
        terminate_tls: bool = True

    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class Plain(Proxy[Rest]): ...
"""


def test_the_name_stays_in_the_url_and_in_tls(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        '\n    NAME = "localhost"\n'
        + HEAD
        + """
    async def test_plain(api: Annotated[TestClient[Rest], Through(Plain)], plain):
        assert plain.url == plain.routed.url == f"https://localhost:{plain.port}"
        assert await api.get("/", into=str) == f"localhost:{plain.port}"

    async def test_inside(api: Annotated[TestClient[Rest], Through(Inside)], inside):
        NAMES.clear()
        assert await api.get("/", into=str) == f"localhost:{inside.port}"
        assert NAMES == ["localhost"]
    """,
    )
    result.assert_outcomes(passed=2)


def test_a_name_that_leads_elsewhere_does_not_stay_and_the_certificate_is_for_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        '\n    NAME = "rest.invalid"\n'
        + HEAD
        + """
    async def test_it(inside):
        assert inside.url == f"https://{inside.address.host}:{inside.port}"

    async def test_by_hand(rest):
        import asyncio
        async with TcpProxy(rest.address, terminate_tls=True, upstream_tls=client_context(), tls_name="localhost") as p:
            reader, writer = await asyncio.open_connection(
                *p.address, ssl=p.client_tls, server_hostname="localhost"
            )
            writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
            assert (await reader.readline()).startswith(b"HTTP/1.")
            writer.close()
    """,
    )
    result.assert_outcomes(passed=2)
