"""A running service: its crash, its logs, its end."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    from dataclasses import dataclass, field

    import pytest
    from looprig import ask, service_fixture

    told = []

    @service_fixture(scope="module")
    @dataclass
    class Grouped:
        breaking: asyncio.Event = field(default_factory=asyncio.Event, init=False)
        async def run(self):
            try:
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(self.work())
                    yield
                    task.cancel()
            finally:
                told.append("left")
        async def work(self):
            await self.breaking.wait()
            raise OSError("the disk is gone")

    @service_fixture(scope="module")
    @dataclass
    class Front:
        grouped: Grouped
        async def start(self): told.append("front starts")
        async def stop(self): told.append("front stops")
"""


def test_a_crash_ends_the_test_that_uses_it_and_names_itself_to_later_ones(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_1(front):
        front.grouped.breaking.set()
        await asyncio.Event().wait()

    async def test_2(grouped): ...
    async def test_3(front): ...
    async def test_4(): assert told[:2] == ["front starts", "left"]
    """,
    )
    outcome = result.parseoutcomes()
    assert (outcome["passed"], outcome["failed"]) == (1, 1)
    text = output(result)
    assert "Fixture Grouped crashed while it was in use" in text
    assert "OSError: the disk is gone" in text
    assert "FAILED test_it.py::test_1" in text
    assert "ERROR test_it.py::test_2" in text
    assert "ERROR test_it.py::test_3" in text


def test_a_service_that_ends_cleanly_early_is_no_crash(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    class Scoped:
        async def run(self):
            self.task = asyncio.current_task()
            try:
                yield
            except asyncio.CancelledError:
                told.append("ended")

    async def test_1(scoped):
        scoped.task.cancel()
        while "ended" not in told:
            await asyncio.sleep(0)
    """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("lifecycle", ["run", "stop", "__aexit__"])
def test_an_error_at_the_end_is_told_and_others_end_all_the_same(pytester: pytest.Pytester, lifecycle: str) -> None:
    bodies = {
        "run": "async def run(self):\n            yield\n            raise OSError('cannot end')",
        "stop": "async def start(self): ...\n        async def stop(self): raise OSError('cannot end')",
        "__aexit__": "async def __aenter__(self): return self\n"
        "        async def __aexit__(self, *error): raise OSError('cannot end')",
    }
    result = run(
        pytester,
        HEAD
        + f"""
    @service_fixture
    class Other:
        async def start(self): ...
        async def stop(self): told.append("other")

    @service_fixture
    @dataclass
    class Breaks:
        other: Other
        {bodies[lifecycle]}

    async def test_1(breaks): ...
    def test_2(): assert told == ["other"]
    """,
    )
    result.assert_outcomes(passed=2, errors=1)
    assert "OSError: cannot end" in output(result)
    assert "lifecycle.py" not in output(result)


def test_asked_for_by_a_test_and_by_a_fixture(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    @dataclass
    class Late:
        size: int = 1
        async def start(self): told.append("+")
        async def stop(self): told.append("-")

    @pytest.fixture
    def size(): return 3

    @pytest.fixture
    async def asks(): return await ask(Late)

    async def test_1(asks):
        assert told == ["+"]
        assert await ask(Late) is asks
        assert asks.size == 3
        assert await ask("late") is asks

    async def test_2():
        assert told == ["+", "-"]
        with pytest.raises(Exception, match=r"ask\\(int\\): that isn't a service class"):
            await ask(int)
    """,
    )
    result.assert_outcomes(passed=2)


def test_asked_for_where_it_cannot_share_the_loop(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_1():
        await ask(Grouped)
    """,
    )
    result.assert_outcomes(failed=1)
    text = output(result)
    assert "test_1 asks for fixture Grouped" in text
    assert 'usefixtures("grouped")' in text


def test_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run(
        pytester,
        HEAD
        + """
    @pytest.mark.parametrize("number", range(6))
    async def test_it(front, number, grouped: Grouped): assert front.grouped is grouped
    async def test_breaks(grouped):
        grouped.breaking.set()
        await asyncio.Event().wait()
    """,
        "-p",
        "xdist",
        "-n2",
        "--dist=loadfile",
    )
    result.assert_outcomes(passed=6, failed=1)
    assert "the disk is gone" in output(result)


def test_asked_for_as_parameters_are(pytester: pytest.Pytester) -> None:
    """A client, a proxy, and what an `Annotated` says: each is what a parameter of that type would be."""
    result = run(
        pytester,
        """
    from dataclasses import dataclass
    from typing import Annotated

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, AskError, Proxy, TestClient, Through, ask, proxy_fixture, service_fixture
    from looprig.toxics import Latency

    @service_fixture
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self): return web.Application()

    async def test_client():
        api = await ask(TestClient[Rest])
        await api.get("/", status=404)
        assert api is await ask(TestClient[Rest])
        assert api.service is await ask(Rest)

    async def test_the_next_has_another_client(rest: Rest):
        api = await ask(TestClient[Rest])
        assert api.service is rest
        await api.get("/", status=404)

    async def test_proxy(rest: Rest, proxied: Proxy[Rest]):
        proxy = await ask(Proxy[Rest])
        assert proxy is proxied and proxy.port != rest.port

    async def test_client_of_a_proxy():
        api = await ask(TestClient[Proxy[Rest]])
        await api.get("/", status=404)
        assert api.service is await ask(Proxy[Rest])

    async def test_annotated():
        proxy = await ask(Proxy[Rest])
        behind = await ask(Annotated[Rest, Through()])
        assert behind.port == proxy.port
        api = await ask(Annotated[TestClient[Rest], Through()])
        assert api.service.port == proxy.port
        assert (await ask(TestClient[Rest])).service.port != proxy.port

    @pytest.fixture
    async def asks():
        return await ask(TestClient[Rest])

    async def test_in_a_fixture(asks):
        await asks.get("/", status=404)
        assert await ask("asks", TestClient[Rest]) is asks

    async def test_refused(asks):
        for wanted in (TestClient, Proxy, TestClient[int], Proxy[int], 5, None, Rest()):
            with pytest.raises(AskError, match="isn't a service class"):
                await ask(wanted)
        for kind in (5, "TestClient", int | str):
            with pytest.raises(AskError, match="the second argument isn't a class"):
                await ask("asks", kind)
        with pytest.raises(AskError, match="the fixture's value is a TestClient"):
            await ask("asks", int)
    """,
    )
    result.assert_outcomes(passed=7)
