"""The examples from the documentation of aiomisc's pytest plugin, as written there and as looprig has them.

A suite written from that documentation runs unchanged, with aiomisc installed but not its plugin. What the
documentation leaves out, such as an import or a class that is only named, is added here.
"""

from typing import Final

import pytest

from tests.plugin.suite import POLICIES_ARE_DEPRECATED, run_apart

pytest.importorskip("aiomisc", reason="needs aiomisc")
pytest.importorskip("uvloop", reason="needs uvloop")

BASIC: Final = """
    import asyncio
    import pytest

    async def test_sample(event_loop):
        f = event_loop.create_future()
        event_loop.call_soon(f.set_result, True)
        assert await f

    async def test_sample_with_loop(loop):
        f = loop.create_future()
        loop.call_soon(f.set_result, True)
        assert await f

    @pytest.fixture
    async def my_fixture(event_loop):
        await asyncio.sleep(0)
        yield

    async def test_async_fixture(my_fixture):
        assert my_fixture is None
"""

WIDER_LOOP: Final = """
    import asyncio
    import pytest
    from aiomisc import entrypoint

    @pytest.fixture(scope='module')
    def loop():
        with entrypoint() as loop:
            asyncio.set_event_loop(loop)
            yield loop

    @pytest.fixture(scope='module')
    async def sample_fixture(loop):
        yield 1

    LOOP_ID = None

    async def test_using_fixture(sample_fixture):
        global LOOP_ID
        LOOP_ID = id(asyncio.get_event_loop())
        assert sample_fixture == 1

    async def test_not_using_fixture(loop):
        assert id(loop) == LOOP_ID
"""

WIDER_LOOP_OURS: Final = """
    import asyncio
    import pytest
    from looprig import loop_config

    loops = loop_config(scope="module")
    seen: list[asyncio.AbstractEventLoop] = []

    @pytest.fixture(scope="module")
    async def sample():
        seen.append(asyncio.get_running_loop())
        yield 1

    async def test_using_fixture(sample):
        assert sample == 1
        assert seen == [asyncio.get_running_loop()]

    async def test_not_using_fixture():
        assert seen == [asyncio.get_running_loop()]
"""

MARKERS: Final = """
    import asyncio
    import pytest

    @pytest.mark.forbid_get_event_loop
    async def test_with_get_loop():
        def switch_context():
            loop = asyncio.get_event_loop()
            future = loop.create_future()
            loop.call_soon(future.set_result, True)
            return future

        with pytest.raises(BaseException) as caught:
            await switch_context()
        assert caught.type is pytest.fail.Exception

    # Test will be failed
    @pytest.mark.catch_loop_exceptions
    async def test_with_errors(loop):
        async def fail():
            # switch context
            await asyncio.sleep(0)
            raise Exception()

        loop.create_task(fail())
        await asyncio.sleep(0.1)
        return
"""

DEFAULT_CONTEXT: Final = """
    import aiomisc
    import pytest
    from looprig import current_context

    @pytest.fixture
    def default_context():
        return {
            'foo': 'bar',
            'bar': 'foo',
        }

    async def test_through_aiomisc():
        context = aiomisc.get_context()
        assert await context['foo'] == 'bar'
        assert await context['bar'] == 'foo'

    async def test_through_looprig():
        assert current_context().get("foo") == "bar"
        assert await current_context().wait("bar") == "foo"
"""

SERVICES: Final = """
    import aiomisc
    import pytest

    events = []

    class SimpleService(aiomisc.Service):
        async def start(self) -> None:
            events.append('started')

        async def stop(self, exception=None) -> None:
            events.append('stopped')

    @pytest.fixture
    def services():
        return [SimpleService()]

    async def test_it_runs():
        assert events == ['started']

    def test_it_stopped_and_ran_again():
        assert events == ['started', 'stopped', 'started']
"""

SERVICES_OURS: Final = """
    from dataclasses import dataclass
    from looprig import service_fixture

    events = []

    @service_fixture(autouse=True)
    @dataclass(kw_only=True)
    class SimpleService:
        async def start(self) -> None:
            events.append("started")

        async def stop(self) -> None:
            events.append("stopped")

    async def test_it_runs():
        assert events == ["started"]

    def test_it_stopped_and_ran_again():
        assert events == ["started", "stopped", "started"]
"""

POLICY: Final = """
    import asyncio
    import pytest
    import uvloop

    class SelectorPolicy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self):
            return SelectorLoop()

    class SelectorLoop(asyncio.SelectorEventLoop):
        pass

    policy_ids = ('uvloop', 'asyncio', 'selector')
    policies = (uvloop.EventLoopPolicy(),
                asyncio.DefaultEventLoopPolicy(),
                SelectorPolicy())

    @pytest.fixture(params=policies, ids=policy_ids)
    def event_loop_policy(request):
        return request.param

    async def test_runs_on_it(event_loop_policy, request):
        kinds = {
            'uvloop': uvloop.Loop,
            'asyncio': asyncio.SelectorEventLoop,
            'selector': SelectorLoop,
        }
        kind = kinds[request.node.callspec.id]
        assert type(asyncio.get_running_loop()) in {kind, getattr(asyncio, '_UnixSelectorEventLoop', kind)}

    async def test_without_naming_it(loop):
        assert asyncio.get_running_loop() is loop
"""

FACTORIES_OURS: Final = """
    import asyncio
    import uvloop
    from looprig import loop_config

    class SelectorLoop(asyncio.SelectorEventLoop):
        pass

    loops = loop_config(
        factories={"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop, "selector": SelectorLoop}
    )
    kinds = {"uvloop": uvloop.Loop, "asyncio": asyncio.SelectorEventLoop, "selector": SelectorLoop}

    async def test_runs_on_it(request):
        assert isinstance(asyncio.get_running_loop(), kinds[request.node.callspec.id])
"""

