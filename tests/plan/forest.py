"""A collection tree in a few words, for tables: places by their path, instances by their name."""

from looprig.location import Location
from looprig.plan import Instance, Place, Plan, Planner
from looprig.scopes import Scope

__all__ = ["Forest"]

_SCOPES = (Scope.SESSION, Scope.PACKAGE, Scope.MODULE, Scope.CLASS)


class Forest:
    """Places are written `""` (the session), `"a"` (a package), `"a/m"` (a module), `"a/m/C"` (a class)."""

    def __init__(self) -> None:
        self.planner = Planner()
        self.numbers: dict[str, int] = {}
        self._places: dict[str, Place] = {}

    def place(self, path: str) -> Place:
        """The one place of a path."""
        if path not in self._places:
            depth = len(path.split("/")) if path else 0
            self._places[path] = Place(path, depth, path or "the session", _SCOPES[depth])
        return self._places[path]

    def instances(self, **places: str) -> None:
        """Instances by name, each at a place; one line of the suite for each."""
        for name, path in places.items():
            place = self.place(path)
            line = len(self.numbers) + 1
            self.numbers[name] = self.planner.add_instance(
                Instance(name, place.scope, place, Location("/suite.py", line))
            )

    def tests(self, **reached: str) -> None:
        """Tests by name, each with the names of what it reaches."""
        for test, names in reached.items():
            self.planner.add_test(test, tuple(self.numbers[name] for name in names.split()))

    def solve(self) -> Plan:
        """The plan of all that was said."""
        return self.planner.solve()

    def loops(self) -> dict[str, str]:
        """The place of each test's loop, with what stands on it."""
        plan = self.solve()
        return {
            str(test): f"{component.place.label}: {' '.join(instance.name for instance in component.instances)}"
            for component in plan.components
            for test in component.tests
        }
