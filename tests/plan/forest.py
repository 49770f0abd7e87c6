"""A collection tree in shorthand for tables: places by their path, instances by their name."""

from looprig.location import Location
from looprig.plan import Instance, Place, Plan, Planner
from looprig.scopes import Scope

__all__ = ["Forest"]

_SCOPES = (Scope.SESSION, Scope.PACKAGE, Scope.MODULE, Scope.CLASS)


class Forest:
    """Places are written as `""` (the session), `"a"` (a package), `"a/m"` (a module), `"a/m/C"` (a class)."""

    def __init__(self) -> None:
        self.planner = Planner()
        self.numbers: dict[str, int] = {}
        self._places: dict[str, Place] = {}

    def place(self, path: str) -> Place:
        """Return the place with this path."""
        if path not in self._places:
            depth = len(path.split("/")) if path else 0
            self._places[path] = Place(path, depth, path or "the session", _SCOPES[depth])
        return self._places[path]

    def instances(self, **places: str) -> None:
        """Add instances by name, each at a place; each is on its own line of the suite."""
        for name, path in places.items():
            place = self.place(path)
            line = len(self.numbers) + 1
            self.numbers[name] = self.planner.add_instance(
                Instance(name, place.scope, place, Location("/suite.py", line))
            )

    def tests(self, **reached: str) -> None:
        """Add tests by name, each with the names of what it reaches."""
        for test, names in reached.items():
            self.planner.add_test(test, tuple(self.numbers[name] for name in names.split()))

    def solve(self) -> Plan:
        """Return the plan for everything added."""
        return self.planner.solve()

    def loops(self) -> dict[str, str]:
        """Return the place of each test's loop, with the instances on it."""
        plan = self.solve()
        return {
            str(test): f"{component.place.label}: {' '.join(instance.name for instance in component.instances)}"
            for component in plan.components
            for test in component.tests
        }
