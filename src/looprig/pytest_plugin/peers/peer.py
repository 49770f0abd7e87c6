"""Descriptions of other async plugins: a subclass of `Peer` for each, in a file of its own.

Does not decide who runs what (`active` does).
"""

from typing import ClassVar, final

import pytest
from typing_extensions import override

from looprig.pytest_plugin._compat import Definition

__all__ = ["Everything", "Peer", "is_declared"]


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


@final
class Everything(Peer):
    """A plugin that has no mode: it runs every async test there is."""

    def __init__(self, name: str, plugin: str, module: str) -> None:
        """`plugin` is what `-p no:` takes, and `module` the package that its fixtures come from."""
        self.name = name
        self._plugin = plugin
        self._module = module

    @override
    def claims_everything(self, config: pytest.Config) -> str | None:
        return f"run with -p no:{self._plugin}"

    @override
    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return self.surrounds_with(definition)

    @override
    def surrounds_with(self, definition: Definition) -> bool:
        return (getattr(definition.func, "__module__", None) or "").startswith(self._module)


def is_declared(mark: str, item: pytest.Item) -> bool:
    """Return whether a test has a mark because of what is written in its file, and not because a plugin added it."""
    if item.parent is not None and item.parent.get_closest_marker(mark) is not None:
        return True
    own = (
        *getattr(getattr(item, "obj", None), "pytestmark", ()),
        *getattr(getattr(item, "callspec", None), "marks", ()),
    )
    return any(each.name == mark for each in own)
