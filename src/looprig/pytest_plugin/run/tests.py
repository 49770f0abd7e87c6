"""Runs tests: the hooks that are active once something in the run needs a loop.

Does not choose loops (`hosts` does) and sets up no fixtures (`setting_up` does). A suite with nothing async never
registers this, so it pays nothing.

Invariants:
1. Each async test, and each example of one under Hypothesis, runs in a task and a context of its own.
2. What a test sets in context variables is gone after it, in a sync test too.
3. What ends the run, Ctrl-C say, is never lost in a group of errors: pytest would go on with the next test.
"""

import signal
import traceback
from collections.abc import Callable, Generator
from functools import partial
from inspect import iscoroutine
from types import MethodType
from typing import Any, Final, cast, final

import pytest

from looprig.exceptions import StuckTaskError, TimeoutExpiredError
from looprig.location import location_of
from looprig.pytest_plugin._compat import has_fixtures, is_unittest
from looprig.pytest_plugin._compat.closures import argument_names
from looprig.pytest_plugin._compat.requests import item_request, resolved_definitions
from looprig.pytest_plugin._compat.terminal import write_lines
from looprig.pytest_plugin.is_async import hides_async, inner_test, is_async_test
from looprig.pytest_plugin.loops.settings import LoopSettings
from looprig.pytest_plugin.markers import timeout_of
from looprig.pytest_plugin.options import Options
from looprig.pytest_plugin.run.fixtures import SettingUp
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.pytest_plugin.run.made_sync import MadeSync, dropped_coroutines, not_run
from looprig.runtime.current import CurrentLoop
from looprig.runtime.errors import raise_together
from looprig.runtime.interrupts import Interrupts
from looprig.runtime.operation import Limit
from looprig.runtime.tasks import RunningTest

__all__ = ["Running"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


_INTERRUPTS: Final = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)


