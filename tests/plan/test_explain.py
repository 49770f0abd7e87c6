"""`--explain-loops`: one line for each shared loop, its members with their chains, or what concerns some tests."""

from collections.abc import Sequence
from typing import Final, final

import pytest

from looprig.location import UNKNOWN, Location
from looprig.plan import Instance, Plan
from looprig.plan.explain import HINT, Others, details, overview, some
from looprig.plan.model import Declaration
from tests.plan.forest import Forest

NOTHING: Final = Others()
FACTORY: Final = Declaration("loop factory", "loop_config", None, Location("/conftest.py", 3), int)


@final
class Names:
    """Tests are strings: `path:name`, or a name alone; `name[case]` is one of the cases of `name`."""

    def __init__(self, plan: Plan) -> None:
        self._ways = {("t", "db"): ["client"]}
        self._instances = plan.instances

    def name(self, test: object) -> str:
        return self.full_name(test).rpartition(":")[2]

    def full_name(self, test: object) -> str:
        return str(test).partition("[")[0]

    def file(self, test: object) -> str:
        return self.full_name(test).rpartition(":")[0] or "t.py"

    def way(self, test: object, number: int) -> Sequence[str]:
        return self._ways.get((str(test), self._instances[number].name), [])


def shown(forest: Forest, others: Others = NOTHING, *, hint: bool = False) -> list[str]:
    plan = forest.solve()
    return list(overview(plan, Names(plan), others, hint=hint))


def detailed(forest: Forest, *own: str) -> list[str]:
    plan = forest.solve()
    return list(details(plan, Names(plan), Others(own)))


# One line for each loop


def test_a_loop_takes_one_line_the_widest_first() -> None:
    forest = Forest()
    forest.instances(rest="a/x", db="", mail="a/y", cache="a")
    forest.tests(**{"u": "mail", "a/y.py:u": "cache"})
    forest.tests(**{"a/x.py:t": "rest db", "a/y.py:t": "db", "a/z.py:t": "db", "v": "rest"})
    assert shown(forest) == [
        "session loop: 4 tests in 4 files and 2 fixtures, because of db (/suite.py:2)",
        "package loop of a: 1 test in a/y.py and 1 fixture, because of cache (/suite.py:4)",
        "module loop of a/y: 1 test and 1 fixture, because of mail (/suite.py:3)",
        "",
    ]


@pytest.mark.parametrize(
    ("others", "line"),
    [
        (Others(["t"]), "1 test has a loop of its own"),
        (Others(["t", "u"], ["v"]), "2 tests have a loop of their own; 1 sync test has none"),
        (Others((), ["v", "w"]), "2 sync tests have no loop"),
        (Others(["t"], ["v", "w"], {"anyio": ["x"]}), None),
        (Others((), (), {"anyio": ["x", "y"]}), "2 tests are run by anyio"),
    ],
)
def test_all_other_tests_are_counted_in_one_line(others: Others, line: str | None) -> None:
    line = line or "1 test has a loop of its own; 2 sync tests have none; 1 test is run by anyio"
    assert shown(Forest(), others) == [line, ""]


def test_nothing_is_shown_of_no_tests() -> None:
    assert shown(Forest(), hint=True) == []


def test_the_declaration_that_most_tests_use_is_named() -> None:
    forest = Forest()
    forest.instances(one="", two="", three="")
    forest.tests(t="one two three", u="two", v="two")
    assert shown(forest)[0].endswith(", because of two (/suite.py:2) and 2 more")


def test_a_declared_scope_is_a_reason_and_no_fixture() -> None:
    forest = Forest()
    place = forest.place("a/x")
    wide = Instance("pytest-asyncio's loop scope", place.scope, place, UNKNOWN, is_fixture=False)
    forest.planner.add_test("t", (forest.planner.add_instance(wide),))
    assert shown(forest)[0] == "module loop of a/x: 1 test, because of pytest-asyncio's loop scope"


