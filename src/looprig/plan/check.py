"""Declarations that no loop can satisfy, as errors that name the parties.

Invariants: all contradictions of a plan are found, not only the first, and each error names all parties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from looprig.exceptions import LoopPlanError

if TYPE_CHECKING:
    from looprig.location import Location
    from looprig.plan.model import Component, Declaration, Instance, Plan, TestKey

__all__ = ["contradictions"]


def contradictions(
    plan: Plan, party: Callable[[TestKey], tuple[str, Location]]
) -> Iterator[tuple[Component, LoopPlanError]]:
    """Yield all errors of a plan, each with the component that can't have a loop because of it.

    `party` returns the name and location of a test.
    """
    for component in plan.components:
        for error in _of_component(plan, component, party):
            yield component, error


def _of_component(
    plan: Plan, component: Component, party: Callable[[TestKey], tuple[str, Location]]
) -> Iterator[LoopPlanError]:
    by_subject: dict[str, list[Declaration]] = {}
    for declaration in component.declarations:
        by_subject.setdefault(declaration.about, []).append(declaration)
    for about, declarations in by_subject.items():
        distinct = _distinct(declarations)
        if len(distinct) > 1:
            yield _disagreement(component, about, distinct)
            continue
        declaration = distinct[0]
        if declaration.place is None:
            continue
        if declaration.place.depth > component.place.depth:
            yield _too_narrow(component, declaration)
            continue
        for test in component.tests:
            if all(seen.about != about for seen in plan.declared.get(test, ())):
                yield _too_low(component, declaration, party(test))
                break


def _distinct(declarations: Sequence[Declaration]) -> list[Declaration]:
    """Return one declaration for each origin, since the same fixture at several places does not contradict itself."""
    seen: dict[tuple[Location, str, int], Declaration] = {}
    for declaration in declarations:
        key = (declaration.location, declaration.name, id(declaration.value))
        kept = seen.get(key)
        # Keep the lowest of several places: that one may be too narrow.
        if kept is None or _depth(declaration) > _depth(kept):
            seen[key] = declaration
    return list(seen.values())


def _depth(declaration: Declaration) -> int:
    return -1 if declaration.place is None else declaration.place.depth


def _parties(component: Component, declarations: Sequence[Declaration]) -> list[tuple[str, Location]]:
    parties = [(declaration.name, declaration.location) for declaration in declarations]
    return parties + [(_described(instance), instance.location) for instance in widest(component)]


def widest(component: Component) -> list[Instance]:
    """Return the instances that determine where the loop lives."""
    return [instance for instance in component.instances if instance.place.depth == component.place.depth]


def _described(instance: Instance) -> str:
    return f'{instance.name} (scope "{instance.scope}")'


def _disagreement(component: Component, about: str, declarations: Sequence[Declaration]) -> LoopPlanError:
    names = " and ".join(dict.fromkeys(declaration.name for declaration in declarations))
    return LoopPlanError(
        f"The {component.scope} loop of {component.place.label} has conflicting {about} declarations: {names}.",
        _parties(component, declarations),
        f"Declare the {about} once for all tests that share these fixtures, or stop sharing the fixtures.",
    )


def _too_narrow(component: Component, declaration: Declaration) -> LoopPlanError:
    assert declaration.place is not None
    names = [instance.name for instance in widest(component)]
    culprits = " and ".join(names)
    shares = "shares its loop and lives longer" if len(names) == 1 else "share its loop and live longer"
    return LoopPlanError(
        f'{declaration.name} has scope "{declaration.place.scope}", but {culprits} {shares}, '
        f"on {component.place.label}.",
        _parties(component, [declaration]),
        f'Give {declaration.name} scope="{component.scope}", or narrow {culprits} to '
        f'scope="{declaration.place.scope}".',
    )


def _too_low(component: Component, declaration: Declaration, blind: tuple[str, Location]) -> LoopPlanError:
    culprits = " and ".join(instance.name for instance in widest(component))
    return LoopPlanError(
        f"{declaration.name} provides the loop shared through {culprits}, but {blind[0]} is on that loop too "
        f"and cannot see {declaration.name}.",
        [*_parties(component, [declaration]), blind],
        f"Move {declaration.name} to a conftest.py above both, or narrow {culprits}.",
    )
