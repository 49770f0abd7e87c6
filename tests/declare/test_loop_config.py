"""`loop_config` accepts every property of a loop, and rejects invalid values at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from looprig import DeclarationError, loop_config
from looprig.declare.loop_config import LoopConfig, configs_in
from looprig.scopes import Scope

config: Any = loop_config


def test_what_is_not_declared_is_none() -> None:
    made = loop_config()
    assert (made.scope, made.factory, made.factories, made.debug) == (Scope.FUNCTION, None, {}, None)
    assert (made.executor, made.timeout) == (None, None)
    assert made.location.path == __file__


def test_what_is_declared_is_kept() -> None:
    made = loop_config(
        scope="session", factory=asyncio.new_event_loop, debug=False, executor=ThreadPoolExecutor, timeout=2
    )
    assert (made.scope, made.factory, made.debug) == (Scope.SESSION, asyncio.new_event_loop, False)
    assert (made.executor, made.timeout) == (ThreadPoolExecutor, 2)


def test_named_factories_are_copied() -> None:
    factories = {"asyncio": asyncio.new_event_loop}
    made = loop_config(factories=factories)
    factories.clear()
    assert list(made.factories) == ["asyncio"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scope": "modul"}, "loop_config has scope 'modul', which pytest does not know."),
        ({"factory": asyncio.new_event_loop, "factories": {}}, "loop_config was given both factory and factories."),
        ({"factories": {}}, "loop_config was given empty factories."),
        ({"factories": [asyncio.new_event_loop]}, "as factories, which isn't a mapping."),
        ({"factories": {"a": None}}, "loop_config was given 'a': None in factories."),
        ({"factories": {1: asyncio.new_event_loop}}, "loop_config was given 1: "),
        ({"factory": asyncio}, "loop_config was given factory=<module 'asyncio'"),
        ({"executor": 4}, "loop_config was given executor=4."),
        ({"timeout": 0}, "loop_config was given timeout=0."),
        ({"debug": "yes"}, "loop_config was given debug='yes'."),
        ({"factories": {"": asyncio.new_event_loop}}, "loop_config was given '': "),
        ({"timeout": "5"}, "loop_config was given timeout='5'."),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        config(**options)
    assert message in str(caught.value)
    assert caught.value.fix
    assert caught.value.parties[0][1].path == __file__


PARTS = {
    "scope": ('scope="module"', 'scope="class"', "scope"),
    "factory": ("factory=one", "factory=two", "factory"),
    "factories": ('factories={"a": one}', 'factories={"a": two}', "factory"),
    "names of factories": ('factories={"a": one}', 'factories={"b": one}', "factory"),
    "factory and factories": ("factory=one", 'factories={"a": one}', "factory"),
    "factories and factory": ('factories={"a": one}', "factory=one", "factory"),
    "debug": ("debug=True", "debug=False", "debug"),
    "executor": ("executor=one", "executor=two", "executor"),
    "timeout": ("timeout=1", "timeout=2", "timeout"),
}


def declared(*configs: str) -> list[LoopConfig]:
    """Return what a module with these lines declares."""
    lines = "\n".join(f"loop_config({config})" for config in configs)
    module = ModuleType("conftest")
    code = f"from looprig import loop_config\ndef one(): ...\ndef two(): ...\n{lines}\n"
    exec(compile(code, "conftest.py", "exec"), vars(module))  # noqa: S102 - a module declares it by running
    return list(configs_in(module))


@pytest.mark.parametrize(("first", "second", "name"), PARTS.values(), ids=PARTS)
def test_two_of_one_module_cannot_contradict_each_other(first: str, second: str, name: str) -> None:
    with pytest.raises(DeclarationError, match=f"Two loop_config calls in one module set different values of {name}"):
        declared(first, second)


@pytest.mark.parametrize(("first", "second", "name"), PARTS.values(), ids=PARTS)
def test_two_of_one_module_may_say_the_same_or_each_a_part(first: str, second: str, name: str) -> None:
    del name
    assert len(declared(first, first)) == 2
    assert len(declared(first, "")) == 2
    assert len(declared("", second)) == 2


def test_each_of_several_is_held_against_all() -> None:
    with pytest.raises(DeclarationError) as caught:
        declared("debug=True", "timeout=1", "debug=False")
    assert [place.line for _, place in caught.value.parties] == [4, 6]
