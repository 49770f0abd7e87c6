"""`--explain-loops`: shows the loop plan, and the errors in it and in declarations.

Does not describe the plan (`looprig.plan.explain` does), and does not look for errors.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, final

import pytest

from looprig.exceptions import LooprigError
from looprig.plan.explain import explain
from looprig.pytest_plugin._compat import Definition, has_fixtures
from looprig.pytest_plugin._compat.closures import closure_of
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
        errors: Callable[[Sequence[pytest.Item]], Iterable[LooprigError]],
        sections: Sections,
    ) -> None:
        self._errors = errors
        self._loops = loops
        self._sections = sections

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the lines in a worker of pytest-xdist. Its controller shows them."""
        if hasattr(session.config, "workerinput"):
            self._sections.note(SECTION, self.pytest_report_collectionfinish(session.items))

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> list[str]:
        """Show the plan and the errors."""
        loops = self._loops
        names = _names(*(component.tests for component in loops.plan.components), loops.own)
        lines = [*explain(loops.plan, names.__getitem__, self._way, loops.own)]
        for error in self._errors(items):
            lines += [*str(error).splitlines(), ""]
        return lines

    def _way(self, test: object, number: int) -> list[str]:
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


def _names(*groups: Iterable[Hashable]) -> dict[Hashable, str]:
    """Return how to call each test: by its name, or by its id if another test of its group has that name."""
    found: dict[Hashable, str] = {}
    for group in groups:
        named = {test: getattr(test, "name", str(test)) for test in group}
        several = Counter(named.values())
        for test, name in named.items():
            found[test] = name if several[name] == 1 else getattr(test, "nodeid", name)
    return found
