"""Ways to use a service in the thread that others' live servers are known to break on."""

import sys

import pytest

from looprig import DeclarationError, service_fixture
from tests.plugin.suite import run, run_apart
from tests.services_in_pytest.in_thread_suite import HEAD


def test_beside_a_running_loop_that_a_sync_client_left_behind(pytester: pytest.Pytester) -> None:
    """As Playwright's sync API does, which pauses inside of its loop."""
    run(
        pytester,
        HEAD
        + """
    @pytest.fixture(scope="module")
    def browser():
        loop = asyncio.new_event_loop()
        asyncio._set_running_loop(loop)
        yield
        asyncio._set_running_loop(None)
        loop.close()

    @pytest.mark.usefixtures("browser")
    class TestBrowser:
        def test_reads(self, rest):
            assert call_service(rest.add_user("Ada")) == 1
            assert read(rest.url + "/users") == '["Ada"]'

        def test_asks_late(self, request):
            assert read(request.getfixturevalue("rest").url + "/users") == '["Ada"]'

    def test_other(rest): ...
    """,
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_asgi_app(pytester: pytest.Pytester, loop: str) -> None:
    run(
        pytester,
        HEAD
        + """
    from looprig import AsgiService

    @service_fixture(scope="session", in_thread=True, autouse=True)
    class Api(AsgiService):
        async def create_app(self):
            async def app(scope, receive, send):
                if scope["type"] == "http":
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                    name = type(asyncio.get_running_loop()).__module__
                    await send({"type": "http.response.body", "body": name.encode()})
            return app

    def test_sync(api):
        assert read(api.url).partition(".")[0] == "LOOP"

    class TestGrouped:
        @pytest.mark.parametrize("number", [1, 2])
        def test_parametrized(self, api, number):
            assert read(api.url)
    """.replace("LOOP", loop),
        f"--loop-factory={loop}",
    ).assert_outcomes(passed=3)


def test_a_failing_handler_is_in_the_report(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(in_thread=True)
    class Broken(AiohttpService):
        async def create_app(self):
            async def fail(request):
                raise ZeroDivisionError("in the handler")
            app = web.Application()
            app.router.add_get("/", fail)
            return app

    def test_sync(broken):
        try:
            read(broken.url)
        except OSError as error:
            error.close()
        assert not "read"
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Captured log call*", "*ZeroDivisionError: in the handler*"])


def test_requested_at_run_time(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    from looprig import ask

    async def test_asks():
        rest = await ask(Rest)
        assert await rest.add_user("Ada") == 1
        assert await ask("rest") is rest

    def test_sync(request):
        rest = request.getfixturevalue("rest")
        assert call_service(rest.add_user("Bob")) == 2

    async def test_inside(request):
        rest = request.getfixturevalue("rest")
        assert await rest.add_user("Eve") == 3
    """,
    ).assert_outcomes(passed=3)


def test_configured_by_parametrization(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    @pytest.mark.parametrize("page_size", [1, 2], scope="module")
    def test_sizes(rest, page_size):
        assert rest.page_size == page_size
        assert read(rest.url + "/users") == "[]"
    """,
    ).assert_outcomes(passed=2)


def test_behind_a_proxy_in_an_async_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    from looprig import Proxy

    async def test_proxy(proxy: Proxy[Rest]):
        async with TestClient(proxy.routed) as api:
            assert await api.get("/users", into=list[str]) == []
        assert await proxy.service.add_user("Ada") == 1
        assert await proxy.routed.add_user("Bob") == 2
    """,
    ).assert_outcomes(passed=1)


def test_a_model_of_a_rig_on_the_loop_of_a_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    from looprig import rig

    async def test_other_settings(rest: Rest):
        async with rig(rest, page_size=1) as other:
            assert (other.page_size, type(other)) == (1, Rest)
            assert other.loop is asyncio.get_running_loop()
            assert await other.add_user("Ada") == 1
        assert rest.users == []
    """,
    ).assert_outcomes(passed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_in_a_sync_test_stops_the_services(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
    import os
    import signal

    @service_fixture(scope="session", in_thread=True)
    class Told:
        async def start(self): ...
        async def stop(self):
            print("stopped")

    def test_interrupted(told, rest):
        os.kill(os.getpid(), signal.SIGNAL)
        threading.Event().wait(60)

    def test_never(): ...
    """.replace("SIGNAL", "SIGTERM"),
        "-s",
    )
    result.stdout.fnmatch_lines(["*stopped*"])
    result.stdout.no_fnmatch_line("*1 passed*")
    assert result.duration < 30


def test_slots_are_refused() -> None:
    with pytest.raises(DeclarationError, match="its instances have __slots__ and no __dict__"):

        @service_fixture(in_thread=True)
        class Slotted:
            __slots__ = ()

            async def start(self) -> None: ...
            async def stop(self) -> None: ...


def test_one_service_for_the_whole_run(pytester: pytest.Pytester) -> None:
    """The thread has its handle, so that sync tests can call it; its scope is that of all workers."""
    run_apart(
        pytester,
        HEAD
        + """
    import sys

    @service_fixture(scope="run", in_thread=True)
    @dataclass(kw_only=True)
    class Files(ProcessService):
        def command(self):
            return [sys.executable, "-u", "-m", "http.server", str(self.port), "--bind", self.host]

        async def ready(self):
            return "Serving HTTP" in self.output

        async def names(self):
            return ["a"]

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Mirrored(Files): ...

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Mirror(TcpService):
        mirrored: Mirrored

        async def handle(self, reader, writer):
            writer.write(str(self.mirrored.port).encode())
            writer.close()

    def test_sync(files):
        assert "test_it.py" in read(f"http://{files.host}:{files.port}/")
        assert call_service(files.names()) == ["a"]

    async def test_async(files):
        assert await files.names() == ["a"]

    def test_as_a_dependency(mirror):
        with socket.create_connection(mirror.address) as connection:
            assert connection.recv(99) == str(mirror.mirrored.port).encode()
    """,
    ).assert_outcomes(passed=3)
