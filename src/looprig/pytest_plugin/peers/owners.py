"""Who runs what, where other async plugins are active too: each test and fixture has exactly one owner.

The other plugin owns what is explicitly its own, by its marker or its decorator; looprig owns the rest. Beside a plugin
that claims every async test looprig stands back: then it owns the tests that stand on its own declarations, with their
fixtures, and nothing else (`standing_back` has what that takes).
"""

from collections.abc import Callable
from typing import Final, Protocol, final

import pytest

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.is_async import is_async_test

__all__ = ["Owner", "Owners", "claims_everything", "has_policy_fixture", "header", "is_declared"]


class Owner(Protocol):
    """Another async plugin, as far as its claims go."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def mark(self) -> str:
        """What makes a test explicitly its own; empty if nothing does."""
        ...

    @property
    def decorator(self) -> str:
        """What makes a fixture explicitly its own, whichever test uses it; empty if nothing does."""
        ...

    def claims_everything(self, config: pytest.Config) -> str | None:
        """What to do so that it no longer claims every async test; `None` if it does not."""
        ...

    def claims_test(self, item: pytest.Function) -> bool:
        """Whether the test is explicitly its own."""
        ...

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        """Whether the fixture, as used by the test, is explicitly its own."""
        ...

    def makes(self, definition: Definition) -> bool:
        """Whether the fixture was made with `decorator`."""
        ...


def _setting(config: pytest.Config, name: str) -> object:
    """An option or ini value of another plugin; `None` in versions of it that have none."""
    try:
        return config.getoption(name, None) or config.getini(name)
    except (KeyError, ValueError):
        return None


def is_declared(mark: str, item: pytest.Item) -> bool:
    """Whether a test has a mark because of what stands in its file, and not because some plugin has added it."""
    if item.parent is not None and item.parent.get_closest_marker(mark) is not None:
        return True
    own = (
        *getattr(getattr(item, "obj", None), "pytestmark", ()),
        *getattr(getattr(item, "callspec", None), "marks", ()),
    )
    return any(each.name == mark for each in own)


@final
class _PytestAsyncio:
    name: str = "pytest-asyncio"
    mark: str = "@pytest.mark.asyncio"
    decorator: str = "@pytest_asyncio.fixture"

    def claims_everything(self, config: pytest.Config) -> str | None:
        mode = _setting(config, "asyncio_mode")
        return "set asyncio_mode = strict" if str(getattr(mode, "value", mode)) == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        if item.get_closest_marker("asyncio") is None:
            return False
        # In auto mode it marks every async test itself.
        return self.claims_everything(item.config) is None or is_declared("asyncio", item)

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        if not self.makes(definition):
            return False
        function = getattr(definition.func, "__func__", definition.func)
        # An instance that is for one test alone, and for no particular loop, can be on the loop of that test.
        is_free = definition.scope == "function" and getattr(function, "_loop_scope", None) is None
        return not (is_free and is_async_test(item) and not self.claims_test(item))

    def makes(self, definition: Definition) -> bool:
        function = getattr(definition.func, "__func__", definition.func)
        return bool(getattr(function, "_force_asyncio_fixture", False))


@final
class _AnyIO:
    name: str = "anyio"
    mark: str = "@pytest.mark.anyio"
    decorator: str = ""

    def claims_everything(self, config: pytest.Config) -> str | None:
        mode = _setting(config, "anyio_mode")
        return "set anyio_mode = strict" if mode == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames or item.get_closest_marker("anyio") is not None

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames

    def makes(self, definition: Definition) -> bool:
        return False


@final
class _PytestTrio:
    name: str = "pytest-trio"
    mark: str = "@pytest.mark.trio"
    decorator: str = ""

    def claims_everything(self, config: pytest.Config) -> str | None:
        return "set trio_mode = false" if _setting(config, "trio_mode") else None

    def claims_test(self, item: pytest.Function) -> bool:
        if item.get_closest_marker("trio") is None:
            return False
        return self.claims_everything(item.config) is None or is_declared("trio", item)

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return self.claims_test(item)

    def makes(self, definition: Definition) -> bool:
        return False


@final
class _Everything:
    """A plugin that has no mode: it runs every async test there is."""

    mark: str = ""
    decorator: str = ""

    def __init__(self, name: str, plugin: str, module: str) -> None:
        self.name: str = name
        self._plugin = plugin
        self._module = module

    def claims_everything(self, config: pytest.Config) -> str | None:
        return f"run with -p no:{self._plugin}"

    def claims_test(self, item: pytest.Function) -> bool:
        return False

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return self.brings(definition)

    def brings(self, definition: Definition) -> bool:
        return (getattr(definition.func, "__module__", None) or "").startswith(self._module)

    def makes(self, definition: Definition) -> bool:
        return False


_ALT: Final = _Everything("alt-pytest-asyncio", "alt_pytest_asyncio.enable", "alt_pytest_asyncio")
_KNOWN: Final[dict[tuple[str, ...], Owner]] = {
    ("asyncio", "pytest_asyncio.plugin"): _PytestAsyncio(),
    ("anyio", "anyio.pytest_plugin"): _AnyIO(),
    ("trio", "pytest_trio.plugin"): _PytestTrio(),
    ("aiomisc", "aiomisc_pytest", "aiomisc.pytest"): _Everything("aiomisc-pytest", "aiomisc", "aiomisc"),
    # Its entry point, `alt_pytest_asyncio`, only adds options: it runs tests where it is enabled.
    ("alt_pytest_asyncio.enable",): _ALT,
    ("aiohttp.pytest_plugin",): _Everything(
        "aiohttp's own pytest plugin", "aiohttp.pytest_plugin", "aiohttp.pytest_plugin"
    ),
}
"""By the names a plugin goes by: that of its entry point, and that of its module where it is loaded with -p."""


def _active(config: pytest.Config) -> list[Owner]:
    manager = config.pluginmanager
    active = [owner for names, owner in _KNOWN.items() if any(manager.has_plugin(name) for name in names)]
    # A conftest may also make the plugin itself, with a loop of its own.
    if _ALT not in active and any(
        type(plugin).__name__ == "AltPytestAsyncioPlugin" for plugin in manager.get_plugins()
    ):
        active.append(_ALT)
    return active


def claims_everything(config: pytest.Config) -> list[tuple[Owner, str]]:
    """The other plugins that claim every async test, each with what to do so that it no longer does."""
    return [(owner, remedy) for owner in _active(config) if (remedy := owner.claims_everything(config)) is not None]


def header(config: pytest.Config) -> str | None:
    """The line that says why looprig stands back, if it does."""
    if not (claiming := claims_everything(config)):
        return None
    names = " and ".join(owner.name for owner, _ in claiming)
    claims = "claims" if len(claiming) == 1 else "claim"
    remedies = " and ".join(remedy for _, remedy in claiming)
    return (
        f"looprig: {names} {claims} every async test, so looprig runs only those that use its services; to have it run "
        f"all, {remedies}"
    )


def has_policy_fixture(config: pytest.Config) -> bool:
    """Whether another plugin gives `event_loop_policy`."""
    return any(isinstance(owner, _PytestAsyncio) for owner in _active(config))


@final
class Owners:
    """The other async plugins that are active in a run.

    `is_ours` says whether a test stands on declarations of looprig's own.
    """

    def __init__(self, config: pytest.Config, is_ours: Callable[[pytest.Function], bool]) -> None:
        self._active = _active(config)
        self._claiming: Owner | None = next((owner for owner, _ in claims_everything(config)), None)
        self._is_ours = is_ours

    @property
    def stands_back(self) -> bool:
        """Whether another plugin runs all that does not stand on looprig's own declarations."""
        return self._claiming is not None

    def owner_of_test(self, item: pytest.Function) -> Owner | None:
        """The other plugin that owns the test, or `None` if looprig does; where looprig stands back, sync ones too."""
        for owner in self._active:
            if owner.claims_test(item):
                return owner
        return self._claiming if self.leaves(item) else None

    def owner_of_fixture(self, definition: Definition, item: pytest.Function) -> Owner | None:
        """The other plugin that owns the fixture as used by the test, or `None` if looprig does."""
        for owner in self._active:
            if owner.claims_fixture(definition, item):
                return owner
        return self._claiming if self.leaves(item) else None

    def leaves(self, item: pytest.Function) -> bool:
        """Whether looprig stands back from a test, and has nothing to do with it."""
        return self._claiming is not None and not self._is_ours(item)

    def is_of_claiming(self, definition: Definition) -> bool:
        """Whether a fixture is one of those that a plugin without modes gives every test."""
        return any(isinstance(owner, _Everything) and owner.brings(definition) for owner in self._active)

    def __bool__(self) -> bool:
        return bool(self._active)
