"""Suites of aiomisc's own pytest plugin that looprig runs in its place."""

from collections.abc import Sequence
from typing import Final

import pytest

from tests.compat import test_aiomisc_examples as examples
from tests.peers.test_adoption import OURS
from tests.peers.test_owners import beside
from tests.plugin.suite import POLICIES_ARE_DEPRECATED, output, run_apart

SUITE: Final = (
    OURS
    + """
import aiomisc
from looprig import service_fixture

class Foreign(aiomisc.Service):
    async def start(self):
        self.seen = await aiomisc.get_context()["foo"]

class Own:
    async def start(self):
        self.loop = here()

    async def stop(self): ...

@pytest.fixture
def default_context():
    return {"foo": "bar"}

@pytest.fixture
def services():
    return [Foreign(), Own()]

@pytest.fixture
def aiomisc_socket_factory():
    return "the suite's own"

@pytest.fixture(scope="module")
async def wide():
    yield here()
"""
)


def options(*more: str) -> Sequence[str]:
    return (*more, *beside("aiomisc"), POLICIES_ARE_DEPRECATED, "-Wignore::pytest.PytestRemovedIn10Warning")


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_its_fixtures_give_what_the_dialect_gives(pytester: pytest.Pytester) -> None:
    suite = (
        SUITE
        + """
from looprig.aiomisc.proxy import AiomiscProxy

async def test_services(services, entrypoint, event_loop, loop, wide):
    assert is_ours()
    assert event_loop is loop is entrypoint.loop is services[1].loop is wide is here()
    assert services[0].seen == "bar"
    assert isinstance(entrypoint, aiomisc.entrypoint)

async def test_services_are_started_later(entrypoint):
    started = []

    async def note(*, entrypoint, services):
        started.extend(services)

    entrypoint.pre_start = entrypoint.pre_start.copy()
    entrypoint.pre_start.connect(note)
    entrypoint.pre_start.freeze()
    service = Foreign()
    await entrypoint.start_services(service)
    assert started == [service]
    assert service.seen == "bar"

async def test_network(tcp_proxy, aiomisc_unused_port_factory, aiomisc_unused_port, localhost):
    assert tcp_proxy is AiomiscProxy
    assert aiomisc_unused_port_factory() != aiomisc_unused_port
    assert localhost in {"127.0.0.1", "::1"}

async def test_what_the_suite_overrides_is_its_own(aiomisc_socket_factory):
    assert aiomisc_socket_factory == "the suite's own"

def test_sync(event_loop, services):
    assert event_loop is asyncio.get_event_loop()
    assert event_loop.run_until_complete(asyncio.sleep(0, 5)) == 5
    assert services[1].loop is event_loop

def test_sync_that_names_no_loop():
    assert not asyncio.get_event_loop().is_closed()
"""
    )
    result = run_apart(pytester, suite, *options("--adopt"))
    result.assert_outcomes(passed=6)
    assert "looprig: runs the tests and fixtures of aiomisc-pytest in its place" in output(result)


def test_what_only_it_has_stays_as_it_is(pytester: pytest.Pytester) -> None:
    suite = (
        OURS
        + """
import socket
import aiomisc

async def test_it(aiomisc_socket_factory, event_loop, thread_pool_executor, thread_pool_size):
    assert is_ours()
    assert isinstance(aiomisc_socket_factory().socket, socket.socket)
    assert thread_pool_executor is aiomisc.ThreadPoolExecutor
    assert thread_pool_size == 7
    assert event_loop.get_debug()
    assert await event_loop.run_in_executor(None, sum, [1, 2]) == 3
    assert type(event_loop).__module__.startswith("uvloop")
"""
    )
    pytest.importorskip("uvloop")
    result = run_apart(pytester, suite, *options("--adopt", "--aiomisc-debug", "--aiomisc-pool-size=7"))
    result.assert_outcomes(passed=1)


