"""Parametrized values as expressions that type checkers can read."""

import enum
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from looprig.check.typetext import InexpressibleError, Writer
from looprig.check.values import Value


class Color(enum.Flag):
    """An enum with members without a name."""

    RED = 1


class Rude:
    """An object whose own code must not run."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

    def __repr__(self) -> str:
        raise AssertionError

    def __bool__(self) -> bool:
        raise AssertionError

    def method(self) -> None: ...


class Moved:
    """A class that a package re-exports, and that claims to come from a module inside."""


MOVED = Moved
Moved.__module__ = f"{__name__}._hidden"


def rendered(value: object) -> str:
    writer = Writer()
    code = Value(value).render(writer).code
    for line in writer.names.imports({}):
        _, module, _, name, _, alias = line.split()
        code = code.replace(alias, f"{module}.{name}")
    return code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1, "1"),
        (True, "True"),
        (None, "None"),
        (..., "..."),
        (1.5, "float()"),
        (float("inf"), "float()"),
        ("x" * 500, repr("x" * 200)),
        (b"x", "b'x'"),
        ([1, ("a",), {"b": {2}}], "[1, ('a',), {'b': {2}}]"),
        (set[int](), "set()"),
        (frozenset[int](), "frozenset()"),
        (frozenset({1}), "frozenset({1})"),
        ((), "()"),
        (Color.RED, f"{__name__}.Color.RED"),
        (Color(0), f"_instance({__name__}.Color)"),
        (Color, f"{__name__}.Color"),
        (int, "builtins.int"),
        pytest.param(Rude(), f"_instance({__name__}.Rude)", id="rude"),
        (rendered, f"{__name__}.rendered"),
        (len, "builtins.len"),
        (str.upper, "_instance(types.MethodDescriptorType)"),
        (Value(1).shown, "_instance(types.MethodType)"),
        (object(), "_instance(builtins.object)"),
        ([0] * 201, "_instance(builtins.list)"),
        ([0] * 200, str([0] * 200)),
        (MOVED, f"{__name__}.Moved"),
        (Mock(), "_instance(unittest.mock.Mock)"),  # each has its own class, which nothing can import
    ],
)
def test_a_value_is_written_as_a_suite_would(value: object, code: str) -> None:
    assert rendered(value) == code


def made_in_a_function() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


def class_made_in_a_function() -> type:
    class Inner(Rude): ...

    return Inner


NAMELESS: list[object] = [
    lambda: 1,
    class_made_in_a_function(),
    made_in_a_function(),
    enum,
    dict[int, int]().keys(),
    list[int],
    int | str,
]


@pytest.mark.parametrize("value", [*NAMELESS, [[[[[[[[1]]]]]]]]])
def test_what_has_no_name_is_not_guessed_at(value: object) -> None:
    with pytest.raises(InexpressibleError):
        rendered(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1, "1"),
        ("x" * 50, repr("x" * 50)[:37] + "..."),
        (Color.RED, "Color.RED"),
        ("x" * 38, repr("x" * 38)),
        ("x" * 39, repr("x" * 39)[:37] + "..."),
        (Color, "type[Color]"),
        (rendered, "rendered"),
        ([1, {"b": {2}}], "[1, {'b': {2}}]"),
        ([[[[[[[1]]]]]]], "[[[[[[list]]]]]]"),
        ((), "()"),
        (("a",), "('a',)"),
        ({"b", "a"}, "{'a', 'b'}"),
        (set[int](), "set()"),
        (frozenset({2, 1}), "frozenset({1, 2})"),
        (Color(0), "Color(0)" if Color(0).name is None else "Color."),
        ({"a" * 40: ["b"], "c": None}, "dict[str, list[str] | None]"),
        (("a" * 40, 1), "tuple[int | str, ...]"),
        ([Rude()] * 20, "list[Rude]"),
        ([0] * 201, "list"),
        pytest.param(Rude(), "Rude", id="rude"),
    ],
)
def test_it_is_told_without_running_the_suites_code(value: object, shown: str) -> None:
    assert Value(value).shown() == shown


def test_a_tuple_of_containers_can_be_of_any_length() -> None:
    text = Value(({"a": 1}, ([1],))).render(Writer())
    assert (text.code, *text.others) == (
        "({'a': 1}, ([1],))",
        "_tuple({'a': 1}, _tuple([1]))",
        "({'a': 1}, _tuple([1]))",
    )
    assert Value((1, ())).render(Writer()).others == ("_tuple(1, ())",)
    assert Value([1, (2, 3)]).render(Writer()).others == ()
