"""`loop_config` takes what a loop can be, and tells at once what it cannot."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from looprig import DeclarationError, loop_config
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
        ({"factories": {}}, "loop_config was given no factory in factories."),
        ({"factories": [asyncio.new_event_loop]}, "as factories, which is no mapping."),
        ({"factories": {"a": None}}, "loop_config was given 'a': None in factories."),
        ({"factories": {1: asyncio.new_event_loop}}, "loop_config was given 1: "),
        ({"factory": asyncio}, "as factory, which cannot be called."),
        ({"executor": 4}, "loop_config was given 4 as executor, which cannot be called."),
        ({"timeout": 0}, "loop_config was given timeout=0."),
        ({"timeout": "5"}, "loop_config was given timeout='5'."),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        config(**options)
    assert message in str(caught.value)
    assert caught.value.fix
    assert caught.value.parties[0][1].path == __file__
