"""The public names: `from looprig import ...` works for all, with types and the public path as module."""

import ast
import importlib
import inspect
import os
import sys
import typing
from pathlib import Path

import pytest

import looprig
from tests.house.repository import ROOT

PUBLIC = sorted(looprig.__all__)
# Objects that know their module; a constant doesn't.
NAMED = [
    name for name in PUBLIC if inspect.isclass(getattr(looprig, name)) or inspect.isroutine(getattr(looprig, name))
]


def test_names_are_sorted_and_stand_there_once() -> None:
    assert list(looprig.__all__) == sorted(set(looprig.__all__))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_resolves(name: str) -> None:
    assert getattr(looprig, name) is not None
    assert name in dir(looprig)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(looprig, "no_such_name")  # noqa: B009 - a type checker would see through the attribute


def test_type_checkers_see_the_names_that_are_there_at_run_time() -> None:
    """Checkers see what is re-exported as `X as X`; users get `__all__`."""
    tree = ast.parse(Path(looprig.__file__).read_text("utf-8"))
    handed_on = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert handed_on == set(looprig.__all__)


@pytest.mark.parametrize("name", NAMED)
def test_every_object_is_known_by_its_public_path(name: str) -> None:
    assert getattr(looprig, name).__module__ == "looprig"


@pytest.mark.parametrize("name", NAMED)
def test_type_hints_can_be_read_at_run_time(name: str) -> None:
    public = getattr(looprig, name)
    typing.get_type_hints(public, include_extras=True)
    if inspect.isclass(public):
        for attribute, member in vars(public).items():
            function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
            if inspect.isfunction(function) and not attribute.startswith("_"):
                typing.get_type_hints(function, include_extras=True)


@pytest.mark.parametrize("name", NAMED)
def test_every_object_has_a_docstring_of_its_own(name: str) -> None:
    public = getattr(looprig, name)
    docstring: str | None = public.__doc__
    assert docstring
    assert docstring not in [base.__doc__ for base in getattr(public, "__mro__", ())[1:]]
    assert not docstring.startswith(f"{name}(")  # the docstring that a dataclass gets by default


def test_the_modules_are_all_importable() -> None:
    package = Path(looprig.__file__).parent
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        importlib.import_module(".".join(parts).removesuffix(".__init__"))


def test_type_information_is_shipped() -> None:
    assert Path(looprig.__file__).with_name("py.typed").is_file()


@pytest.mark.skipif(os.environ.get("LOOPRIG_TESTED") != "wheel", reason="not a run against the wheel")
def test_the_wheel_is_what_is_tested() -> None:
    assert not Path(looprig.__file__).is_relative_to(ROOT / "src")
    assert not any(Path(entry).resolve() == ROOT / "src" for entry in sys.path)
