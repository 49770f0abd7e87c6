"""The nouns of the loop plan: places, fixture instances, components, and the plan itself.

Does not decide anything (`solve` does), and yields no text (`explain` does).

Invariants:
1. All instances that a test reaches are at places on the way from the session to the test. So of two of them, one is at
   or above the other.
2. Hence one of a component's places is at or above all the others, and the loop lives there.
3. Members of a component are in collection order. Nothing else depends on that order.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Final, NamedTuple, final

from looprig.location import Location
from looprig.scopes import Scope

__all__ = ["Component", "Declaration", "Instance", "Place", "Plan", "TestKey"]

TestKey = Hashable


@final
class Place(NamedTuple):
    """A node of the collection tree, where a fixture instance or a loop lives. The session has `depth` 0."""

    node: object
    depth: int
    label: str
    scope: Scope


@final
class Instance(NamedTuple):
    """One instance of a fixture that needs a loop: its definition, at the place that its scope gives it.

    An alias is another name of an instance. Explanations leave it out. `is_fixture` is false for a declaration that
    widens a loop as a fixture does.
    """

    name: str
    scope: Scope
    place: Place
    location: Location
    is_alias: bool = False
    is_fixture: bool = True


@final
class Declaration(NamedTuple):
    """A setting for a loop: a `loop` or `loop_factory` fixture of the suite, or an option of a `loop_config`.

    `about` is the setting's name. Different declarations about one setting contradict each other. `place` is where the
    value lives: a loop that outlives it can't use it. For a declaration that isn't a fixture it is `None`. Such a value
    always lives, and applies to a loop if any of the loop's tests can see it.
    """

    about: str
    name: str
    place: Place | None
    location: Location
    value: object = None


@final
class Component:
    """Tests and fixture instances that share one loop. The loop lives at `place`."""

    def __init__(self, place: Place) -> None:
        self.place: Place = place
        self.instances: Final[list[Instance]] = []
        self.tests: Final[list[TestKey]] = []
        self.declarations: Final[list[Declaration]] = []

    @property
    def scope(self) -> Scope:
        """The scope of the loop."""
        return self.place.scope


@final
class Plan(NamedTuple):
    """The components of all tests that reach a fixture instance wider than themselves.

    Any other test has a loop of its own, or needs none.
    """

    components: Sequence[Component]
    reached: Mapping[TestKey, tuple[int, ...]]
    instances: Sequence[Instance]
    component_of_instance: Sequence[Component]
    declared: Mapping[TestKey, tuple[Declaration, ...]]

    def component(self, test: TestKey) -> Component | None:
        """Return the component of a test, or `None` if no wider fixture shares its loop."""
        reached = self.reached.get(test)
        return self.component_of_instance[reached[0]] if reached else None