def kinds(forest: Forest, number: int) -> None:
    """Add the instances that a fixture has for each loop factory."""
    place = forest.place("a/x")
    for kind in range(number):
        made = forest.planner.add_instance(Instance("made", place.scope, place, Location("/suite.py", 1)))
        forest.planner.add_test(f"t[{kind}]", (made,))
        forest.planner.declare(f"t[{kind}]", (FACTORY,))


def test_the_kinds_of_a_loop_share_a_line() -> None:
    forest = Forest()
    kinds(forest, 2)
    assert shown(forest)[0] == (
        "2 module loops of a/x, one per loop factory: 2 tests and 1 fixture, because of made (/suite.py:1)"
    )


def modules(forest: Forest, number: int, *, line: int | None = None) -> None:
    """Add modules, each with an instance of one fixture, or with a fixture of its own."""
    for each in range(number):
        place = forest.place(f"a/m{line}{each}")
        where = Location("/suite.py", each if line is None else line)
        rest = forest.planner.add_instance(Instance("rest", place.scope, place, where))
        for test in range(each + 1):
            forest.planner.add_test(f"m{line}{each}.py:t{test}", (rest,))


def test_few_loops_are_shown_one_by_one_even_if_one_fixture_is_the_reason() -> None:
    forest = Forest()
    modules(forest, 14, line=7)
    assert len(shown(forest)) == 15
    assert HINT not in shown(forest)


def test_of_many_loops_those_of_one_fixture_share_a_line() -> None:
    forest = Forest()
    modules(forest, 300, line=7)
    modules(forest, 3)
    assert shown(forest)[0] == (
        "300 module loops: 45150 tests in 300 files and 1 fixture, because of rest (/suite.py:7)"
    )
    assert shown(forest)[-2:] == [HINT, ""]
    assert len(shown(forest)) == 6


def test_more_than_a_screenful_is_counted() -> None:
    """The loops with the most tests are shown. All others are counted, and `-v` shows them."""
    forest = Forest()
    forest.instances(db="")
    forest.tests(t="db")
    modules(forest, 30)
    lines = shown(forest, Others(["t"]))
    assert len(lines) == 18
    assert lines[0].startswith("session loop: ")
    assert lines[1].startswith("module loop of a/mNone29: 30 tests ")
    assert lines[-4:] == ["and 17 module loops of 153 tests", "1 test has a loop of its own", HINT, ""]
    assert sum(int(line.partition(": ")[2].split()[0]) for line in lines[1:14]) + 153 == 30 * 31 / 2


# Members and chains


