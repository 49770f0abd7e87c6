"""Services start concurrently, stop in reverse order, and report why one didn't start."""

import re

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    import logging
    from dataclasses import dataclass

    import pytest
    from looprig import service_fixture

    told = []

    class Life:
        async def start(self):
            told.append("+" + type(self).__name__)
        async def stop(self):
            told.append("-" + type(self).__name__)
"""


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_independent_services_start_side_by_side_and_dependents_after(pytester: pytest.Pytester, scope: str) -> None:
    """Each of the first two is ready only after the other has started."""
    result = run(
        pytester,
        HEAD
        + f"""
    began = {{}}
    SCOPE = "{scope}"
    def event(name):
        return began.setdefault(name, asyncio.Event())

    class Meets(Life):
        async def start(self):
            event(type(self).__name__).set()
            async with asyncio.timeout(10):
                await event(self.other).wait()
            await super().start()

    @service_fixture(scope=SCOPE)
    class A(Meets):
        other = "B"

    @service_fixture(scope=SCOPE)
    class B(Meets):
        other = "A"

    @service_fixture(scope=SCOPE)
    @dataclass
    class Needs(Life):
        a: A
        b: B

    async def test_order(needs, b, a):
        assert sorted(told[:2]) == ["+A", "+B"] and told[2:] == ["+Needs"]
    """,
    )
    result.assert_outcomes(passed=1)


def test_they_stop_one_after_the_other_in_reverse(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    class Slow(Life):
        async def stop(self):
            told.append("(" + type(self).__name__)
            for _ in range(5):
                await asyncio.sleep(0)
            told.append(")" + type(self).__name__)

    @service_fixture
    class A(Slow): ...
    @service_fixture
    class B(Slow): ...
    @service_fixture
    @dataclass
    class C(Slow):
        a: A
    @service_fixture
    @dataclass
    class D(Slow):
        c: C
        b: B

    async def test_start(a, b, c, d):
        told.append("test")

    def test_stop():
        stops = told[told.index("test") + 1:]
        for opened, closed in zip(stops[::2], stops[1::2]):
            assert opened[1:] == closed[1:], "one at a time"
        order = [name[1:] for name in stops[1::2]]
        assert order.index("D") < order.index("C") < order.index("A")
        assert order.index("D") < order.index("B")
    """,
    )
    result.assert_outcomes(passed=2)


def test_one_that_fails_while_another_starts(pytester: pytest.Pytester) -> None:
    """The one that was starting is ended, and the next test starts it again."""
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    class Waits:
        async def run(self):
            told.append("waits")
            try:
                if told.count("waits") == 1:
                    await asyncio.Event().wait()
                yield
            finally:
                told.append("ended")

    @service_fixture
    class Breaks:
        async def start(self):
            while "waits" not in told:
                await asyncio.sleep(0)
            raise OSError("no disk")
        async def stop(self): ...

    async def test_1(breaks, waits): ...
    async def test_2(): assert told == ["waits", "ended"]
    async def test_3(waits): assert told == ["waits", "ended", "waits"]
    """,
    )
    result.assert_outcomes(passed=2, errors=1)
    text = output(result)
    assert "Service Breaks did not start: OSError: no disk." in text
    assert text.count("ServiceStartError") < 4


@pytest.mark.parametrize("order", ["breaks, waits", "waits, breaks"])
@pytest.mark.parametrize("scope", ["function", "module"])
def test_of_two_that_fail_both_are_told(pytester: pytest.Pytester, order: str, scope: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    @service_fixture(scope="{scope}")
    class Waits(Life):
        async def start(self): raise KeyError("one")
    @service_fixture(scope="{scope}")
    class Breaks(Life):
        async def start(self): raise KeyError("two")
    async def test_1({order}): ...
    async def test_2(): assert told == []
    """,
    )
    result.assert_outcomes(passed=1, errors=2)
    text = output(result)
    assert "Service Waits did not start: KeyError: 'one'." in text
    assert "Service Breaks did not start: KeyError: 'two'." in text
    assert "never retrieved" not in text


