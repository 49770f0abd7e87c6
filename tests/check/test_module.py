"""The generated module. Edges that can't be written into it are kept with the reason, and counted for users."""

import ast
from typing import TypeVar

import pytest

from looprig.check.edges import Edge
from looprig.check.module import generate
from looprig.check.source import Source, Spot
from looprig.check.typetext import Writer, Written
from looprig.check.values import Value
from tests.plugin.suite import KEEPING

TEXT = """
from typing import Self, TypeVar
T = TypeVar("T")
class Plain: ...
"""


def written(annotation: str) -> Written:
    source = Source("/p/a.py", "a", TEXT, {"T": TypeVar("T")})
    return Written(source, ast.parse(annotation, mode="eval").body)


def edge(name: str, declared: str, provided: Written | Value) -> Edge:
    return Edge("fixture-type", "test", name, Spot("/p/a.py", 1), written(declared), provided, "fixture")


def test_an_edge_that_cannot_be_written_is_kept_with_its_reason() -> None:
    draft = generate(
        [
            edge("itself", "Self", written("Plain")),
            edge("variable", "list[T]", written("Plain")),
            edge("module", "Plain", Value(ast)),
            edge("gone", "Missing", written("Plain")),
            edge("right", "Plain", written("Plain")),
        ],
        Writer(),
    )
    assert [(each.edge.name, each.name, each.reason) for each in draft.unread] == [
        ("itself", "", "Self has no meaning outside of its class"),
        ("variable", "", "T is a type variable"),
        ("module", "", "it is a module"),
        ("gone", "Missing", '"Missing" cannot be resolved'),
    ]
    generated = draft.finish({})
    assert [[each.name for each in edges] for edges in generated.edges.values()] == [["right"]]
    assert generated.unread == draft.unread


def test_edges_of_the_same_types_share_a_line_and_names_are_probed_once() -> None:
    generated = generate(
        [edge("one", "Plain", written("Plain")), edge("two", "Plain", written("Plain"))], Writer()
    ).finish({})
    ((line, edges),) = generated.edges.items()
    lines = generated.text.splitlines()
    assert [each.name for each in edges] == ["one", "two"]
    assert lines[line - 1].startswith("def e0(")
    (probes,) = generated.probes.values()
    assert [lines[number - 1].partition("(")[0] for number in probes] == ["def p0", "def q0"]


def test_values_are_not_probed_for_what_their_classes_are() -> None:
    """Only the types of their parameters are probed."""
    generated = generate([edge("one", "int | Plain", Value(Spot("x", 1)))], Writer()).finish({})
    assert list(generated.declared.values()) == [(("_1", "Plain"),)]
    assert list(generated.provided.values()) == [()]


def test_what_cannot_be_written_is_counted_by_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from typing import TypeVar
        import pytest
        T = TypeVar("T")
        @pytest.fixture
        def number() -> int: return 1
        @pytest.fixture
        def anything() -> "list[T]": return []
        @pytest.mark.parametrize("call", [lambda: 1, lambda: 2])
        def test_call(call: int) -> None: ...
        def test_one(number: int) -> None: ...
        def test_two(anything: list[int]) -> None: ...
    """)
    result = pytester.runpytest_subprocess(*KEEPING, "-v", "--check-fixtures=ty")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([
        "No finding: 1 edge checked with ty.",
        "2 edges not checked: <lambda> cannot be imported.",
        "1 edge not checked: T is a type variable.",
        "*:9:*: call not checked: <lambda> cannot be imported",
    ])  # fmt: skip
