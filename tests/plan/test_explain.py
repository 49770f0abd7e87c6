"""`--explain-loops` shows, for each test, the shortest chain that determined its loop."""

from looprig.location import Location
from looprig.plan import Instance
from looprig.plan.explain import explain
from looprig.plan.model import Declaration
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
        "loops of their own: 1 test with no wider async fixture",
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
    assert lines[-1].endswith("rest <- /suite.py:1")  # a name stays on one line with its place
    assert end == ""


def test_a_component_of_no_test_is_not_told_of() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    assert told(forest) == []


def test_one_of_each_is_told_in_the_singular_and_aliases_are_no_fixtures() -> None:
    """An alias is another name for a service that is already counted."""
    forest = Forest()
    forest.instances(rest="a/x")
    place = forest.place("a/x")
    alias = Instance("api", place.scope, place, Location("/suite.py", 9), is_alias=True)
    number = forest.planner.add_instance(alias)
    forest.planner.add_test("t", (forest.numbers["rest"], number))
    first, *lines = told(forest)
    assert first == "loop 1: scope module, on a/x, 1 test, 1 fixture"
    assert not any(line.startswith("    api (scope") for line in lines)


def test_what_is_declared_for_a_loop_is_told_with_its_place_and_tests_of_their_own_are_counted() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    forest.tests(t="rest")
    forest.planner.declare("t", (Declaration("loop factory", "loop_config", None, Location("/conftest.py", 3), int),))
    lines = told(forest, "one", "two")
    assert lines[1] == "    loop factory: loop_config <- /conftest.py:3"
    assert lines[-3:] == ["loops of their own: 2 tests with no wider async fixture", "    one, two", ""]


def test_the_way_to_the_top_is_the_shortest_over_as_many_tests_as_it_takes() -> None:
    forest = Forest()
    forest.instances(db="", rest="a", cache="a/x")
    forest.tests(top="db rest", middle="rest cache", low="cache", direct="cache db")
    chains = {line.split(" -> ")[0].strip(): line for line in told(forest) if " loop: " in line}
    assert chains["middle"].endswith("rest <- /suite.py:2; shared with top, which uses db <- /suite.py:1")
    assert chains["low"].endswith("cache <- /suite.py:3; shared with direct, which uses db <- /suite.py:1")
