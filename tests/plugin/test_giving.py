"""The value of a fixture, as far as that is known before its set-up."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Annotated, Any, Final
from unittest import mock

import pytest

from looprig.pytest_plugin.loops.meaning import is_meant, may_mean
from tests.plugin.suite import run


class Game:
    """A class whose loop isn't an event loop."""


class Loop(asyncio.SelectorEventLoop):
    """A suite's own class called Loop."""


def made_elsewhere() -> Any: ...


SUITE: Final = """
def annotated() -> asyncio.AbstractEventLoop: return made_elsewhere()
def annotated_in_quotes() -> "Iterator[asyncio.AbstractEventLoop]": yield made_elsewhere()
def annotated_at_length() -> Annotated[Loop, 1] | None: return made_elsewhere()
def for_checkers_alone() -> "Unknown": return made_elsewhere()
def called(): return asyncio.new_event_loop()
def called_by_its_name(): yield new_event_loop()
def of_a_policy(): return asyncio.get_event_loop_policy().new_event_loop()
def of_a_class(): return Loop()
def from_elsewhere(): return made_elsewhere()
def unwrapped(other): return other
def by_a_local_name():
    loop = new_event_loop()
    yield loop
    loop.close()
def by_a_context_manager():
    with made_elsewhere() as loop:
        yield loop
def inside():
    def make(): return 1
    return make()

def a_game() -> Game: return made_elsewhere()
def games() -> "Iterator[Game]": yield made_elsewhere()
def game_class(): return Game()
def literal(): return {"a": 1}
def nothing(): yield
def mocked(): return mock.MagicMock()
def game_by_a_local_name():
    loop = Game()
    return loop

def given(request): return request.param
"""
"""Fixtures as suites write them, mostly without annotations."""
CERTAIN: Final = {"a_game", "games", "game_class", "literal", "nothing", "mocked", "game_by_a_local_name"}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("suite") / "suite.py"
    path.write_text(SUITE, "utf-8")  # what a function returns is read from its source
    found: dict[str, Any] = {
        "asyncio": asyncio,
        "new_event_loop": asyncio.new_event_loop,
        "Annotated": Annotated,
        "Iterator": Iterator,
        "Game": Game,
        "Loop": Loop,
        "mock": mock,
        "made_elsewhere": made_elsewhere,
    }
    exec(compile(SUITE, path, "exec"), found)  # noqa: S102 - our own
    return found


def _definition(name: str, function: Callable[..., object], params: tuple[object, ...] | None = None) -> Any:
    return SimpleNamespace(argname=name, func=function, params=params)


@pytest.mark.parametrize("name", re.findall(r"(?m)^def (\w+)", SUITE)[:-1])
def test_only_what_is_certainly_something_else_is_no_loop(suite: dict[str, Any], name: str) -> None:
    assert may_mean(_definition("loop", suite[name])) is (name not in CERTAIN)


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("loop", ("for", "while"), False),
        ("loop_factory", (asyncio.new_event_loop, Loop), True),
        ("loop_factory", (pytest.param(Loop, id="mine"),), True),
        ("event_loop_policy", ("fast", dict[str, int]()), False),
        ("thread_pool_executor", (ThreadPoolExecutor,), True),
        ("thread_pool_executor", (True, False), False),
    ],
)
def test_parameters_tell_what_is_handed_on(
    suite: dict[str, Any], name: str, params: tuple[object, ...], expected: bool
) -> None:
    assert may_mean(_definition(name, suite["given"], params)) is expected


async def _coroutine() -> None: ...


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("loop", 1, False),
        ("loop", mock.MagicMock(), False),
        ("loop_factory", Loop, True),
        ("loop_factory", Game, False),
        ("loop_factory", mock.MagicMock(), False),
        ("loop_factory", _coroutine, False),
        ("thread_pool_executor", Game, False),
        ("thread_pool_executor", "pool", False),
        ("thread_pool_size", 2, True),
        ("thread_pool_size", True, False),
        ("thread_pool_size", 0, False),
    ],
)
def test_a_value_is_what_it_is(name: str, value: object, expected: bool) -> None:
    assert is_meant(name, value) is expected


@pytest.mark.parametrize("given", ["lambda name: name", "lambda: 'no loop'", "str"])
def test_a_fixture_that_makes_something_else_is_one_of_that_name(pytester: pytest.Pytester, given: str) -> None:
    """Tests then run on looprig's own loop, with its executor."""
    run(
        pytester,
        f"""
        import asyncio
        import pytest

        @pytest.fixture
        def loop_factory(): return {given}

        @pytest.fixture
        def thread_pool_executor(): return {given}

        async def test_it(loop_factory):
            assert callable(loop_factory)
            assert await asyncio.to_thread(sum, [1, 2]) == 3
        """,
    ).assert_outcomes(passed=1)
