"""Descriptions of other async plugins: a subclass of `Peer` for each, in a file of its own.

Does not decide who runs what (`active` does).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import pytest
from typing_extensions import override

from looprig.pytest_plugin._compat import Definition, visible_definitions
from looprig.pytest_plugin.is_async import is_async_test

__all__ = ["Everything", "Peer", "Words", "is_declared"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of another plugin that looprig makes needless."""

    marks: frozenset[str] = frozenset()
    """Marks of `pytest.mark`."""
    decorators: frozenset[str] = frozenset()
    """Decorators of fixtures, as `module.name`."""
    fixtures: Sequence[tuple[str, str]] = ()
    """Fixtures and hooks that a suite overrides or defines, each with what takes its place."""
    backends: frozenset[str] = frozenset()
    """Fixtures that are needless if all that they give is `asyncio`."""
    options: frozenset[str] = frozenset()
    """Options of the ini file."""


class Peer:
    """Another async plugin: what is explicitly its own, and what it does to tests while it collects."""

    name: str
    """What it is called in messages."""
    mark: ClassVar[str] = ""
    """The mark that makes a test explicitly its own."""
    fixture: ClassVar[str] = ""
    """The fixture that does the same."""
    decorator: ClassVar[str] = ""
    """What makes a fixture explicitly its own, whichever test uses it."""
    put_on_functions: ClassVar[tuple[str, tuple[str, ...]] | None] = None
    """The mark that it puts on the function of every async test: its name and arguments."""
    put_on_items: ClassVar[str] = ""
    """The name of the mark that it puts on the item of every async test."""
    adopted_as: str = ""
    """The name by which a suite has looprig run what is its own; empty if looprig can't."""
    needless: ClassVar[Words] = Words()
    """What a suite that is adopted no longer has to say."""
    factory_fixtures: ClassVar[Sequence[str]] = ()
    """The fixtures of its own that settle which kind of loop a test runs on."""

    def claims_everything(self, config: pytest.Config) -> str | None:
        """Return what to do so that it no longer claims every async test; `None` if it does not."""
        return None

    def claims_test(self, item: pytest.Function) -> bool:
        """Return whether a test is explicitly its own."""
        return False

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        """Return whether a fixture, as used by the test, is explicitly its own."""
        return self.claims_test(item)

    def makes(self, definition: Definition) -> bool:
        """Return whether a fixture was made with `decorator`."""
        return False

    def surrounds_with(self, definition: Definition) -> bool:
        """Return whether a fixture is one that it puts around every test."""
        return False

    def replaces(self, item: pytest.Function) -> bool:
        """Return whether an item is of a class of its own, in the place of pytest's."""
        return False

    # For a suite that is adopted

    def runs(self, item: pytest.Function) -> bool:
        """Return whether this plugin would run an async test, or is otherwise concerned with it."""
        return self.claims_test(item)

    def keeps(self, item: pytest.Function) -> bool:
        """Return whether only this plugin can run a test."""
        return False

    def loop_scopes(self, item: pytest.Function) -> Iterator[str]:
        """Yield the scopes that the suite gives, in this plugin's words, to the loop of a test and of its fixtures."""
        yield from ()

    def mismatches(self, item: pytest.Function) -> Iterator[tuple[Definition, str, str]]:
        """Yield the fixtures of a test that this plugin would run on another loop, with the scopes of both loops."""
        yield from ()

    def loop_factory(self, value: Any) -> Callable[[], Any] | None:
        """Return the loop factory that a value of one of `factory_fixtures` means, if it means one."""
        return None

    def loop_debug(self, config: pytest.Config) -> bool:
        """Return whether its options turn asyncio's debug mode on."""
        return False

    def gives_loop(self, definition: Definition) -> bool:
        """Return whether a fixture of its own gives the test's loop."""
        return False

    def loop_given(self, loop: Any, arguments: Mapping[str, Any]) -> None:
        """Do what a fixture of `gives_loop` does with the loop, by what it requests."""

    def loop_factory_by_default(self) -> Callable[[], Any] | None:
        """Return the factory of its loops where nothing says which; `None` means asyncio's own."""
        return None

    def executor_by_default(self, config: pytest.Config) -> Callable[[int | None], Any] | None:
        """Return the factory of its loops' executors where nothing says which; `None` means asyncio's own."""
        return None

    def wrapper_of_test(self, item: pytest.Function) -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
        """Return what wraps the function of a test that is about to be called, if anything does."""
        return None

    def stand_in(self, definition: Definition, item: pytest.Function) -> Callable[..., Any] | None:
        """Return the function that sets up a fixture of its own, if not the fixture's."""
        return None


class Everything(Peer):
    """A plugin that has no mode: it runs every async test there is."""

    def __init__(self, name: str, plugin: str, modules: tuple[str, ...], adopted_as: str = "") -> None:
        """`plugin` is what `-p no:` takes, and `modules` are what the modules of its fixtures begin with."""
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
    """Return whether a test has a mark because of what is written in its file, and not because a plugin added it."""
    if item.parent is not None and item.parent.get_closest_marker(mark) is not None:
        return True
    own = (
        *getattr(getattr(item, "obj", None), "pytestmark", ()),
        *getattr(getattr(item, "callspec", None), "marks", ()),
    )
    return any(each.name == mark for each in own)