def test_its_time_limit_and_its_wrapper_of_tests_are_obeyed(pytester: pytest.Pytester) -> None:
    suite = (
        OURS
        + """
import functools
import aiomisc

class TestWithoutEither:
    async def test_is_not_limited(self):
        await asyncio.sleep(0.3)

class TestLimit:
    @pytest.fixture(autouse=True)
    def limit(self, aiomisc_test_timeout):
        assert aiomisc_test_timeout == 0.05

    async def test_hangs(self):
        assert is_ours()
        await asyncio.Event().wait()

    async def test_is_quick(self, request):
        assert request.node.name == "test_is_quick"

class TestLimitOfTheSuite:
    @pytest.fixture
    def aiomisc_test_timeout(self):
        return None

    async def test_is_not_limited(self, aiomisc_test_timeout):
        await asyncio.sleep(0.3)

class TestWrapper:
    wrapped = []

    @pytest.fixture
    def aiomisc_func_wrap(self):
        def wrap(function):
            @functools.wraps(function)
            async def call(**arguments):
                self.wrapped.append((function.__name__, arguments))
                return await aiomisc.timeout(5)(function)(**arguments)

            return call

        return wrap

    @pytest.mark.parametrize("number", [7])
    async def test_it(self, number):
        assert self.wrapped == [("test_it", {"number": 7})]
"""
    )
    result = run_apart(pytester, suite, *options("--adopt", "--aiomisc-test-timeout=0.05", "-p", "no:timeout"))
    result.assert_outcomes(passed=4, failed=1)
    assert "TestLimit::test_hangs - TimeoutError" in output(result)


PARAMETRIZED: Final = """
import asyncio
import concurrent.futures
import aiomisc
import pytest

@pytest.fixture(params=[aiomisc.ThreadPoolExecutor, concurrent.futures.ThreadPoolExecutor], ids=["own", "default"])
def thread_pool_executor(request):
    return request.param

@pytest.fixture(params=[asyncio.SelectorEventLoop, type("Other", (asyncio.SelectorEventLoop,), {})])
def event_loop(request, thread_pool_executor):
    loop = request.param()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()

async def test_async(event_loop): ...

def test_sync(): ...

@pytest.mark.parametrize("number", [1, 2])
class TestClass:
    def test_sync(self, number): ...

    async def test_async(self, number, event_loop):
        assert asyncio.get_running_loop() is event_loop
"""


@pytest.mark.parametrize("suite", [PARAMETRIZED, examples.THREAD_POOL, examples.POLICY], ids=["loop", "pool", "policy"])
def test_ids_and_order_stay(pytester: pytest.Pytester, suite: str) -> None:
    pytest.importorskip("uvloop")
    if suite == examples.THREAD_POOL:
        suite += "\n    def test_sync(): ...\n"
    own = run_apart(pytester, suite, *options("--collect-only", "-q", "-p", "no:looprig"))
    adopted = run_apart(pytester, suite, *options("--adopt", "--collect-only", "-q"))
    assert ids(adopted) == ids(own)
    result = run_apart(pytester, suite, *options("--adopt"))
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == len(ids(adopted))


@pytest.mark.parametrize(
    ("suite", "passed", "failed"),
    [
        pytest.param(examples.BASIC, 3, 0, id="basic usage"),
        pytest.param(examples.WIDER_LOOP, 2, 0, id="wider loop"),
        pytest.param(examples.WIDER_LOOP_OURS, 2, 0, id="wider loop, in looprig's words"),
        pytest.param(examples.MARKERS, 1, 1, id="markers"),
        pytest.param(examples.DEFAULT_CONTEXT, 2, 0, id="default context"),
        pytest.param(examples.SERVICES, 2, 0, id="services"),
        pytest.param(examples.SERVICES_OURS, 2, 0, id="services, in looprig's words"),
        pytest.param(examples.THREAD_POOL, 4, 0, id="thread pool"),
        pytest.param(examples.ENTRYPOINT_KWARGS.replace("entrypoint.aiomisc", "entrypoint"), 1, 0, id="entrypoint"),
        pytest.param(examples.ENTRYPOINT_KWARGS_OURS, 1, 0, id="entrypoint arguments, in looprig's words"),
        pytest.param(examples.TEST_CLIENT, 2, 0, id="aiohttp test client"),
        pytest.param(examples.TEST_CLIENT_OURS, 1, 0, id="aiohttp test client, in looprig's words"),
    ],
)
def test_an_example_of_its_documentation_runs(pytester: pytest.Pytester, suite: str, passed: int, failed: int) -> None:
    result = run_apart(pytester, suite, *options("--adopt"))
    result.assert_outcomes(passed=passed, failed=failed)


def test_a_suite_moves_folder_by_folder(pytester: pytest.Pytester) -> None:
    suite = {
        "conftest.py": "",
        "new/conftest.py": "from looprig import loop_config\nloop_config(adopt='aiomisc')\n",
        "new/test_new.py": SUITE + "async def test_it(entrypoint, services):\n    assert is_ours()\n",
        "old/test_old.py": OURS
        + "async def test_it(entrypoint, event_loop):\n    assert not is_ours()\n    assert event_loop is here()\n"
        + "def test_sync(entrypoint, event_loop):\n    assert not event_loop.is_running()\n",
    }
    result = run_apart(pytester, suite, *options())
    result.assert_outcomes(passed=3)
