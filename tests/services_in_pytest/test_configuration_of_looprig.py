"""Parametrized names that are fields of looprig's own classes: how far they reach."""

import pytest

from tests.plugin.suite import run
from tests.services_in_pytest.test_configuration import HEAD

NAMES_OF_LOOPRIG = (
    HEAD
    + """
    import sys
    from looprig import ProcessService

    @service_fixture
    @dataclass(kw_only=True)
    class Server(ProcessService):
        cwd: str = "/"  # another default, but still a field of looprig

        def command(self): return [sys.executable, "-um", "http.server", str(self.port), "--bind", self.host]

        async def ready(self): return "Serving" in self.output

    @service_fixture
    @dataclass(kw_only=True)
    class App(AiohttpService):
        server: Server
        page_size: int = 20

        async def create_app(self): return web.Application()
"""
)


def test_a_field_of_looprig_is_reached_only_in_what_the_test_requests_itself(pytester: pytest.Pytester) -> None:
    """A parameter called `host` or `user` usually means something else than a server that the app depends on."""
    suite = (
        NAMES_OF_LOOPRIG
        + """
    @pytest.mark.parametrize("cwd", ["/tmp"])
    async def test_behind_an_app(app: App, cwd): assert app.server.cwd == "/"

    @pytest.mark.parametrize("cwd", ["/tmp"])
    async def test_behind_a_client(api: TestClient[App], cwd): assert api.service.server.cwd == "/"

    @pytest.mark.parametrize("cwd", ["/tmp"])
    async def test_requested(server: Server, app: App, cwd): assert app.server.cwd == "/tmp"

    @pytest.mark.parametrize("cwd", ["/tmp"])
    @pytest.mark.usefixtures("server")
    async def test_used(app: App): assert app.server.cwd == "/tmp"

    @pytest.mark.parametrize("host", ["localhost"])
    async def test_of_both(app: App, host): assert (app.host, app.server.host) == ("localhost", "127.0.0.1")

    @pytest.mark.parametrize("page_size", [7])
    async def test_of_the_suite(app: App, page_size): assert app.page_size == 7

    from looprig import ask

    @pytest.mark.parametrize("cwd", ["/tmp"])
    async def test_at_run_time(cwd): assert (await ask(App)).server.cwd == "/"

    @pytest.mark.parametrize("cwd", ["/tmp"])
    async def test_itself_at_run_time(cwd): assert (await ask(Server)).cwd == "/tmp"
    """
    )
    run(pytester, suite).assert_outcomes(passed=8)


def test_such_a_name_is_no_error_in_a_wider_service(pytester: pytest.Pytester) -> None:
    suite = (
        NAMES_OF_LOOPRIG.replace("@service_fixture\n", '@service_fixture(scope="module")\n')
        + """
    @pytest.mark.parametrize("cwd", ["/tmp"])
    async def test_behind_an_app(app: App, cwd): assert app.server.cwd == "/"
    """
    )
    run(pytester, suite).assert_outcomes(passed=1)
