"""The nouns of the loop plan: places, fixture instances, components, and the plan itself.

Does not decide anything (`solve` does) and prints nothing (`explain` does).

Invariants:
1. All instances that one test reaches lie on the test's own chain of places, so any two of them are comparable:
   one's place is the other's, or above it.
2. Hence a component has one highest place that is above or at all of its members, and the loop lives there.
3. Members of a component are in the order in which they were collected; nothing else depends on that order.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from looprig.location import Location
from looprig.scopes import Scope

__all__ = ["Component", "Declaration", "Instance", "Place", "Plan", "TestKey"]

TestKey = Hashable


@final
@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A node of the collection tree: where something lives. `depth` counts from 0 at the session."""

    node: object
    depth: int
    label: str
    scope: Scope


@final
@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One instance of a fixture that needs a loop: its definition, at the place that its scope gives it.

    An alias is another name of an instance, and is not told of by itself.
    """

    name: str
    scope: Scope
    place: Place
    location: Location
    is_alias: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """Something that configures a loop: a `loop` or `loop_factory` fixture of the suite, or a `loop_config`.

    `about` is what it settles: two declarations about one thing contradict each other. `place` is where its value
    lives: a loop that outlives `place` cannot use it. It is `None` for a declaration that is no fixture: that one
    lives for ever, and holds for a loop if any of the loop's tests sees it.
    """

    about: str
    name: str
    place: Place | None
    location: Location
    value: object = None


@final
@dataclass(slots=True, eq=False)
class Component:
    """Tests and fixture instances that share one loop, which lives at `place`."""

    place: Place
    instances: list[Instance] = field(default_factory=list[Instance])
    tests: list[TestKey] = field(default_factory=list[TestKey])
    declarations: list[Declaration] = field(default_factory=list[Declaration])

    @property
    def scope(self) -> Scope:
        """The scope of the loop."""
        return self.place.scope


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """The answer: the component of each test that reaches an instance wider than itself.

    A test that is not in it has a loop of its own, or needs none.
    """

    components: Sequence[Component]
    reached: Mapping[TestKey, tuple[int, ...]]
    instances: Sequence[Instance]
    component_of_instance: Sequence[Component]
    declared: Mapping[TestKey, tuple[Declaration, ...]]

    def component(self, test: TestKey) -> Component | None:
        """The component that a test shares with others, or `None`: then its loop is its own."""
        reached = self.reached.get(test)
        return self.component_of_instance[reached[0]] if reached else None
