"""Descriptions of other async plugins: a subclass of `Peer` for each, in a file of its own.

Does not decide which plugin runs a test (`active` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, final

import pytest
from typing_extensions import override

from looprig.pytest_plugin._compat import Definition, visible_definitions
from looprig.pytest_plugin.is_async import is_async_test

__all__ = ["Everything", "Peer", "Words", "is_declared"]


@final
class Words(NamedTuple):
    """The names in another plugin's API that looprig makes needless."""

    marks: frozenset[str] = frozenset()
    """The marks, as in `pytest.mark`."""
    decorators: frozenset[str] = frozenset()
    """The decorators of fixtures, as `module.name`."""
    fixtures: Sequence[tuple[str, str]] = ()
    """The fixtures and hooks that a suite overrides or defines, each with its replacement."""
    backends: frozenset[str] = frozenset()
    """The fixtures that are needless if they only return "asyncio"."""
    options: frozenset[str] = frozenset()
    """The options in the ini file."""


class Peer:
    """Another async plugin: how to recognize its tests and fixtures, and what it does to tests during collection."""

    name: str
    """The name of the plugin in messages."""
    mark: ClassVar[str] = ""
    """The mark that explicitly claims a test for this plugin."""
    fixture: ClassVar[str] = ""
    """The fixture that explicitly claims each test that uses it for this plugin."""
    decorator: ClassVar[str] = ""
    """The decorator that explicitly claims a fixture for this plugin, whichever test uses the fixture."""
    put_on_functions: ClassVar[tuple[str, tuple[str, ...]] | None] = None
    """The mark that this plugin puts on the function of every async test: name and arguments."""
    put_on_items: ClassVar[str] = ""
    """The name of the mark that this plugin puts on the item of every async test."""
    adopted_as: str = ""
    """The name to pass to `--adopt`, or "" if looprig can't adopt this plugin."""
    needless: ClassVar[Words] = Words()
    """The names that an adopted suite no longer needs."""
    factory_fixtures: ClassVar[Sequence[str]] = ()
    """Those of its fixtures that determine the kind of loop that a test runs on."""

    def claims_everything(self, config: pytest.Config) -> str | None:
        """Return a way to stop this plugin from claiming every async test, or `None` if it doesn't claim them."""
        return None

    def claims_test(self, item: pytest.Function) -> bool:
        """Return whether a test explicitly belongs to this plugin."""
        return False

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        """Return whether a fixture, as used by this test, explicitly belongs to this plugin."""
        return self.claims_test(item)

    def makes(self, definition: Definition) -> bool:
        """Return whether a fixture was defined with `decorator`."""
        return False

    def surrounds_with(self, definition: Definition) -> bool:
        """Return whether this plugin puts a fixture around every test."""
        return False

    def replaces(self, item: pytest.Function) -> bool:
        """Return whether this plugin replaced pytest's item with one of its own class."""
        return False

    # For adopted suites

    def runs(self, item: pytest.Function) -> bool:
        """Return whether this plugin would run an async test, or would otherwise take part in it."""
        return self.claims_test(item)

    def keeps(self, item: pytest.Function) -> bool:
        """Return whether only this plugin can run a test."""
        return False

    def loop_scopes(self, item: pytest.Function) -> Iterator[str]:
        """Yield the scopes that the suite declares for the loops of a test and its fixtures, in this plugin's way."""
        yield from ()

    def mismatches(self, item: pytest.Function) -> Iterator[tuple[Definition, str, str]]:
        """Yield the fixtures of a test that this plugin would run on another loop, with the scopes of both loops."""
        yield from ()

    def loop_factory(self, value: Any) -> Callable[[], Any] | None:
        """Return the loop factory for the value of one of `factory_fixtures`, or `None` if it doesn't determine one."""
        return None

    def loop_debug(self, config: pytest.Config) -> bool:
        """Return whether the options of this plugin turn asyncio's debug mode on."""
        return False

    def gives_loop(self, definition: Definition) -> bool:
        """Return whether a fixture is this plugin's own and returns the test's loop."""
        return False

    def loop_given(self, loop: Any, arguments: Mapping[str, Any]) -> None:
        """Do to the loop what the plugin's own loop fixture does to it, given that fixture's arguments."""

    def loop_factory_by_default(self) -> Callable[[], Any] | None:
        """Return the loop factory that this plugin uses by default. `None` means asyncio's own."""
        return None

    def executor_by_default(self, config: pytest.Config) -> Callable[[int | None], Any] | None:
        """Return the factory for executors of loops that this plugin uses by default. `None` means asyncio's own."""
        return None

    def wrapper_of_test(self, item: pytest.Function) -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
        """Return a wrapper for the function of a test that is about to be called, or `None` if it needs none."""
        return None

    def stand_in(self, definition: Definition, item: pytest.Function) -> Callable[..., Any] | None:
        """Return a function that sets up one of this plugin's fixtures, or `None` to use the fixture's own function."""
        return None


class Everything(Peer):
    """A plugin without a mode, which runs every async test."""

    def __init__(self, name: str, plugin: str, modules: tuple[str, ...], adopted_as: str = "") -> None:
        """Describe a plugin. `plugin` is its name for `-p no:`, `modules` are prefixes of its fixtures' modules."""
        self.name = name
        self.adopted_as = adopted_as
        self._plugin = plugin
        self._modules = modules

    @override
    def claims_everything(self, config: pytest.Config) -> str | None:
        return f"run with -p no:{self._plugin}"

    @override
    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return self.surrounds_with(definition)

    @override
    def surrounds_with(self, definition: Definition) -> bool:
        return (getattr(definition.func, "__module__", None) or "").startswith(self._modules)

    @override
    def runs(self, item: pytest.Function) -> bool:
        return is_async_test(item) or any(self.gives_loop(each) for each in visible_definitions("loop", item)[-1:])

    @override
    def gives_loop(self, definition: Definition) -> bool:
        return definition.argname == "loop" and self.surrounds_with(definition)


def is_declared(mark: str, item: pytest.Item) -> bool:
    """Return whether a test's mark is written in the suite, and not added by a plugin."""
    if item.parent is not None and item.parent.get_closest_marker(mark) is not None:
        return True
    own = (
        *getattr(getattr(item, "obj", None), "pytestmark", ()),
        *getattr(getattr(item, "callspec", None), "marks", ()),
    )
    return any(each.name == mark for each in own)
