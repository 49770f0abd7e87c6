"""`--explain-loops`: shows the loop plan, and the errors in it and in declarations.

Does not describe the plan (`looprig.plan.explain` does), and does not look for errors. The option selects no tests: it
explains one of them, a file or a class, and the run is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.plan.explain import Others, details, overview, some
from looprig.pytest_plugin._compat import Definition, has_fixtures, is_unittest
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin.is_async import is_coroutine_function
from looprig.pytest_plugin.loops.node_ids import file_of, find_tests, without_case
from looprig.pytest_plugin.workers import is_worker

if TYPE_CHECKING:
    from looprig.exceptions import LooprigError
    from looprig.pytest_plugin.collection.collected import Collected
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
    from looprig.pytest_plugin.sections import Sections

__all__ = ["SECTION", "Explanation", "show_plan"]


SECTION: Final = "loops"


def show_plan(terminal: pytest.TerminalReporter, lines: Sequence[str]) -> None:
    """Show the lines that a worker recorded."""
    terminal.section("looprig: the loop plan, the same on each worker")
    for line in lines:
        terminal.write_line(line)


@final
class Explanation:
    """The hooks that show the plan after collection. `errors` returns those of the selected tests."""

    def __init__(
        self,
        loops: LoopPlan,
        collected: Collected,
        errors: Callable[[Sequence[pytest.Item]], Iterable[LooprigError]],
        sections: Sections,
    ) -> None:
        config = collected.session.config
        self._collected = collected
        self._errors = errors
        self._is_worker = is_worker(config)
        self._loops = loops
        self._sections = sections
        self._verbosity = config.get_verbosity()
        self._wanted: str = config.option.explain_loops

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the lines in a worker of pytest-xdist. Its controller shows them."""
        if not self._is_worker:
            return
        try:
            self._sections.note(SECTION, self._lines(session.items))
        except pytest.UsageError as error:
            self._sections.note(SECTION, [f"ERROR: {error}"])
            self._sections.note_usage_error()

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> list[str]:
        """Show the plan and the errors."""
        if self._is_worker:  # it has a terminal, but nobody sees it
            return []
        lines = self._lines(items)
        if self._verbosity >= 0 and lines:
            del lines[-1]  # pytest adds an empty line itself
        return lines

    def _lines(self, items: Sequence[pytest.Item]) -> list[str]:
        lines = [*self._plan()]
        for error in self._errors(items):
            lines += [*str(error).splitlines(), ""]
        return lines

    def _plan(self) -> Iterator[str]:
        plan, others = self._loops.plan, self._others()
        tests = _Tests(self._loops, shows_cases=self._verbosity > 1)
        if self._wanted:
            found = find_tests(self._wanted, self._collected.items, self._collected.session.config)
            return some(plan, tests, found, others)
        if self._verbosity > 0:
            return details(plan, tests, others, apart=self._verbosity > 1)
        return overview(plan, tests, others, hint=self._verbosity == 0)

    def _others(self) -> Others:
        """Return the tests on no shared loop."""
        own = {*self._loops.own}
        none: list[pytest.Item] = []
        foreign: dict[str, list[pytest.Item]] = {}
        for item in self._collected.items:
            if item in own or item in self._loops.plan.reached:
                continue
            owner = self._owner(item)
            if owner is None:
                none.append(item)
            else:
                foreign.setdefault(owner, []).append(item)
        return Others(self._loops.own, none, foreign)

    def _owner(self, item: pytest.Item) -> str | None:
        """Return what runs a test that isn't in the plan, if it is async."""
        if not has_fixtures(item):
            return None
        if is_unittest(item):
            return "unittest" if is_coroutine_function(item.obj) else None
        owner = self._collected.owners.owner_of_test(item)
        return None if owner is None else owner.name


@final
class _Tests:
    """The tests of the plan, as explanations call them: without the ids of their cases, unless `shows_cases`."""

    def __init__(self, loops: LoopPlan, *, shows_cases: bool) -> None:
        self._loops = loops
        self._shows_cases = shows_cases

    def name(self, test: object) -> str:
        assert isinstance(test, pytest.Item)
        return test.name if self._shows_cases else getattr(test, "originalname", None) or test.name

    def full_name(self, test: object) -> str:
        assert isinstance(test, pytest.Item)
        return test.nodeid if self._shows_cases else without_case(test)

    def file(self, test: object) -> str:
        assert isinstance(test, pytest.Item)
        return file_of(test.nodeid)

    def way(self, test: object, number: int) -> list[str]:
        """Return the names of the fixtures on the shortest path from a test to an instance that it reaches."""
        assert isinstance(test, pytest.Item)
        assert has_fixtures(test)
        wanted = self._loops.instances.definitions.get(number)
        if wanted is None:
            return []
        info = closure_of(test)
        requested_by: dict[Definition, list[Definition]] = {}
        for definition, requested in info.dependencies():
            for other in requested:
                requested_by.setdefault(other, []).append(definition)
        ways = [[wanted]]
        seen = {wanted}
        while ways:
            way = ways.pop(0)
            if way[0].argname in info.initial or way[0] not in requested_by:
                return [self._loops.registry.label(definition) for definition in way[:-1]]
            for user in requested_by[way[0]]:
                if user not in seen:
                    seen.add(user)
                    ways.append([user, *way])
        return []