@final
class Running:
    """The active part of the plugin, one for each run."""

    def __init__(
        self,
        hosts: Hosts,
        setting_up: SettingUp,
        settings: LoopSettings,
        options: Options,
        interrupts: Interrupts,
        *,
        has_other_runners: bool,
    ) -> None:
        self.hosts: Final = hosts
        self._setting_up = setting_up
        self._owners = settings.owners
        self._settings = settings
        self._options = options
        self._ends = hosts.ends
        self._interrupts = interrupts
        self._parent: tuple[pytest.Collector | None, float | None] = (None, None)
        self._kind: tuple[pytest.Item | None, object, bool] = (None, None, False)
        self._seconds: float | None = None
        self._async_item: pytest.Item | None = None
        self._has_other_runners = has_other_runners
        self.made_sync: Final = MadeSync(settings.owners, self.run_test, self.has_missed)
        self._has_run = False
        self._is_interrupted = False
        self.is_new: bool = True
        """Whether no test has come to its set-up since this was registered."""

    # Phases of a test

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Starts the clock of the set-up."""
        self.is_new = False
        if (has_fixtures(item) and self._is_async(item)) or self.hosts.is_planned(item):
            self._interrupts.install()
        else:  # it may be about signals itself; what is alive under it is still torn down
            self._interrupts.give_back(signal.SIGINT, *(() if self.hosts.are_open else (signal.SIGTERM,)))
        self._seconds = self._limit_of(item)
        self._begin(item, "set-up")

    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[None]) -> None:
        """Note that an error was reported: a crash need not be raised again at teardown, and an interrupt has to be."""
        if call.excinfo is not None:
            _raise_interrupt(call.excinfo.value, node.config)
            self._setting_up.met(call.excinfo.value)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Have a sync test run in a context of its own."""
        self._begin(item, "call")
        if not has_fixtures(item) or is_unittest(item):
            return
        if self._owners.owner_of_test(item) is not None:
            return
        if self._is_async(item):
            self._async_item, self._has_run = item, False
            if self._has_other_runners:
                item.runtest = partial(self._run_async, item, item.runtest)  # type: ignore[method-assign]
            return
        # No wrapper of the hook, which every async test would pay for.
        item.runtest = partial(self._run_sync, item, item.runtest)  # type: ignore[method-assign]

    def _run_async(self, item: pytest.Function, runtest: Callable[[], object]) -> None:
        """Run an async test where hooks of the suite may call it, and make sure that its coroutine was not dropped."""
        __tracebackhide__ = True
        del item.runtest
        function = inner_test(item.obj)
        with dropped_coroutines(item, function) as dropped:
            runtest()
        if dropped and not self._has_run:
            raise not_run(item, function)

    def _run_sync(self, item: pytest.Function, runtest: Callable[[], object]) -> None:
        __tracebackhide__ = True
        del item.runtest
        running = self._ends.begin(item)
        context, _ = self._setting_up.ground_of_test(item, running)
        known = list(resolved_definitions(item))
        with (
            self._setting_up.carrying_requests(item_request(item), known),
            CurrentLoop(self.hosts.open_host(item)),
        ):
            try:
                context.run(runtest)
            finally:
                host = self.hosts.open_host(item)  # it may have come to a loop in its call
                if host is not None:
                    host.note_closed((item.name, running.location))
        if host is not None and (limit := self._ends.limit) is not None and limit.is_over:
            raise limit.expired(f"the call of {item.name}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Start the clock of the teardown."""
        self._begin(item, "teardown")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Lets teardown after Ctrl-C take its time, and what it raises be no reason to forget the interrupt."""
        self._ends.limit = None  # the clock of the test that was broken off is not that of its teardown
        try:
            return (yield)
        except Exception as error:
            # pytest itself reports no teardown once the run is broken off: it would end in a traceback of its own.
            if not self._is_interrupted or isinstance(error, pytest.exit.Exception):
                raise
            write_lines(session.config, ["", *traceback.format_exception(error)])
            return None

    def pytest_keyboard_interrupt(self) -> None:
        """Notes that the run is broken off."""
        self._is_interrupted = True

    def _limit_of(self, item: pytest.Item) -> float | None:
        """Return the seconds for each phase of an item: its marker's, the nearest `loop_config`'s, or the option's."""
        if self._options.debugging:
            return None
        if item.own_markers:
            return self._find_limit(item)
        if item.parent is not self._parent[0]:  # what holds around a test is looked up once for all tests there
            self._parent = item.parent, self._find_limit(item)
        return self._parent[1]

    def _find_limit(self, item: pytest.Item) -> float | None:
        seconds = timeout_of(item)
        if seconds is None and isinstance(item, pytest.Function):
            declared = [c.timeout for c in self._settings.configs(item) if c.timeout is not None]
            seconds = declared[-1] if declared else None
        return self._options.timeout if seconds is None else seconds

    def _is_async(self, item: pytest.Function) -> bool:
        """Return whether a test is an `async def`: looked up anew only if a hook has replaced its function."""
        function = item.obj
        known_item, known_function, answer = self._kind
        if item is known_item and (
            function is known_function or (type(function) is MethodType and function == known_function)
        ):
            return answer
        answer = is_async_test(item)
        self._kind = item, function, answer
        return answer

    def _begin(self, item: pytest.Item, phase: str) -> None:
        seconds = self._seconds
        if seconds is None:
            self._ends.limit = None
            return

        def expired(what: str) -> BaseException:
            where = "" if what.endswith(f" of {item.name}") else f", in {what}"
            return TimeoutExpiredError(
                f"The {phase} of {item.name} took longer than {seconds} s{where}.",
                [(item.name, location_of(getattr(item, "obj", None)))],
                "The traceback ends where it waited. Raise the limit with @looprig.timeout(seconds), or find out "
                "what it waits for.",
            )

        self._ends.limit = Limit(seconds, expired)

    # Tests

    def call(self, pyfuncitem: pytest.Function) -> object:
        """Run an async test, or each example of one."""
        function = pyfuncitem.obj
        inner = inner_test(function)
        if inner is not function:
            self._run_hypothesis(pyfuncitem, function, inner)
            return None
        if not self._is_async(pyfuncitem):
            if not self._has_other_runners:
                self.made_sync.stand_in(pyfuncitem)
            return None
        if self._owners.owner_of_test(pyfuncitem) is not None:
            return None
        arguments = {name: pyfuncitem.funcargs[name] for name in argument_names(pyfuncitem)}
        result = self.run_test(pyfuncitem, function, arguments)
        if result is not None:
            pyfuncitem.warn(
                pytest.PytestReturnNotNoneWarning(
                    f"Test functions should return None, but {pyfuncitem.nodeid} returned {type(result)!r}.\n"
                    "Did you mean to use `assert` instead of `return`?"
                )
            )
        return True

    def _run_hypothesis(self, item: pytest.Function, function: Any, inner: Any) -> None:
        if not (is_async_test(item) or hides_async(inner)) or self._owners.owner_of_test(item) is not None:
            return

        def example(*args: Any, **kwargs: Any) -> None:
            made = inner(*args, **kwargs)
            if not iscoroutine(made):  # one that hides an async def may have run it
                return
            # An example is a test: what it leaves over ends before the next, though the fixtures go on.
            running = RunningTest(item.name, function)
            host = self.hosts.of_item(item)
            errors: list[BaseException] = []
            try:
                self._run_test(item, lambda: made, {}, running)
            except _INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
            try:
                host.end_tasks_of(running, search=True)
            except StuckTaskError as stuck:
                errors.append(stuck)
            raise_together(errors, "the test failed, and left tasks that would not end")

        # Hypothesis calls what stands here for each example; the wrapper that pytest calls stays as it is.
        function.hypothesis.inner_test = example

        def give_back() -> None:
            function.hypothesis.inner_test = inner

        item.addfinalizer(give_back)

    def has_missed(self, item: pytest.Item) -> bool:
        """Whether the test that is called was async when its call began, and was not run since.

        A hook of the suite's that calls tests may have run it.
        """
        return item is self._async_item and not (self._has_run or self._has_other_runners)

    def run_test(self, item: pytest.Function, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Run the coroutine that a function gives, as the call of an async test."""
        return self._run_test(item, function, arguments, self._ends.begin(item))

    def _run_test(
        self, item: pytest.Function, function: Callable[..., Any], arguments: dict[str, Any], running: RunningTest
    ) -> Any:
        self._has_run = True
        host = self.hosts.of_item(item)
        setting_up = self._setting_up
        context, needs = setting_up.ground_of_test(item, running)
        return host.run(
            function(**arguments),
            what=f"the call of {item.name}",
            name=item.name,
            owner=running,
            context=context,
            needs=needs,
            limit=self._ends.limit,
            resolve=partial(setting_up.ask, item_request(item)),
        )


def _raise_interrupt(error: BaseException, config: pytest.Config) -> None:
    """Raise what ends the run, if it is in a group, or the cause of a crash or of the end of a limited test."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, _INTERRUPTS) and not isinstance(found, SystemExit):
            others: Any = error
            if isinstance(others, BaseExceptionGroup):
                others = cast("Any", others).split(_INTERRUPTS)[1]
            if others is not None and others is not found:  # of an interrupt pytest shows no more than its text
                write_lines(config, ["", *traceback.format_exception(others)])
            raise found from None
        left += (found.__cause__, *getattr(found, "exceptions", ()))
