"""The public packages: the names that they hand on are there, typed, documented, and known by their public path."""

import ast
import importlib
import inspect
import os
import sys
import typing
from pathlib import Path

import pytest

import looprig
from tests.house.repository import PUBLIC_PACKAGES, ROOT

PUBLIC = [(package, name) for package in PUBLIC_PACKAGES for name in sorted(importlib.import_module(package).__all__)]
# What can say where it comes from; constants and type aliases cannot.
NAMED = [
    (package, name)
    for package, name in PUBLIC
    if inspect.isclass(value := getattr(sys.modules[package], name)) or inspect.isroutine(value)
]


@pytest.mark.parametrize("package", PUBLIC_PACKAGES)
def test_names_are_sorted_and_stand_there_once(package: str) -> None:
    names = sys.modules[package].__all__
    assert list(names) == sorted(set(names))


def test_the_face_is_small() -> None:
    """It has what most suites use; all else is in a package of its own."""
    assert len(looprig.__all__) <= 49


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_every_name_resolves(package: str, name: str) -> None:
    assert getattr(sys.modules[package], name) is not None
    assert name in dir(sys.modules[package])


@pytest.mark.parametrize("package", PUBLIC_PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(sys.modules[package], "no_such_name")  # noqa: B009 - a type checker would see through the attribute


@pytest.mark.parametrize("package", PUBLIC_PACKAGES)
def test_type_checkers_see_the_names_that_are_there_at_run_time(package: str) -> None:
    """Checkers see the names imported as `X as X`; users get those in `__all__`."""
    file = sys.modules[package].__file__
    assert file is not None
    handed_on = {
        alias.asname
        for node in ast.walk(ast.parse(Path(file).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert handed_on == set(sys.modules[package].__all__)


@pytest.mark.parametrize(("package", "name"), NAMED)
def test_every_object_is_known_by_its_public_path(package: str, name: str) -> None:
    assert getattr(sys.modules[package], name).__module__ == package


@pytest.mark.parametrize(("package", "name"), NAMED)
def test_type_hints_can_be_read_at_run_time(package: str, name: str) -> None:
    public = getattr(sys.modules[package], name)
    typing.get_type_hints(public, include_extras=True)
    if inspect.isclass(public):
        for attribute, member in vars(public).items():
            function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
            if inspect.isfunction(function) and not attribute.startswith("_"):
                typing.get_type_hints(function, include_extras=True)


@pytest.mark.parametrize(("package", "name"), NAMED)
def test_every_object_has_a_docstring_of_its_own(package: str, name: str) -> None:
    public = getattr(sys.modules[package], name)
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
