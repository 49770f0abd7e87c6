"""Async tests behind a sync function: a decorator's wrapper, or a replacement by a hook or `--trace`.

Does not run a test that is an `async def` itself (`tests` does).

Invariants:
1. pytest or another hook calls the sync function as usual. Only the coroutine that it returns is run here.
2. A test whose coroutine was created and then dropped is an error, never a pass.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial, wraps
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, final

import pytest

from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, Location, location_of
from looprig.pytest_plugin._compat.calls import tracing_debugger
from looprig.pytest_plugin.is_async import hides_async, innermost, is_coroutine_function, is_what_its_name_says

if TYPE_CHECKING:
    from looprig.pytest_plugin.peers.active import Peers

__all__ = ["WrappedTests", "closing_unstarted", "dropped_coroutines", "not_async", "not_run"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

Made = TypeVar("Made")
RunTest = Callable[[pytest.Function, Callable[..., Any], dict[str, Any]], Any]
"""Calls a function that returns a coroutine, and runs the coroutine as the call of a test."""


@final
class WrappedTests:
    """The hook that runs the coroutines of such tests, with `run_test`."""

    def __init__(self, peers: Peers, run_test: RunTest, has_missed: Callable[[pytest.Item], bool]) -> None:
        self._peers = peers
        self._run_test = run_test
        self._has_missed = has_missed

    @pytest.hookimpl
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> None:
        """Replace the test's function before a hook of the suite can call it.

        This comes later than `tryfirst` hooks, which may wrap an async test, and before the hooks that call tests.
        """
        self.stand_in(pyfuncitem)

    def stand_in(self, pyfuncitem: pytest.Function) -> None:
        """Replace a test's function, if it may return a coroutine, by a function that runs the coroutine."""
        function = pyfuncitem.obj
        if is_coroutine_function(function) or (
            not hides_async(function) and is_what_its_name_says(function, pyfuncitem.originalname)
        ):
            return
        if self._peers.owner_of_test(pyfuncitem) is not None:
            return

        @wraps(function)
        def call(*arguments: Any, **by_name: Any) -> Any:
            return self._call(pyfuncitem, function, arguments, by_name)

        def restore() -> None:
            pyfuncitem.obj = function

        pyfuncitem.obj = call
        pyfuncitem.addfinalizer(restore)

    def _call(
        self, item: pytest.Function, function: Callable[..., Any], arguments: tuple[Any, ...], by_name: dict[str, Any]
    ) -> Any:
        debugger, function = tracing_debugger(function)
        with dropped_coroutines(item, function) as dropped:
            made = function(*arguments, **by_name)
        if isinstance(made, Coroutine):
            with closing_unstarted(cast("Any", made)) as coroutine:
                made = self._run_test(item, lambda: coroutine if debugger is None else _traced(coroutine, debugger), {})
        elif isinstance(made, AsyncGenerator):
            raise DeclarationError(
                f"{item.name} is an async generator: pytest would never run it.",
                [(item.name, location_of(function))],
                "Remove the yield from the test. Code that runs after a test belongs in a fixture.",
            )
        elif dropped:
            raise not_run(item, function, dropped[0])
        elif self._has_missed(item) and not getattr(function, "is_hypothesis_test", False):
            raise not_run(item, function)
        return made


def not_run(item: pytest.Function, function: Any, dropped: CodeType | None = None) -> DeclarationError:
    """Return the error of an async test whose coroutine was dropped, or never created."""
    if dropped is None:
        return DeclarationError(
            f"{item.name} did not run: something else was called in its place, and its coroutine was never run.",
            [(item.name, location_of(function))],
            "Look for a hook that replaces tests or calls them itself: pytest_pyfunc_call or pytest_runtest_call in a "
            "conftest.py, or a plugin. Have it leave async tests alone.",
        )
    return DeclarationError(
        f"{item.name} did not run: the function around it called it, as if it were sync, and dropped the coroutine.",
        [(item.name, _place(dropped)), ("the function around it", _place(_own_code(function)))],
        "Have the decorator's wrapper return what the test returns, or make the wrapper an `async def` that awaits the "
        "test. If a plugin put the function there, keep that plugin away from async tests.",
    )


def not_async(item: pytest.Function, returned: object) -> DeclarationError:
    """Return the error of a sync test that returned something to await. A coroutine is closed, so that none is left."""
    if inspect.iscoroutine(returned):
        returned.close()
    return DeclarationError(
        f"{item.name} returned something that has to be awaited, such as a coroutine, and nothing awaits it.",
        [(item.name, location_of(item.obj))],
        f"Write `async def {item.originalname}`, and `await` in place of `return`. In a sync test, "
        "`looprig.call_service(...)` calls a method of a service with in_thread=True.",
    )


@contextmanager
def closing_unstarted(made: Made) -> Generator[Made, None, None]:
    """Close a coroutine that doesn't run in this block because of an error, so that Python doesn't warn about it."""
    try:
        yield made
    finally:
        if inspect.iscoroutine(made) and inspect.getcoroutinestate(made) == inspect.CORO_CREATED:
            made.close()


def _own_code(function: Any) -> CodeType | None:
    """Return the code that a call of a function or callable object runs first, not the code that it wraps."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__code__", getattr(type(function).__call__, "__code__", None))


def _place(code: CodeType | None) -> Location:
    return UNKNOWN if code is None else Location(code.co_filename, code.co_firstlineno)


@contextmanager
def dropped_coroutines(item: pytest.Function, function: Callable[..., Any]) -> Generator[list[CodeType], None, None]:
    """Collect the coroutines of a test that are dropped in this block, instead of Python's warning about them.

    Python calls a private function of `warnings` for each coroutine when it is freed, in any thread.
    """
    module: Any = warnings
    warn: Callable[[Any], None] = module._warn_unawaited_coroutine  # noqa: SLF001 - there is no public hook
    own = getattr(innermost(function), "__code__", None)
    dropped: list[CodeType] = []

    def note(coroutine: Any) -> None:
        code = coroutine.cr_code
        # A hook may have replaced the test by a function with another name.
        if code is own or (code.co_name == item.originalname and code.co_filename == str(item.path)):
            dropped.append(code)
        else:
            warn(coroutine)

    module._warn_unawaited_coroutine = note  # noqa: SLF001 - as above
    try:
        yield dropped
    finally:
        module._warn_unawaited_coroutine = warn  # noqa: SLF001 - as above


async def _traced(coroutine: Coroutine[Any, Any, Any], debugger: Any) -> Any:
    """Run a coroutine under a debugger that stops at its first line and keeps tracing when it waits.

    `bdb.Bdb.runcall` does the same with a plain function.
    """
    debugger.reset()
    # From Python 3.14 on, a debugger has several ways to trace.
    start = getattr(debugger, "start_trace", partial(sys.settrace, debugger.trace_dispatch))
    stop = getattr(debugger, "stop_trace", partial(sys.settrace, None))
    start()
    try:
        return await coroutine
    finally:
        debugger.quitting = True
        stop()