def test_a_test_that_reaches_the_top_itself_and_one_that_shares_it() -> None:
    forest = Forest()
    forest.instances(rest="a/x", db="")
    forest.tests(t="rest db", u="rest")
    assert detailed(forest, "alone") == [
        "session loop: 2 tests in t.py and 2 fixtures, because of db (/suite.py:2)",
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
    first, _, *lines, end = detailed(forest)
    assert first.startswith("module loop of a/x: 12 tests and 1 fixture")
    assert len(lines) > 1
    assert all(len(line) <= 120 for line in lines)
    assert lines[-1].endswith("rest <- /suite.py:1")  # a name stays on one line with its place
    assert end == ""


def test_a_component_of_no_test_is_not_shown() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    assert detailed(forest) == []
    assert shown(forest) == []


def test_aliases_are_no_fixtures() -> None:
    """An alias is another name for a service that is already counted."""
    forest = Forest()
    forest.instances(rest="a/x")
    place = forest.place("a/x")
    alias = Instance("api", place.scope, place, Location("/suite.py", 9), is_alias=True)
    number = forest.planner.add_instance(alias)
    forest.planner.add_test("t", (forest.numbers["rest"], number))
    first, *lines = detailed(forest)
    assert first == "module loop of a/x: 1 test and 1 fixture, because of rest (/suite.py:1)"
    assert not any(line.startswith("    api (scope") for line in lines)


def test_what_is_declared_for_a_loop_is_shown_with_its_place_and_tests_of_their_own_are_counted() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    forest.tests(t="rest")
    forest.planner.declare("t", (FACTORY,))
    lines = detailed(forest, "one", "two")
    assert lines[1] == "    loop factory: loop_config <- /conftest.py:3"
    assert lines[-3:] == ["loops of their own: 2 tests with no wider async fixture", "    one, two", ""]


def test_the_way_to_the_top_is_the_shortest_over_as_many_tests_as_it_takes() -> None:
    forest = Forest()
    forest.instances(db="", rest="a", cache="a/x")
    forest.tests(top="db rest", middle="rest cache", low="cache", direct="cache db")
    chains = {line.split(" -> ")[0].strip(): line for line in detailed(forest) if " -> session loop: " in line}
    assert chains["middle"].endswith("rest <- /suite.py:2; shared with top, which uses db <- /suite.py:1")
    assert chains["low"].endswith("cache <- /suite.py:3; shared with direct, which uses db <- /suite.py:1")


def test_the_cases_of_a_test_are_counted_and_its_kinds_of_loops_are_shown_together() -> None:
    forest = Forest()
    kinds(forest, 3)
    plan = forest.solve()
    assert list(details(plan, Names(plan)))[1:] == [
        "    loop factory: loop_config <- /conftest.py:3",
        "    made (scope module) <- /suite.py:1",
        "    t[3 cases] -> module loop: made <- /suite.py:1",
        "",
    ]
    apart = [line for line in details(plan, Names(plan), apart=True) if " -> " in line]
    assert apart == ["    t -> module loop: made <- /suite.py:1"] * 3


def test_no_line_is_broken_between_a_test_and_the_number_of_its_cases() -> None:
    forest = Forest()
    forest.instances(rest="a/x")
    forest.tests(**{f"test_{number}[{case}]": "rest" for number in range(40) for case in range(2)})
    lines = detailed(forest)
    assert any(line.count("[2 cases]") > 3 for line in lines)
    assert not any(line.endswith("[2") for line in lines)


def test_the_places_of_a_fixture_are_listed_once() -> None:
    forest = Forest()
    forest.instances(db="")
    modules(forest, 5, line=7)
    forest.tests(**{f"t{number}": "db" for number in range(5)})
    for number in range(5):
        forest.planner.add_test(f"j{number}", (forest.numbers["db"], number + 1))
    assert "    rest (scope module, on a/m70, a/m71, a/m72 and 2 more) <- /suite.py:7" in detailed(forest)


# Some tests


def explained(forest: Forest, tests: Sequence[str], others: Others = NOTHING) -> list[str]:
    plan = forest.solve()
    return list(some(plan, Names(plan), tests, others))


def test_one_test_is_explained_with_the_others_on_its_loop() -> None:
    forest = Forest()
    forest.instances(rest="a/x", db="", mail="a/y")
    forest.tests(**{"t": "rest db", "u": "rest", "w[1]": "db", "w[2]": "db", "elsewhere": "mail"})
    assert explained(forest, ["u"]) == [
        "session loop: 4 tests in t.py and 2 fixtures, because of db (/suite.py:2)",
        "    u -> session loop: rest <- /suite.py:1; shared with t, which uses client -> db <- /suite.py:2",
        "    rest (scope module) <- /suite.py:1",
        "    db (scope session) <- /suite.py:2",
        "    other tests: t, w[2 cases]",
        "",
    ]


def test_of_many_fixtures_and_tests_some_are_shown_and_the_rest_is_counted() -> None:
    forest = Forest()
    forest.instances(**{f"f{number}": "" for number in range(13)})
    forest.tests(t=" ".join(f"f{number}" for number in range(13)), **{f"t{number}": "f0" for number in range(15)})
    lines = explained(forest, ["t"])
    assert lines[-3] == "    and 7 more fixtures (-v shows all)"
    assert lines[-2] == "    other tests: t0, t1, t2, t3, t4, t5 and 9 more"
    assert len(lines) == 11


def test_tests_on_no_shared_loop_are_explained_too() -> None:
    others = Others(["own", "else"], ["sync"], {"anyio": ["theirs"]})
    assert explained(Forest(), ["own", "sync", "theirs"], others) == [
        "own -> a loop of its own: it uses no async fixture of a wider scope",
        "sync -> no loop: it is sync, and so is all that it uses",
        "theirs -> run by anyio",
        "",
    ]
