"""A run loads what it uses: a number of modules for each kind of suite."""

import pytest

from tests.plugin.suite import output, run_apart

CONFTEST = """
import sys

def pytest_unconfigure(config):
    loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "looprig")
    print(*loaded, sep="\\n")
    assert len(loaded) <= {most}, loaded
"""


@pytest.mark.parametrize(
    ("suite", "most"),
    [
        pytest.param("def test_it(): ...", 7, id="a sync test"),
        pytest.param("import asyncio\ndef test_it():\n    asyncio.run(asyncio.sleep(0))", 7, id="one that runs a loop"),
        pytest.param("import unittest\nclass It(unittest.TestCase):\n    def test_it(self): ...", 7, id="unittest"),
        pytest.param("async def test_it(): ...", 73, id="an async test"),
    ],
)
def test_a_suite_loads_no_more_modules_than_it_needs(pytester: pytest.Pytester, suite: str, most: int) -> None:
    result = run_apart(pytester, {"conftest.py": CONFTEST.format(most=most), "test_it.py": suite}, "-s")
    assert result.ret == 0, output(result)


def test_python_loads_nearly_all_modules_as_usual(pytester: pytest.Pytester) -> None:
    """Pytest would compile each of them again wherever it can't cache its byte code."""
    conftest = """
    import sys
    from _pytest.assertion.rewrite import AssertionRewritingHook

    def pytest_unconfigure(config):
        modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "looprig"]
        rewritten = [each.__name__ for each in modules if isinstance(each.__spec__.loader, AssertionRewritingHook)]
        assert len(modules) > 55, modules
        assert len(rewritten) < 8, rewritten
    """
    result = run_apart(pytester, {"conftest.py": conftest, "test_it.py": "async def test_it(): ..."})
    assert result.ret == 0, output(result)


@pytest.mark.parametrize("heavy", ["aiohttp", "uvloop", "msgspec", "pydantic", "mypy", "uvicorn"])
def test_an_async_test_loads_nothing_heavy(pytester: pytest.Pytester, heavy: str) -> None:
    conftest = f"import sys\ndef pytest_unconfigure(config):\n    assert {heavy!r} not in sys.modules"
    result = run_apart(pytester, {"conftest.py": conftest, "test_it.py": "async def test_it(): ..."})
    assert result.ret == 0, output(result)
