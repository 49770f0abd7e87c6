"""unittest's classes: async methods that it never awaits are errors, and so is a second loop under its tests."""

import pytest

from tests.plugin.suite import output, run, run_apart

HEAD = """
import asyncio
import inspect
import unittest
import pytest

@pytest.fixture(scope="module")
async def wide():
    yield 1
"""


@pytest.mark.parametrize(
    ("base", "method", "fix"),
    [
        ("TestCase", "test_it", "Derive TestIt from unittest.IsolatedAsyncioTestCase, which awaits it"),
        ("TestCase", "setUp", "Derive TestIt from unittest.IsolatedAsyncioTestCase, and call it asyncSetUp"),
        ("TestCase", "tearDown", "Derive TestIt from unittest.IsolatedAsyncioTestCase, and call it asyncTearDown"),
        ("TestCase", "setup_method", "Derive TestIt from unittest.IsolatedAsyncioTestCase, and call it asyncSetUp"),
        ("IsolatedAsyncioTestCase", "setUp", "Call it asyncSetUp: unittest awaits that."),
        ("IsolatedAsyncioTestCase", "tearDown", "Call it asyncTearDown: unittest awaits that."),
        ("IsolatedAsyncioTestCase", "teardown_method", "Call it asyncTearDown: unittest awaits that."),
        ("IsolatedAsyncioTestCase", "setUpClass", "Make it a plain method, which may use asyncio.run"),
        ("IsolatedAsyncioTestCase", "tearDownClass", "Make it a plain method, which may use asyncio.run"),
    ],
)
def test_what_unittest_never_awaits_is_refused(pytester: pytest.Pytester, base: str, method: str, fix: str) -> None:
    decorator = "@classmethod" if method.endswith("Class") else ""
    result = run(
        pytester,
        HEAD
        + f"""
class TestIt(unittest.{base}):
    {decorator}
    async def {method}(self):
        assert False

    def test_other(self): ...
""",
    )
    assert result.ret != 0
    assert result.parseoutcomes().get("passed", 0) == 0 or method == "test_it"  # then it affects no other test
    text = output(result)
    assert f"TestIt.{method} is async: unittest calls it and never awaits it." in text
    assert f"test_it.py:{12 if decorator else 13}: TestIt.{method}" in text
    assert fix in text


def test_each_refusal_names_its_parties_and_a_way_out(pytester: pytest.Pytester) -> None:
    """The exact text."""
    text = output(
        run(
            pytester,
            HEAD
            + """
class TestPlain(unittest.TestCase):
    async def test_it(self): ...

class TestIsolated(unittest.IsolatedAsyncioTestCase):
    async def setUp(self): ...

    @pytest.mark.usefixtures("wide")
    async def test_wide(self): ...
""",
        )
    )
    for error in (
        """\
TestPlain.test_it is async: unittest calls it and never awaits it.
  test_it.py:12: TestPlain.test_it
  test_it.py:11: TestPlain
Derive TestPlain from unittest.IsolatedAsyncioTestCase, which awaits it; or from no class, and looprig runs it.
""",
        """\
TestIsolated.setUp is async: unittest calls it and never awaits it.
  test_it.py:15: TestIsolated.setUp
Call it asyncSetUp: unittest awaits that.
""",
        """\
test_wide is run by unittest, as TestIsolated is an IsolatedAsyncioTestCase, and wide, which it uses, by looprig: \
they would be on different loops.
  test_it.py:17: test_wide
  test_it.py:7: wide
Let one of them run both: derive TestIsolated from no class, and looprig runs its tests; or set up in asyncSetUp \
what wide provides.
""",
    ):
        assert error in text


def test_an_async_set_up_of_a_module_is_refused_around_test_cases_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD + "async def setUpModule(): ...\n\nclass TestIt(unittest.TestCase):\n    def test_it(self): ...\n",
    )
    assert "setUpModule is async: pytest calls it and never awaits it." in output(result)