THREAD_POOL: Final = """
    import asyncio
    import threading
    import pytest
    from aiomisc.thread_pool import ThreadPoolExecutor
    import concurrent.futures

    thread_pool_ids = ('aiomisc pool', 'default pool')
    thread_pool_implementation = (ThreadPoolExecutor,
                                  concurrent.futures.ThreadPoolExecutor)

    @pytest.fixture(params=thread_pool_implementation, ids=thread_pool_ids)
    def thread_pool_executor(request):
        return request.param

    async def test_runs_in_it(loop, thread_pool_executor):
        thread = await loop.run_in_executor(None, threading.current_thread)
        assert thread is not threading.main_thread()

    async def test_without_naming_it(request):
        assert await asyncio.to_thread(sum, [1, 2]) == 3
        assert request.node.callspec.id in thread_pool_ids
"""

ENTRYPOINT_KWARGS: Final = """
    import aiomisc
    import pytest

    @pytest.fixture
    def entrypoint_kwargs() -> dict:
        return dict(log_config=False)

    async def test_is_used(entrypoint):
        assert isinstance(entrypoint.aiomisc, aiomisc.entrypoint)
"""

ENTRYPOINT_KWARGS_OURS: Final = """
    import pytest

    @pytest.fixture
    def entrypoint_kwargs() -> dict[str, object]:
        return {"start_timeout": 5}

    async def test_is_used(entrypoint):
        assert entrypoint.services == ()
"""

TEST_CLIENT: Final = """
    import aiohttp
    import aiohttp.web
    import pytest
    from aiohttp.test_utils import TestClient, TestServer
    from aiomisc.service.aiohttp import AIOHTTPService

    class REST(AIOHTTPService):
        async def create_application(self):
            async def ping(request):
                return aiohttp.web.json_response({'ping': 'pong'})

            self.app = aiohttp.web.Application()
            self.app.router.add_get('/ping', ping)
            return self.app

    @pytest.fixture
    def rest_port(aiomisc_unused_port_factory):
        return aiomisc_unused_port_factory()

    @pytest.fixture
    def rest_service(rest_port):
        return REST(address='127.0.0.1', port=rest_port)

    @pytest.fixture
    def services(rest_service):
        return [rest_service]

    @pytest.fixture
    def api_service(rest_service, entrypoint):
        return rest_service

    @pytest.fixture
    async def api_client(api_service, aiomisc_unused_port):
        test_srv = TestServer(
            app=api_service.app,
            port=aiomisc_unused_port,
        )

        async with TestClient(test_srv) as client:
            yield client

    async def test_ping(api_client):
        async with api_client.get('/ping') as response:
            assert await response.json() == {'ping': 'pong'}

    async def test_ping_the_service_itself(api_service, rest_port):
        async with aiohttp.ClientSession() as session:
            async with session.get(f'http://127.0.0.1:{rest_port}/ping') as response:
                assert await response.json() == {'ping': 'pong'}
"""

TEST_CLIENT_OURS: Final = """
    from dataclasses import dataclass
    from aiohttp import web
    from looprig import AiohttpService, TestClient, service_fixture

    @service_fixture
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self) -> web.Application:
            async def ping(request: web.Request) -> web.Response:
                return web.json_response({"ping": "pong"})

            app = web.Application()
            app.router.add_get("/ping", ping)
            return app

    async def test_ping(api: TestClient[Rest]) -> None:
        assert await api.get("/ping", into=dict[str, str], status=200) == {"ping": "pong"}
"""


@pytest.mark.parametrize(
    ("suite", "passed", "failed"),
    [
        pytest.param(BASIC, 3, 0, id="basic usage"),
        pytest.param(WIDER_LOOP, 2, 0, id="wider loop"),
        pytest.param(WIDER_LOOP_OURS, 2, 0, id="wider loop, in looprig's words"),
        pytest.param(MARKERS, 1, 1, id="markers"),
        pytest.param(DEFAULT_CONTEXT, 2, 0, id="default context"),
        pytest.param(SERVICES, 2, 0, id="services"),
        pytest.param(SERVICES_OURS, 2, 0, id="services, in looprig's words"),
        pytest.param(POLICY, 6, 0, id="event loop policy"),
        pytest.param(FACTORIES_OURS, 3, 0, id="event loop policy, in looprig's words"),
        pytest.param(THREAD_POOL, 4, 0, id="thread pool"),
        pytest.param(ENTRYPOINT_KWARGS, 1, 0, id="entrypoint arguments"),
        pytest.param(ENTRYPOINT_KWARGS_OURS, 1, 0, id="entrypoint arguments, in looprig's words"),
        pytest.param(TEST_CLIENT, 2, 0, id="aiohttp test client"),
        pytest.param(TEST_CLIENT_OURS, 1, 0, id="aiohttp test client, in looprig's words"),
    ],
)
def test_an_example_of_aiomisc_runs(pytester: pytest.Pytester, suite: str, passed: int, failed: int) -> None:
    result = run_apart(pytester, suite, POLICIES_ARE_DEPRECATED)
    result.assert_outcomes(passed=passed, failed=failed)


def test_an_error_that_nobody_awaits_is_told(pytester: pytest.Pytester) -> None:
    result = run_apart(pytester, MARKERS)
    result.stdout.fnmatch_lines(["*BackgroundError: 1 exception(s) reached * during test_with_errors:"])
