"""Which tests share a loop, and where it lives: tables, without pytest."""

import random

import pytest

from tests.plan.forest import Forest


@pytest.mark.parametrize(
    ("instances", "tests", "loops"),
    [
        pytest.param({}, {"t": ""}, {}, id="a test that reaches nothing wider has no component"),
        pytest.param(
            {"m": "a/x"},
            {"t": "m", "u": "m"},
            {"t": "a/x: m", "u": "a/x: m"},
            id="two tests of one instance share its loop",
        ),
        pytest.param(
            {"m": "a/x", "n": "a/y"},
            {"t": "m", "u": "n"},
            {"t": "a/x: m", "u": "a/y: n"},
            id="instances that no test joins have a loop each",
        ),
        pytest.param(
            {"m": "a/x", "s": ""},
            {"t": "m s", "u": "m"},
            {"t": "the session: m s", "u": "the session: m s"},
            id="a test that reaches both joins them, also for the test that reaches one",
        ),
        pytest.param(
            {"m": "a/x", "s": "", "n": "a/y", "o": "b/z"},
            {"t": "m s", "u": "m", "v": "n s", "w": "o"},
            {"t": "the session: m s n", "u": "the session: m s n", "v": "the session: m s n", "w": "b/z: o"},
            id="through one wide instance, and not beyond",
        ),
        pytest.param(
            {"c": "a/x/C", "m": "a/x", "p": "a"},
            {"t": "c m", "u": "m p"},
            {"t": "a: c m p", "u": "a: c m p"},
            id="joined in a chain: the loop lives at the highest place",
        ),
    ],
)
def test_components(instances: dict[str, str], tests: dict[str, str], loops: dict[str, str]) -> None:
    forest = Forest()
    forest.instances(**instances)
    forest.tests(**tests)
    assert forest.loops() == loops


def test_the_order_of_tests_changes_nothing() -> None:
    chain = random.Random(1)
    names = [f"i{number}" for number in range(30)]
    places = {name: chain.choice(["", "a", "a/x", "a/x/C"]) for name in names}
    tests = {f"t{number}": " ".join(chain.sample(names, 2)) for number in range(25)}

    def solved(order: list[str]) -> dict[str, str]:
        forest = Forest()
        forest.instances(**places)
        forest.tests(**{test: tests[test] for test in order})
        return forest.loops()

    expected = solved(list(tests))
    for _ in range(20):
        assert solved(chain.sample(list(tests), len(tests))) == expected


def test_instances_that_must_share_are_joined_without_a_test() -> None:
    forest = Forest()
    forest.instances(outer="a/x", inner="a/x/C")
    forest.tests(t="inner", u="outer")
    forest.planner.join(forest.numbers["inner"], forest.numbers["outer"])
    assert forest.loops() == {"t": "a/x: outer inner", "u": "a/x: outer inner"}


def test_a_long_chain_is_solved_in_one_go() -> None:
    """Thanks to path compression, a chain of 20,000 joins is neither deep nor slow, and is one component."""
    forest = Forest()
    forest.instances(**{f"i{number}": "a/x" for number in range(20_000)})
    for number in range(19_999, 0, -1):
        forest.planner.join(number, number - 1)
    forest.tests(t="i19999", u="i0")
    plan = forest.solve()
    assert plan.component("t") is plan.component("u")
    assert len(plan.components) == 1


def test_a_test_that_was_never_told_of_has_no_component() -> None:
    assert Forest().solve().component("unknown") is None
