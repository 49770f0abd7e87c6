"""The report of errors: each test that an error concerns fails, and a summary shows each error once.

Does not find errors (the checks do). pytest itself reports fixtures that don't exist.

Invariants:
1. Only a test whose set-up begins fails, not one that is deselected, or skipped by a mark or a hook.
2. It fails before any of its fixtures is set up.
3. Errors are stored in `user_properties`, so that pytest-xdist's controller and JUnit files have them too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.exceptions import DeclarationError, LooprigError
from looprig.pytest_plugin._compat import has_fixtures
from looprig.pytest_plugin.options import PREFIX
from looprig.pytest_plugin.properties import REFUSED, texts_in

if TYPE_CHECKING:
    from looprig.pytest_plugin.checks.item_errors import ItemErrors
    from looprig.pytest_plugin.collection.collected import Collected

__all__ = ["Refusal", "many", "show_summary"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_FIXTURE: Final = f"{PREFIX}refused"


@final
class Refusal:
    """The hooks that fail tests at their set-up for the errors that concern them.

    `on_failure` is called with each test that an exception ends, even if it is expected to fail or skips its rest.
    """

    def __init__(self, collected: Collected, errors: ItemErrors, on_failure: Callable[[pytest.Item], object]) -> None:
        self._collected = collected
        self._on_failure = on_failure
        if not errors.items:
            return

        def raise_errors(request: pytest.FixtureRequest) -> None:
            _raise(errors, request.node)

        pytest.register_fixture(name=_FIXTURE, func=raise_errors, node=collected.session)
        for item in errors.items:
            if has_fixtures(item):
                # a new list, since the tests of one parametrized function share theirs
                item.fixturenames = [_FIXTURE, *item.fixturenames]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Add hints to pytest's report of a fixture that it did not find, or that ends too soon."""
        if call.excinfo is None:
            return
        self._on_failure(item)
        if not has_fixtures(item):
            return
        error = call.excinfo.value
        if is_missing := isinstance(error, pytest.FixtureLookupError):
            from looprig.pytest_plugin._compat.lookup import leave_out  # noqa: PLC0415 - rarely needed

            leave_out(error, PREFIX)
        is_about_scope = isinstance(error, pytest.fail.Exception) and str(error).startswith("ScopeMismatch")
        if call.when == "setup" and (is_missing or is_about_scope):
            from looprig.pytest_plugin.checks.existence import Existence  # noqa: PLC0415 - rarely needed

            _note(item, Existence(self._collected.registry, self._collected.is_broken).hints(item))


def show_summary(terminal: pytest.TerminalReporter, reports: Iterable[pytest.TestReport]) -> None:
    """Show each error in full, once, with the number of tests that failed for it."""
    # Group by the message and its first location, since what follows may name the test.
    reported: dict[tuple[str, ...], tuple[str, set[str]]] = {}
    for report in reports:
        for text in texts_in(report, REFUSED):
            reported.setdefault((*text.splitlines()[:2],), (text, set()))[1].add(report.nodeid)
    count = len(set[str]().union(*(tests for _, tests in reported.values())))
    terminal.section(f"looprig: {many(len(reported), 'error')} in {many(count, 'test')}", red=True)
    for number, (text, tests) in enumerate(reported.values()):
        if number:
            terminal.write_line("")
        for line in text.splitlines():
            terminal.write_line(line)
        if len(reported) > 1:
            terminal.write_line(f"({many(len(tests), 'test')})")


def _raise(errors: ItemErrors, item: pytest.Function) -> None:
    __tracebackhide__ = False  # else pytest adds that all frames are hidden; it shows none, since `pytrace` is false
    if getattr(item.obj, "__unittest_skip__", False) or getattr(getattr(item, "cls", None), "__unittest_skip__", False):
        return  # unittest will skip it, when pytest calls it
    own = [error for error in errors.of(item) if not _is_answered(error, item)]
    if own:
        _note(item, own)
        # The summary shows the rest, once for all tests.
        raise pytest.fail.Exception("\n".join(error.what for error in own), pytrace=False)


def _note(item: pytest.Item, errors: Iterable[LooprigError]) -> None:
    for error in errors:
        noted = (REFUSED, str(error))
        if noted not in item.user_properties:  # a test may be run again
            item.user_properties.append(noted)


def _is_answered(error: LooprigError, item: pytest.Function) -> bool:
    """Return whether a hook has given the test the argument that no fixture provides."""
    return isinstance(error, DeclarationError) and error.code == "fixture-missing" and error.parameter in item.funcargs


def many(number: int, what: str) -> str:
    """Return a number with its noun: `1 error`, `2,000 errors`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
