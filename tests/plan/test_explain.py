"""`--explain-loops`: for each test the shortest chain that made its loop what it is."""

from looprig.plan.explain import explain
from tests.plan.forest import Forest


def told(forest: Forest, *own: str) -> list[str]:
    ways = {("t", "db"): ["client"]}
    plan = forest.solve()
    names = [instance.name for instance in plan.instances]
    return list(explain(plan, str, lambda test, number: ways.get((str(test), names[number]), []), own))


def test_a_test_that_reaches_the_top_itself_and_one_that_shares_it() -> None:
    forest = Forest()
    forest.instances(rest="a/x", db="")
    forest.tests(t="rest db", u="rest")
    assert told(forest, "alone") == [
        "loop 1: scope session, on the session, 2 tests, 2 fixtures",
        "    rest (scope module) <- /suite.py:1",
        "    db (scope session) <- /suite.py:2",
        "    t -> session loop: client -> db <- /suite.py:2",
        "    u -> session loop: rest <- /suite.py:1; shared with t, which uses client -> db <- /suite.py:2",
        "",
        "loops of their own: 1 test, with no async fixture wider than them",
        "    alone",
        "",
    ]


def test_tests_of_one_chain_stand_in_one_line_and_long_lines_are_wrapped() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    forest.tests(**{f"test_number_{number}": "rest" for number in range(12)})
    first, _, *lines, end = told(forest)
    assert first == "loop 1: scope module, on a/x, 12 tests, 1 fixture"
    assert len(lines) > 1
    assert all(len(line) <= 118 for line in lines)
    assert lines[-1].endswith("rest <- /suite.py:1")  # a name is not parted from its place
    assert end == ""


def test_a_component_of_no_test_is_not_told_of() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    assert told(forest) == []
