"""The runner of tests: the hooks that are active once something in the run needs a loop.

Does not choose loops (`hosts` does) or set up fixtures (`fixtures` does). Costs a suite with nothing async nothing,
since it isn't registered there.

Invariants:
1. Each async test, and each example of one under Hypothesis, runs in a task and a context of its own.
2. What a test sets in context variables is gone after it, in a sync test too.
3. An exception that ends the run, such as KeyboardInterrupt, is never left in a group, since pytest would go on.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from functools import cached_property, partial
from inspect import CO_COROUTINE, iscoroutine
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.exceptions import StuckTaskError
from looprig.pytest_plugin._compat import has_fixtures, is_unittest
from looprig.pytest_plugin._compat.closures import argument_names
from looprig.pytest_plugin._compat.requests import item_request, resolved_definitions
from looprig.pytest_plugin.is_async import hides_async, inner_test, is_coroutine_function, is_function
from looprig.pytest_plugin.peers import hook_without_peers
from looprig.pytest_plugin.run.ends import INTERRUPTS
from looprig.runtime.current import CurrentLoop
from looprig.runtime.errors import raise_together
from looprig.runtime.tasks import STUCK, RunningTest

if TYPE_CHECKING:
    from looprig.pytest_plugin.peers.active import Peers
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.run.crashes import Crashes
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.pytest_plugin.run.limits import Limits
    from looprig.pytest_plugin.run.requests import Answer, Requests
    from looprig.pytest_plugin.run.wrapped_tests import WrappedTests
    from looprig.pytest_plugin.watch.watchdogs import Watchdogs
    from looprig.runtime.interrupts import Interrupts

__all__ = ["Runner"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Runner:
    """The runner of all tests of a run.

    `has_other_runners` says whether other hooks may call tests, and `ends_when_stuck` whether the run ends after a test
    that left a task behind which swallows its cancellation.
    """

    def __init__(
        self,
        hosts: Hosts,
        *,
        contexts: Contexts,
        crashes: Crashes,
        limits: Limits,
        requests: Callable[[], Requests],
        interrupts: Interrupts,
        peers: Peers,
        has_other_runners: bool,
        ends_when_stuck: bool,
        watchdogs: Watchdogs,
    ) -> None:
        self.hosts: Final = hosts
        self._contexts = contexts
        self._crashes = crashes
        self._ends = hosts.ends
        self._interrupts = interrupts
        self._limits = limits
        self._peers = peers or None
        self._adoption = peers.adoption or None
        self._requests = requests
        # The latest test, its function, whether that is an `async def`, and the function called for each Hypothesis
        # example.
        self._kind: tuple[pytest.Item | None, object, bool, Any] = (None, None, False, None)
        self._async_item: pytest.Item | None = None
        self._in_thread = hosts.in_thread
        self._has_other_runners = has_other_runners
        self._ends_when_stuck = ends_when_stuck
        self._all_peers = peers
        self.watchdogs: Final = watchdogs
        self._has_run = False
        self._is_interrupted = False
        self.is_new: bool = True
        """Whether no test has begun since this was registered."""

    # Phases of a test

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Start the clock of the set-up."""
        self.is_new = False
        if self.hosts.component(item) is not None or self._has_loop_of_its_own(item) or self.hosts.uses_thread(item):
            self._interrupts.install()
            self.watchdogs.begin(item)
        else:  # the test may handle signals itself; its live fixtures are still torn down
            self._interrupts.give_back(signal.SIGINT, *(() if self.hosts.are_open else (signal.SIGTERM,)))
            self.watchdogs.leave(item)
        self._limits.begin_test(item)
        self.watchdogs.phase = item, "set-up"
        if self._limits.seconds is not None:
            self._limits.begin(item, "set-up")

    def _has_loop_of_its_own(self, item: pytest.Item) -> bool:
        if not has_fixtures(item) or not self._is_async(item, item.obj):
            return False
        return self._peers is None or self._peers.owner_of_test(item) is None

    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[None]) -> None:
        """Record a reported error: a crash need not be raised again at teardown, but an interrupt must be."""
        if call.excinfo is not None:
            from looprig.pytest_plugin.run.interrupted import raise_interrupt  # noqa: PLC0415 - only for errors

            raise_interrupt(call.excinfo.value, node.config)
            self._crashes.report(call.excinfo.value)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Start the clock of the call, and run a sync test in a context of its own."""
        self.watchdogs.phase = item, "call"
        if self._limits.seconds is not None:
            self._limits.begin(item, "call")
        if type(item) is not pytest.Function and (not has_fixtures(item) or is_unittest(item)):
            return
        if self._peers is not None and self._peers.owner_of_test(item) is not None:
            return
        if self._is_async(item, item.obj):
            self._async_item, self._has_run = item, False
            if self._adoption is not None and any(self._adoption.adopted_from(item)):
                item.runtest = partial(self._run_adopted, item)  # type: ignore[method-assign]
            if self._has_other_runners:
                item.runtest = partial(self._run_async, item, item.runtest)  # type: ignore[method-assign]
            return
        # Not a wrapper of the hook, which would cost time in every async test.
        item.runtest = partial(self._run_sync, item, item.runtest)  # type: ignore[method-assign]

    def _run_adopted(self, item: pytest.Function) -> None:
        """Run a test without the hooks of the plugins that looprig adopts for it."""
        __tracebackhide__ = True
        vars(item).pop("runtest", None)
        hook_without_peers("pytest_pyfunc_call", item)(pyfuncitem=item)

    def _run_async(self, item: pytest.Function, runtest: Callable[[], object]) -> None:
        """Run an async test that hooks of the suite may call, and make sure that its coroutine wasn't dropped."""
        __tracebackhide__ = True
        vars(item).pop("runtest", None)
        from looprig.pytest_plugin.run.wrapped_tests import dropped_coroutines, not_run  # noqa: PLC0415 - few suites

        function = inner_test(item.obj)
        with dropped_coroutines(item, function) as dropped:
            runtest()
        if dropped and not self._has_run:
            raise not_run(item, function)

    def _run_sync(self, item: pytest.Function, runtest: Callable[[], object]) -> None:
        __tracebackhide__ = True
        del item.runtest
        running = self._ends.begin(item)
        context, _ = self._contexts.of_test(item, running)
        known = list(resolved_definitions(item))
        host = self.hosts.open_host(item)

        def needs() -> frozenset[object]:
            return self._contexts.inherited(known)[0]

        with (
            self._requests().carried_into(item_request(item), known),
            CurrentLoop(host),
            self._limits.on_sync_code(host or self.hosts.uses_thread(item), f"the call of {item.name}", needs, item),
        ):
            try:
                context.run(runtest)
                if self._in_thread:
                    self.hosts.threads.check(needs())
            except BaseException as failure:
                if self._in_thread:
                    self.hosts.threads.check(needs(), failure)
                error = _explained(failure, item)
                self.watchdogs.add_to(error, host)
                if error is failure:
                    raise
                raise error from None
            finally:
                host = self.hosts.open_host(item)  # the test may have requested something on a loop
                if host is not None and host.loop.is_closed():
                    host.note_closed((item.name, running.location))
        if host is not None and (limit := self._limits.current) is not None and limit.is_over:
            raise limit.expired(f"the call of {item.name}")
        if self.watchdogs.found:
            self.watchdogs.fail()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Start the clock of the teardown, and fail the test for what watchdogs have found by its end."""
        self.watchdogs.phase = item, "teardown"
        if self._limits.seconds is not None:
            self._limits.begin(item, "teardown")
        try:
            result = yield
        except BaseException as failure:
            self.watchdogs.add_to(failure)
            raise
        finally:
            if self._ends_when_stuck and STUCK:
                item.session.shouldstop = f"{item.name} left a task behind, and loop_when_stuck = exit"
        if self.watchdogs.found:
            self.watchdogs.fail()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the teardown after Ctrl-C without a limit, and don't let its errors hide the interrupt."""
        self._limits.end()  # the limit of the interrupted test doesn't apply to the teardown
        try:
            return (yield)
        except Exception as error:
            # pytest doesn't report errors in the teardown of an interrupted run, but would show an internal traceback.
            if not self._is_interrupted or isinstance(error, pytest.exit.Exception):
                raise
            from looprig.pytest_plugin.run.interrupted import show  # noqa: PLC0415 - only for errors

            show(session.config, error)
            return None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Record that the run was interrupted, and show where. pytest shows at most the innermost line, of asyncio."""
        self._is_interrupted = True
        from looprig.pytest_plugin._compat.terminal import write_lines  # noqa: PLC0415 - only for interrupted runs
        from looprig.runtime.stacks import raised_at  # noqa: PLC0415

        if self.watchdogs.phase is not None and (lines := raised_at(excinfo.value)):
            item, phase = self.watchdogs.phase
            write_lines(item.config, ["", f"Interrupted during the {phase} of {item.name}, at", *lines])

    def pytest_enter_pdb(self) -> None:
        """Drop the limit of a test that somebody debugs."""
        self._limits.debug()

    def _is_async(self, item: pytest.Function, function: Any) -> bool:
        """Return whether a test is an `async def`. Look this up again only if a hook replaced the test's function."""
        known_item, known_function, answer, _ = self._kind
        if item is known_item and (
            function is known_function or (type(function) is MethodType and function == known_function)
        ):
            return answer
        if type(function) is FunctionType and type(item) is pytest.Function and not function.__dict__:  # the usual case
            answer = bool(function.__code__.co_flags & CO_COROUTINE)
            self._kind = item, function, answer, None
            return answer
        inner = inner_test(function)
        answer = is_coroutine_function(inner) and (type(item) is pytest.Function or is_function(item))
        self._kind = item, function, answer, None if inner is function else inner
        return answer

    # Tests

    @cached_property
    def wrapped_tests(self) -> WrappedTests:
        """The hook for tests that are async behind a sync function."""
        from looprig.pytest_plugin.run.wrapped_tests import WrappedTests  # noqa: PLC0415 - for sync functions only

        return WrappedTests(self._all_peers, self.run_test, self.has_missed)

    def call(self, item: pytest.Function) -> object:
        """Run an async test, or each example of one."""
        function = item.obj
        known_item, known_function, is_async, _ = self._kind
        if item is not known_item or function is not known_function:
            is_async = self._is_async(item, function)
        if (inner := self._kind[3]) is not None:
            self._run_hypothesis(item, function, inner)
            return None
        if not is_async:
            if not self._has_other_runners:
                self.wrapped_tests.stand_in(item)
            return None
        if self._peers is not None and self._peers.owner_of_test(item) is not None:
            return None
        if self._adoption is not None:
            function = self._adoption.wrapped(item, function)
        names = argument_names(item)
        arguments = {name: item.funcargs[name] for name in names} if names else {}
        result = self.run_test(item, function, arguments)
        if result is not None:
            item.warn(
                pytest.PytestReturnNotNoneWarning(
                    f"Test functions should return None, but {item.nodeid} returned {type(result)!r}.\n"
                    "Did you mean to use `assert` instead of `return`?"
                )
            )
        return True

    def _run_hypothesis(self, item: pytest.Function, function: Any, inner: Any) -> None:
        if not (self._is_async(item, function) or hides_async(inner)):
            return
        if self._peers is not None and self._peers.owner_of_test(item) is not None:
            return

        def example(*args: Any, **kwargs: Any) -> None:
            made = inner(*args, **kwargs)
            if not iscoroutine(made):  # a wrapper may have run it
                return
            # An example is a test: its left-over tasks end before the next example, while its fixtures stay alive.
            running = RunningTest(item.name, function)
            host = self.hosts.of_item(item)
            errors: list[BaseException] = []
            try:
                self.run_test(item, lambda: made, {}, running)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
            try:
                host.end_tasks_of(running, search=True)
            except StuckTaskError as stuck:
                errors.append(stuck)
            running.is_over = True
            raise_together(errors, "the test failed, and left tasks that would not end")

        # Hypothesis calls this function for each example. The wrapper that pytest calls stays as it is.
        function.hypothesis.inner_test = example

        def restore() -> None:
            function.hypothesis.inner_test = inner

        item.addfinalizer(restore)

    def has_missed(self, item: pytest.Item) -> bool:
        """Return whether a test was async when its call began, but hasn't run.

        Always false if a hook of the suite may have run it.
        """
        return item is self._async_item and not (self._has_run or self._has_other_runners)

    def run_test(
        self,
        item: pytest.Function,
        function: Callable[..., Any],
        arguments: dict[str, Any],
        running: RunningTest | None = None,
    ) -> Any:
        """Run the coroutine that a function returns, as the call of an async test or as one example of it."""
        if running is None:
            running = self._ends.begin(item, function)
        self._has_run = True
        host = self.hosts.of_item(item)
        context, needs = self._contexts.of_test(item, running)
        try:
            result = host.run(
                function(**arguments),
                what=f"the call of {item.name}",
                name=item.name,
                owner=running,
                context=context,
                needs=needs,
                limit=self._limits.current,
                resolve=partial(self._ask, item),
            )
            if self._in_thread:
                self.hosts.threads.check(needs)
        except BaseException as failure:
            if self._in_thread:
                self.hosts.threads.check(needs, failure)
            if isinstance(failure, Exception):
                self._limits.explain(item, failure, is_sync=False)
            self.watchdogs.add_to(failure, host)
            raise
        if running in host.spawners:
            self.watchdogs.search(host)
        if self.watchdogs.found:
            self.watchdogs.fail()
        return result

    def _ask(self, item: pytest.Function, wanted: Any) -> Answer:
        return self._requests().ask_for_test(item, wanted)


def _explained(failure: BaseException, item: pytest.Function) -> BaseException:
    """Return the failure of a sync test, or the error to raise instead if the test returned something to await."""
    from looprig.pytest_plugin._compat.calls import returned_awaitable  # noqa: PLC0415 - only for failures
    from looprig.pytest_plugin.run.wrapped_tests import not_async  # noqa: PLC0415

    returned = returned_awaitable(failure)
    return failure if returned is None else not_async(item, returned)
