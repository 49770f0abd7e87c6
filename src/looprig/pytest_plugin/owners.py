"""Who runs what, where other async plugins are active too: each test and fixture has exactly one owner.

The other plugin owns what is explicitly its own, by its marker or its decorator; looprig owns the rest. Two plugins
that both claim everything cannot work together, and that is said at start.
"""

from typing import Final, Protocol, final

import pytest

from looprig.pytest_plugin._compat import Definition

__all__ = ["Owner", "Owners", "claims_everything", "has_policy_fixture"]


class Owner(Protocol):
    """Another async plugin, as far as its claims go."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def how(self) -> str:
        """By what a test or fixture is explicitly its own."""
        ...

    def claims_everything(self, config: pytest.Config) -> str | None:
        """What to set so that it no longer claims every async test; `None` if it does not."""
        ...

    def claims_test(self, item: pytest.Function) -> bool:
        """Whether the test is explicitly its own."""
        ...

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        """Whether the fixture, as used by the test, is explicitly its own."""
        ...


def _setting(config: pytest.Config, name: str) -> object:
    """An option or ini value of another plugin; `None` in versions of it that have none."""
    try:
        return config.getoption(name, None) or config.getini(name)
    except (KeyError, ValueError):
        return None


@final
class _PytestAsyncio:
    name: str = "pytest-asyncio"
    how: str = "@pytest.mark.asyncio or @pytest_asyncio.fixture"

    def claims_everything(self, config: pytest.Config) -> str | None:
        mode = _setting(config, "asyncio_mode")
        return "Set asyncio_mode = strict (its default)." if str(getattr(mode, "value", mode)) == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        return item.get_closest_marker("asyncio") is not None

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        function = getattr(definition.func, "__func__", definition.func)
        return bool(getattr(function, "_force_asyncio_fixture", False))


@final
class _AnyIO:
    name: str = "anyio"
    how: str = "@pytest.mark.anyio or the anyio_backend fixture"

    def claims_everything(self, config: pytest.Config) -> str | None:
        mode = _setting(config, "anyio_mode")
        return "Set anyio_mode = strict (its default)." if mode == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames or item.get_closest_marker("anyio") is not None

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames


@final
class _PytestTrio:
    name: str = "pytest-trio"
    how: str = "@pytest.mark.trio"

    def claims_everything(self, config: pytest.Config) -> str | None:
        return "Set trio_mode = false (its default)." if _setting(config, "trio_mode") else None

    def claims_test(self, item: pytest.Function) -> bool:
        return item.get_closest_marker("trio") is not None

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return item.get_closest_marker("trio") is not None


@final
class _Everything:
    """A plugin that has no mode: it runs every async test there is."""

    how: str = "that plugin"

    def __init__(self, name: str, plugin: str) -> None:
        self.name: str = name
        self._plugin = plugin

    def claims_everything(self, config: pytest.Config) -> str | None:
        return f"It has no option to claim less: run with -p no:{self._plugin}, or uninstall it."

    def claims_test(self, item: pytest.Function) -> bool:
        return False

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return False


_KNOWN: Final[dict[tuple[str, ...], Owner]] = {
    ("asyncio", "pytest_asyncio.plugin"): _PytestAsyncio(),
    ("anyio", "anyio.pytest_plugin"): _AnyIO(),
    ("trio", "pytest_trio.plugin"): _PytestTrio(),
    ("aiomisc", "aiomisc_pytest"): _Everything("aiomisc-pytest", "aiomisc"),
    # Its entry point, `alt_pytest_asyncio`, only adds options: it runs tests where it is enabled.
    ("alt_pytest_asyncio.enable",): _Everything("alt-pytest-asyncio", "alt_pytest_asyncio.enable"),
    ("aiohttp.pytest_plugin",): _Everything("aiohttp's own pytest plugin", "aiohttp.pytest_plugin"),
}
"""By the names a plugin goes by: that of its entry point, and that of its module where it is loaded with -p."""


def _active(config: pytest.Config) -> list[Owner]:
    manager = config.pluginmanager
    return [owner for names, owner in _KNOWN.items() if any(manager.has_plugin(name) for name in names)]


def claims_everything(config: pytest.Config) -> list[str]:
    """For each other plugin that claims every async test, what to do about it."""
    return [
        f"{owner.name} claims every async test, and so does looprig: a test would have two loops. {remedy}"
        for owner in _active(config)
        if (remedy := owner.claims_everything(config)) is not None
    ]


def has_policy_fixture(config: pytest.Config) -> bool:
    """Whether another plugin gives `event_loop_policy`."""
    return any(isinstance(owner, _PytestAsyncio) for owner in _active(config))


@final
class Owners:
    """The other async plugins that are active in a run."""

    def __init__(self, config: pytest.Config) -> None:
        self._active = _active(config)

    def owner_of_test(self, item: pytest.Function) -> Owner | None:
        """The other plugin that owns the test, or `None` if looprig does."""
        for owner in self._active:
            if owner.claims_test(item):
                return owner
        return None

    def owner_of_fixture(self, definition: Definition, item: pytest.Function) -> Owner | None:
        """The other plugin that owns the fixture as used by the test, or `None` if looprig does."""
        for owner in self._active:
            if owner.claims_fixture(definition, item):
                return owner
        return None

    @property
    def stands_back(self) -> bool:
        """Whether another plugin runs all that does not stand on looprig's own declarations."""
        return False

    def __bool__(self) -> bool:
        return bool(self._active)