def test_what_it_logged_is_told_also_from_child_tasks_and_of_nobody_else(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    log = logging.getLogger("app")

    @service_fixture(name="other")
    class Chatty(Life):
        async def start(self):
            log.warning("from another service")

    async def child():
        log.warning("the child says %s", "so")

    @service_fixture
    class Breaks(Life):
        async def start(self):
            log.error("cannot bind")
            log.warning("%d", "not a number") if 0 else None
            await asyncio.gather(child())
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("on the way")
            log.debug("is not shown at this level")
            raise RuntimeError

    async def test_it(breaks, other): ...
    """,
        "-p",
        "no:logging",
    )
    result.assert_outcomes(errors=1)
    text = output(result)
    assert "E   Service Breaks did not start: RuntimeError." in text.replace(
        "looprig.exceptions.ServiceStartError: ", ""
    ).replace("looprig.ServiceStartError: ", "")
    assert "    ERROR app: cannot bind\n" in text
    assert "    WARNING app: the child says so\n" in text
    assert "        raise ZeroDivisionError" not in text
    assert "    ERROR app: on the way\n" in text
    assert "ZeroDivisionError: division by zero" in text
    assert "from another service" not in text.split("It logged:")[1].split("test summary")[0]
    assert "is not shown" not in text.split("It logged:")[1]


def test_a_time_limit_to_start(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(start_timeout=0.05)
    class Late:
        async def run(self):
            try:
                await asyncio.Event().wait()
                yield
            finally:
                told.append("ended")

    @service_fixture(start_timeout=5)
    class Gives:
        async def start(self):
            raise TimeoutError("the service's own")
        async def stop(self): ...

    async def test_late(late): ...
    async def test_gives(gives): ...
    def test_ended(): assert told == ["ended"]
    """,
    )
    result.assert_outcomes(passed=1, errors=2)
    text = output(result)
    assert "Service Late was not ready within 0.05 s." in text
    assert "Service Gives did not start: TimeoutError: the service's own." in text


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("def __post_init__(self): raise ValueError('size')", "Service S did not start: ValueError: size."),
        ("async def run(self):\n            return\n            yield", "S.run ended without a yield."),
        ("async def run(self):\n            yield\n            yield", "S.run yielded twice."),
        ("def start(self) -> 'Awaitable[None]': ...", "S.start returned None, which cannot be awaited."),
        ("def stop(self) -> 'Awaitable[None]': ...", "S.stop returned None, which cannot be awaited."),
        ("def run(self) -> 'AsyncIterator[None]': ...", "S.run returned None, which isn't an async iterator."),
    ],
)
def test_a_service_that_breaks_the_rules_is_told_so(pytester: pytest.Pytester, service: str, told: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    @service_fixture
    @dataclass
    class S(Life):
        {service}
    async def test_it(s): ...
    """,
    )
    assert result.parseoutcomes()["errors"] == 1
    text = output(result)
    assert told in text
    assert "TypeError" not in text
    assert "test_it.py:17: S" in text


@pytest.mark.parametrize(
    ("base", "method", "told"),
    [
        ("AiohttpService", "def create_app(self): return web.Application()", "S.create_app returned a Application"),
        ("AsgiService", "def create_app(self): return print", "S.create_app returned a builtin_function_or_method"),
        ("TcpService", "def handle(self, reader, writer): writer.write(b'x')", "S.handle returned None"),
        (
            "ProcessService",
            "def command(self): return ['sleep', '60']\n        def ready(self): return True",
            "S.ready returned a bool",
        ),
    ],
)
def test_a_method_that_is_not_async_is_told(pytester: pytest.Pytester, base: str, method: str, told: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    import asyncio
    from aiohttp import web
    from looprig import AiohttpService, AsgiService, ProcessService, TcpService
    @service_fixture
    class S({base}):
        {method}
    async def test_it(s):
        reader, writer = await asyncio.open_connection(*s.address)
        writer.write(b"x")
        await reader.read()
        writer.close()
    """,
    )
    text = output(result)
    assert f"{told}, which cannot be awaited." in text
    name = told.partition(" ")[0]
    assert f": {name}\n" in text
    assert f"Write `async def {name.partition('.')[2]}`." in text


def test_a_context_manager_that_gives_something_else(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    class S:
        async def __aenter__(self): return 3
        async def __aexit__(self, *error): told.append("left")
    async def test_it(s): ...
    def test_left(): assert told == ["left"]
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "S.__aenter__ returned int, not the service itself." in output(result)


def test_the_text_of_an_error_ends_before_its_full_stop(pytester: pytest.Pytester) -> None:
    """Some libraries end theirs with empty lines."""
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    class Breaks(Life):
        async def start(self): raise RuntimeError("no disk\\nmount it\\n\\n")
    async def test_it(breaks): ...
    """,
    )
    text = output(result)
    assert re.search(r"did not start: RuntimeError: no disk\n +mount it\.\n", text), text
