"""Declarations that no loop can satisfy are all reported, with everyone who declared them."""

from typing import Any

import pytest

from looprig.exceptions import LoopPlanError
from looprig.location import Location
from looprig.plan.check import contradictions
from looprig.plan.model import Declaration, Place
from looprig.scopes import Scope
from tests.plan.forest import Forest


def told(forest: Forest) -> list[LoopPlanError]:
    found = contradictions(forest.solve(), lambda test: (str(test), Location("/test_it.py", 1)))
    return [error for _, error in found]


def declaration(forest: Forest, name: str, place: str | None, line: int, *, value: Any = None) -> Declaration:
    about = "loop" if name == "loop" else "loop factory"
    where = None if place is None else forest.place(place)
    return Declaration(about, name, where, Location("/conftest.py", line), value)


def module_and_session() -> Forest:
    forest = Forest()
    forest.instances(rest="a/x", db="")
    forest.tests(t="rest db", u="rest")
    return forest


def test_a_loop_as_wide_as_its_component_is_well() -> None:
    forest = module_and_session()
    for test in ("t", "u"):
        forest.planner.declare(test, (declaration(forest, "loop", "", 1),))
    assert told(forest) == []


def test_a_narrow_loop_is_told_with_the_scope_that_it_needs() -> None:
    forest = module_and_session()
    for test in ("t", "u"):
        forest.planner.declare(test, (declaration(forest, "loop", "a/x", 1),))
    (error,) = told(forest)
    assert str(error) == (
        'loop has scope "module", but db shares its loop and lives longer, '
        "on the session.\n"
        "  /conftest.py:1: loop\n"
        '  /suite.py:2: db (scope "session")\n'
        'Give loop scope="session", or narrow db to scope="module".'
    )


@pytest.mark.parametrize("order", [("a", "a/x"), ("a/x", "a")])
def test_of_one_loop_at_several_places_the_lowest_counts(order: tuple[str, str]) -> None:
    """One override is wide enough by itself; the test for which it is too narrow comes first or last."""
    forest = Forest()
    forest.instances(shared="a")
    forest.tests(t="shared", u="shared")
    for test, place in zip("tu", order, strict=True):
        forest.planner.declare(test, (declaration(forest, "loop", place, 1),))
    (error,) = told(forest)
    assert 'loop has scope "module", but shared shares its loop' in str(error)
    assert [name for name, _ in error.parties] == ["loop", 'shared (scope "package")']


def test_places_that_are_equally_low_are_told_as_one() -> None:
    """The first one is reported, so the text doesn't depend on how many there are."""
    forest = Forest()
    forest.instances(db="")
    forest.tests(t="db", u="db")
    alone = Place("alone", 1, "alone", Scope.MODULE)  # without a package, it is as deep as a package
    first = declaration(forest, "loop", "a", 1)
    forest.planner.declare("t", (first,))
    forest.planner.declare("u", (first._replace(place=alone),))
    (error,) = told(forest)
    assert 'loop has scope "package"' in str(error)


def test_a_test_that_cannot_see_the_loop_it_shares_is_told() -> None:
    forest = module_and_session()
    forest.planner.declare("t", (declaration(forest, "loop", "", 1),))
    (error,) = told(forest)
    assert "u is on that loop too and cannot see loop" in str(error)
    assert ("u", Location("/test_it.py", 1)) in error.parties


def test_two_factories_for_one_loop_contradict_each_other() -> None:
    forest = module_and_session()
    forest.planner.declare("t", (declaration(forest, "loop_config", None, 1, value=int),))
    forest.planner.declare("u", (declaration(forest, "loop_config", None, 2, value=str),))
    (error,) = told(forest)
    assert "has conflicting loop factory declarations: " in str(error)
    assert [place.line for name, place in error.parties if name == "loop_config"] == [1, 2]


def test_one_declaration_seen_from_many_tests_is_one() -> None:
    forest = module_and_session()
    for test in ("t", "u"):
        forest.planner.declare(test, (declaration(forest, "loop_config", None, 1, value=int),))
    assert told(forest) == []


def test_each_component_is_judged_by_itself_and_all_are_told() -> None:
    forest = Forest()
    forest.instances(one="a", two="b", three="c")
    forest.tests(t="one", u="two", v="three")
    for test, place in {"t": "a/x", "u": "b/x", "v": "c"}.items():
        forest.planner.declare(test, (declaration(forest, "loop", place, 1),))
    assert ["one" in str(error) or "two" in str(error) for error in told(forest)] == [True, True]


def test_one_declaration_that_gives_two_values_contradicts_itself() -> None:
    """`loop_config(factories=...)` gives each test one of its factories, all from one line."""
    forest = module_and_session()
    forest.planner.declare("t", (declaration(forest, "loop_config", None, 1, value=int),))
    forest.planner.declare("u", (declaration(forest, "loop_config", None, 1, value=str),))
    (error,) = told(forest)
    assert "has conflicting loop factory declarations: loop_config." in str(error)


def test_two_of_one_place_are_told_apart_by_their_names() -> None:
    """The place of a plugin's fixture may be unknown."""
    forest = module_and_session()
    one = declaration(forest, "loop", "", 1)
    for test, each in (("t", one), ("u", one._replace(name="event_loop"))):
        forest.planner.declare(test, (each,))
    (error,) = told(forest)
    assert "has conflicting loop declarations: loop and event_loop." in str(error)


def test_a_declaration_that_several_tests_cannot_see_is_told_once() -> None:
    forest = Forest()
    forest.instances(db="")
    forest.tests(t="db", u="db", v="db")
    forest.planner.declare("t", (declaration(forest, "loop", "", 1),))
    (error,) = told(forest)
    assert "u is on that loop too" in str(error)


def test_one_that_is_too_narrow_is_not_told_of_as_unseen_as_well() -> None:
    """Widening it may be enough."""
    forest = module_and_session()
    forest.planner.declare("t", (declaration(forest, "loop", "a/x", 1),))
    (error,) = told(forest)
    assert 'Give loop scope="session"' in str(error)


FACTORY, OTHER = ("loop_config", None, 2, int), ("loop_config", None, 3, str)
NARROW = ("loop", "a/x", 1, None)


@pytest.mark.parametrize(
    ("first", "second", "about"),
    [
        ((FACTORY, NARROW), (OTHER, NARROW), ["conflicting loop factory declarations", "has scope"]),
        ((NARROW, FACTORY), (NARROW, OTHER), ["has scope", "conflicting loop factory declarations"]),
        ((FACTORY, NARROW), (FACTORY, NARROW), ["has scope"]),
    ],
)
def test_all_that_is_wrong_with_one_loop_is_told(first: Any, second: Any, about: list[str]) -> None:
    forest = module_and_session()
    for test, declared in (("t", first), ("u", second)):
        forest.planner.declare(test, tuple(declaration(forest, *each[:3], value=each[3]) for each in declared))
    errors = told(forest)
    assert len(errors) == len(about)
    assert all(text in str(error) for text, error in zip(about, errors, strict=True))
