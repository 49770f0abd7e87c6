"""`default_context`, `services` and the entrypoint: declared once, available in each test."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    import pytest
    from looprig import Key, current_context, service_fixture

    told = []

    class Life:
        def __init__(self, name="life"):
            self.name = name
        async def start(self):
            told.append("+" + self.name)
        async def stop(self):
            told.append("-" + self.name)
"""


def test_what_default_context_has_is_read_back_by_services_and_tests(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    DSN = Key[str]("dsn")

    class Reads(Life):
        async def start(self):
            self.seen = current_context().get(DSN)
            current_context().set("ready", True)

    @service_fixture
    class Own:
        async def run(self):
            self.seen = current_context().get("dsn")
            yield
            assert current_context().get("dsn") == "changed"

    @pytest.fixture
    def default_context(): return {"dsn": "here"}

    @pytest.fixture
    def services(): return [Reads()]

    async def test_1(services, own):
        assert services[0].seen == own.seen == "here"
        assert current_context().get(DSN) == "here"
        assert await current_context().wait("ready") is True
        current_context().set("dsn", "changed")
        with pytest.raises(Exception, match="The context has no 'nothing'; it has dsn, ready."):
            current_context().get("nothing")

    def test_2():
        assert current_context().get("dsn") == "here"
    """,
    )
    result.assert_outcomes(passed=2)


def test_there_is_none_where_nothing_is_overridden(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_it():
        with pytest.raises(Exception, match="There is no context here"):
            current_context()
    """,
    )
    result.assert_outcomes(passed=1)


def test_waiting_for_a_value_that_another_sets(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_it(entrypoint):
        context = current_context()
        assert context is entrypoint.context
        waiting = [asyncio.ensure_future(context.wait("x")) for _ in range(2)]
        gone = asyncio.ensure_future(context.wait("x"))
        await asyncio.sleep(0)
        gone.cancel()
        context.set("x", 1)
        context.set("x", 2)
        assert await asyncio.gather(*waiting) == [2, 2]
        assert "x" in context and list(context) == ["x"] and 3 not in context
    """,
    )
    result.assert_outcomes(passed=1)


def test_services_start_in_order_and_stop_in_reverse_where_they_are_overridden(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        {
            "test_with.py": HEAD
            + """
    @pytest.fixture
    def services():
        yield (Life(name) for name in "ab")

    def test_sync(): assert told == ["+a", "+b"]
    async def test_async(): assert told == ["+a", "+b", "-b", "-a", "+a", "+b"]

    class TestNone:
        @pytest.fixture
        def services(self): return ()
        async def test_none(self): assert told[-2:] == ["-b", "-a"]
    """,
            "test_without.py": HEAD + "    def test_it(): assert told == []",
        },
    )
    result.assert_outcomes(passed=4)


def test_of_several_the_earlier_stop_when_a_later_one_does_not_start(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    class Breaks(Life):
        async def start(self): raise OSError("no disk")

    @pytest.fixture
    def services(): return [Life("a"), Breaks(), Life("c")]
    async def test_1(): ...

    class TestAfter:
        @pytest.fixture
        def services(self): return []
        def test_2(self): assert told == ["+a", "-a"]
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "Service Breaks did not start: OSError: no disk." in output(result)


@pytest.mark.parametrize("test", ["def test_it(): assert told == ['+life']", "def test_it(entrypoint): ..."])
def test_a_suite_that_has_nothing_async_but_its_services(pytester: pytest.Pytester, test: str) -> None:
    result = run(
        pytester,
        f"{HEAD}\n    @pytest.fixture\n    def services(): return [Life()]\n    {test}",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("def services(): return [Life]", "`services` contains the class Life, not an instance of it."),
        ("def services(): return [object()]", "object has no lifecycle, so it cannot be started and stopped."),
        ("def entrypoint_kwargs(): return {'start_timeout': 0}", "entrypoint_kwargs was given start_timeout=0."),
        ("def entrypoint_kwargs(): return 5", "entrypoint_kwargs returned 5, which isn't a mapping."),
        ("def entrypoint_kwargs(): return {'pool_size': 2}", "entrypoint_kwargs has pool_size, which only aiomisc's"),
    ],
)
def test_a_wrong_override_is_told(
    pytester: pytest.Pytester, override: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "aiomisc", raising=False)
    result = run(pytester, f"{HEAD}\n    @pytest.fixture\n    {override}\n    async def test_it(): ...")
    result.assert_outcomes(errors=1)
    text = output(result)
    assert told in text
    assert "TypeError" not in text


def test_a_time_limit_for_services(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    class Late(Life):
        async def start(self): await asyncio.Event().wait()
    @pytest.fixture
    def services(): return [Late()]
    @pytest.fixture
    def entrypoint_kwargs(): return {"start_timeout": 0.05}
    async def test_it(): ...
    """,
    )
    result.assert_outcomes(errors=1)
    assert "Service Late was not ready within 0.05 s." in output(result)


def test_services_of_aiomisc_and_native_ones_side_by_side(pytester: pytest.Pytester) -> None:
    pytest.importorskip("aiomisc")
    result = run(
        pytester,
        HEAD
        + """
    import aiomisc

    class Theirs(aiomisc.Service):
        async def start(self):
            self.seen = await self.context["dsn"]
            told.append("+theirs")
            self.start_event.set()
            await asyncio.Event().wait()
        async def stop(self, exception=None):
            told.append("-theirs")

    class Waits(aiomisc.Service):
        # aiomisc's services may wait for each other: they start side by side.
        async def start(self):
            await self.context["later"]
    class Gives(aiomisc.Service):
        async def start(self):
            self.context["later"] = 1

    @pytest.fixture
    def services(): return [Life("native"), Theirs(), Waits(), Gives()]

    @pytest.fixture
    def default_context(): return {"dsn": "here"}

    @pytest.fixture
    def entrypoint_kwargs(): return {"log_config": False, "pool_size": 2}

    async def test_1(services, entrypoint):
        assert told == ["+theirs", "+native"]
        assert services[1].seen == "here"
        assert await aiomisc.get_context()["dsn"] == "here" == current_context().get("dsn")
        assert entrypoint.aiomisc.ctx is aiomisc.get_context()

    class TestAfter:
        @pytest.fixture
        def services(self): return []
        async def test_2(self): assert told == ["+theirs", "+native", "-native", "-theirs"]
    """,
    )
    result.assert_outcomes(passed=2)
