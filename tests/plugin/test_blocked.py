"""Code that blocks the thread past its time limit is broken off, and the error says what can't answer meanwhile."""

import re
import time

import pytest

from tests.plugin.suite import output
from tests.plugin.suite import run_apart as run

HEAD = """
    import asyncio
    import time
    import urllib.request
    from dataclasses import dataclass

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, ProcessService, Proxy, TestClient, service_fixture

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self) -> web.Application:
            return web.Application()

    pytestmark = pytest.mark.loop_timeout(0.2)

    def blocks():
        time.sleep(60)
"""
BLOCKED = "It did not wait on the loop: something in it blocked the thread."
WHY = "Rest (test_it.py:11) runs on the loop of this test, which stands still while sync code runs, so a sync client*"
HOW = (
    "*In an async test, use TestClient?Rest?, or call the sync client in a thread: await asyncio.to_thread(...). "
    "For sync tests, declare Rest with @service_fixture(in_thread=True)."
)


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_sync_client_in_a_sync_test(pytester: pytest.Pytester, scope: str) -> None:
    began = time.monotonic()
    suite = HEAD.replace('scope="module"', f'scope="{scope}"') + (
        """
    def test_it(rest: Rest):
        urllib.request.urlopen(rest.url)

    async def test_next(api: TestClient[Rest]):
        await api.get("/", status=404)
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([
        ">*urllib.request.urlopen(rest.url)",
        "E*TimeoutExpiredError: The call of test_it took longer than 0.2 s.",
        f"E*{BLOCKED}",
        f"E*{WHY}{HOW}",
    ])  # fmt: skip
    assert time.monotonic() - began < 30


def test_in_an_async_test_and_in_fixtures(pytester: pytest.Pytester) -> None:
    began = time.monotonic()
    suite = (
        HEAD
        + """
    async def test_call(rest: Rest):
        urllib.request.urlopen(rest.url)

    @pytest.fixture
    def sync(rest: Rest): blocks()

    @pytest.fixture
    def asks(request): blocks()

    @pytest.fixture
    async def fixture(rest: Rest): blocks()

    @pytest.fixture
    async def ends(rest: Rest):
        yield
        blocks()

    def test_sync_set_up(sync): ...
    async def test_asking_set_up(rest: Rest, asks): ...
    async def test_set_up(fixture): ...

    async def test_in_a_callback(rest: Rest):
        asyncio.get_running_loop().call_soon(blocks)
        await asyncio.sleep(30)

    async def test_in_another_task(rest: Rest):
        async def other(): blocks()
        task = asyncio.create_task(other())
        await asyncio.sleep(30)

    def test_stubborn(rest: Rest):
        try:
            blocks()
        except Exception:
            blocks()

    @pytest.mark.loop_timeout(30)
    async def test_after(api: TestClient[Rest]):
        await api.get("/", status=404)
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=1, failed=4, errors=3)
    text = output(result)
    assert text.count("In an async test, use TestClient[Rest]") >= 5, text
    for what in (
        "The call of test_call took longer",
        "The set-up of test_sync_set_up took longer than 0.2 s, in the set-up of fixture sync.",
        "The set-up of test_asking_set_up took longer than 0.2 s, in the set-up of fixture asks.",
        "The set-up of test_set_up took longer than 0.2 s, in the set-up of fixture fixture.",
        "The call of test_in_a_callback took longer",
        "The call of test_in_another_task took longer",
        "The call of test_stubborn took longer",
    ):
        assert what in text
    assert time.monotonic() - began < 45


def test_through_a_proxy_and_beside_a_process(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    import sys

    @service_fixture
    class Sleeps(ProcessService):
        def command(self): return [sys.executable, "-c", "import time; time.sleep(60)"]
        async def ready(self): ...

    def test_proxy(proxy: Proxy[Rest]):
        urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}/")

    def test_process(sleeps: Sleeps):
        blocks()
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(failed=2)
    text = output(result)
    assert "Proxy[Rest] (test_it.py:11) and Rest (test_it.py:11) run on the loop of this test" in text
    assert "use TestClient[Proxy[Rest]]" in text
    assert text.count("on the loop of this test") == 1, text


def test_only_what_speaks_http_is_named(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD.replace("0.2", "1")
        + """
    from typing import Annotated
    from looprig import TcpService, Through, proxy_fixture

    @service_fixture(scope="module")
    class Files:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Db(TcpService):
        async def handle(self, reader, writer): ...
        @property
        def url(self): return f"db://{self.host}"

    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class DbLink(Proxy[Db]): ...

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Shop(Rest):
        files: Files
        rest: Rest
        db: Annotated[Db, Through(DbLink)]

    def test_http(shop: Shop): blocks()
    def test_tcp(link: DbLink, files: Files): blocks()
    def test_other(files: Files): blocks()
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(failed=3)
    told = [line for line in output(result).splitlines() if "on the loop of this test" in line]
    named = [re.sub(r" \(test_it\.py:\d+\)", "", line.partition(" on the loop")[0]) for line in told]
    assert named == ["E       Shop and Rest run", "E       DbLink and Db run", "E       Files runs"]
    assert "TestClient[Shop]" in told[0]
    assert ["an async client" in line for line in told] == [False, True, True]


def test_it_is_not_a_ctrl_c(pytester: pytest.Pytester) -> None:
    """Nor does it meet code that isn't late: an operation that a sync test runs ends by itself."""
    suite = (
        HEAD
        + """
    @pytest.fixture
    async def slow():
        await asyncio.sleep(30)

    def test_asks(rest: Rest, request):
        request.getfixturevalue("slow")

    def test_in_time(rest: Rest):
        time.sleep(0.1)

    def test_no_limit_without_a_loop():
        time.sleep(0.4)
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*TimeoutExpiredError: The call of test_asks*in the set-up of fixture slow*"])
    assert "KeyboardInterrupt" not in output(result)


def test_on_uvloop(pytester: pytest.Pytester) -> None:
    pytest.importorskip("uvloop")
    suite = (
        HEAD
        + """
    async def test_call(rest: Rest):
        urllib.request.urlopen(rest.url)

    def test_sync(rest: Rest):
        urllib.request.urlopen(rest.url)
    """
    )
    result = run(pytester, suite, "--loop-factory=uvloop")
    result.assert_outcomes(failed=2)
    assert output(result).count("In an async test, use TestClient[Rest]") >= 2