def test_classes_that_await_in_a_way_of_their_own_are_left_alone(pytester: pytest.Pytester) -> None:
    """Django's TestCase awaits async tests, for example; and skipped tests aren't judged."""
    run(
        pytester,
        HEAD
        + """
ran = []

class Base(unittest.TestCase):
    def __call__(self, result=None):
        method = getattr(self, self._testMethodName)
        if inspect.iscoroutinefunction(method):
            setattr(self, self._testMethodName, lambda: asyncio.run(method()))
        return super().__call__(result)

class TestAwaits(Base):
    async def test_it(self):
        ran.append("it")

class Own(unittest.TestCase):
    def _callTestMethod(self, method):
        asyncio.run(method())

class TestOwn(Own):
    async def test_own(self):
        ran.append("own")

@unittest.skip("not now")
class TestSkipped(unittest.TestCase):
    async def setUp(self): ...
    async def test_it(self): ...

class TestIsolated(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        await asyncio.sleep(0)

    def setUp(self): ...

    async def test_isolated(self):
        ran.append("isolated")

def test_last():
    assert sorted(ran) == ["isolated", "it", "own"]
""",
    ).assert_outcomes(passed=4, skipped=1)


@pytest.mark.parametrize("fixture", ["usefixtures", "autouse", "a method", "through a sync one"])
def test_an_isolated_test_case_cannot_use_async_fixtures(pytester: pytest.Pytester, fixture: str) -> None:
    inside = {
        "autouse": "@pytest.fixture(autouse=True)\n    async def around(self): yield",
        "a method": "@pytest.fixture(autouse=True)\n    def around(self, wide): yield",
    }.get(fixture, "")
    above = {
        "usefixtures": '@pytest.mark.usefixtures("wide")',
        "through a sync one": '@pytest.fixture\ndef over(wide): ...\n\n@pytest.mark.usefixtures("over")',
    }.get(fixture, "")
    name = "around" if fixture == "autouse" else "wide"
    result = run(
        pytester,
        HEAD
        + f"""
{above}
class TestIt(unittest.IsolatedAsyncioTestCase):
    {inside}

    async def test_it(self): ...
""",
    )
    assert result.ret != 0
    text = output(result)
    assert "test_it is run by unittest, as TestIt is an IsolatedAsyncioTestCase, and " in text
    assert f"{name}, which it uses, by looprig: they would be on different loops." in text
    assert "Let one of them run both: " in text


def test_a_plain_test_case_may_use_async_fixtures(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.mark.usefixtures("wide")
class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def around(self, wide):
        self.value = wide

    def test_it(self):
        assert self.value == 1
""",
    ).assert_outcomes(passed=1)


def test_an_isolated_test_may_use_what_the_suites_own_loop_made(pytester: pytest.Pytester) -> None:
    """Nothing of looprig's is used, so the suite behaves as without looprig."""
    result = run(
        pytester,
        """
        import asyncio
        import unittest
        import pytest

        @pytest.fixture
        def loop():
            made = asyncio.new_event_loop()
            yield made
            made.close()

        @pytest.fixture
        def answer(loop):
            return loop.run_until_complete(asyncio.sleep(0, 42))

        class TestIt(unittest.IsolatedAsyncioTestCase):
            @pytest.fixture(autouse=True)
            def keep(self, answer):
                self.answer = answer

            async def test_it(self):
                assert self.answer == 42
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("method", ["test_it", "setUp"])
def test_it_is_refused_where_nothing_else_is_async(pytester: pytest.Pytester, method: str) -> None:
    """In a process of its own: what others import may have begun looprig's work already."""
    text = output(
        run_apart(
            pytester,
            f"""
            import unittest

            class TestIt(unittest.TestCase):
                async def {method}(self): ...
                def test_other(self): ...
            """,
        )
    )
    assert f"TestIt.{method} is async: unittest calls it and never awaits it." in text


def test_a_service_is_named_after_its_class(pytester: pytest.Pytester) -> None:
    """Not after the fixture that looprig has made of it, which nobody has written."""
    text = output(
        run(
            pytester,
            HEAD
            + """
from dataclasses import dataclass
from looprig import service_fixture

@service_fixture
class Queue:
    async def start(self): ...
    async def stop(self): ...

@service_fixture(autouse=True)
@dataclass
class Clean:
    queue: Queue
    async def start(self): ...
    async def stop(self): ...

class TestIsolated(unittest.IsolatedAsyncioTestCase):
    async def test_it(self): ...
""",
        )
    )
    assert "_looprig" not in text
    assert "what Queue provides" in text
