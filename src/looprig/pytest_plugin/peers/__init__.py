"""The other async plugins that looprig knows, and which of them are active in a run.

To add one, write a file with a `PEER` (see `peer`), and give it a row here. Every run loads this file. It loads the
files of active plugins once something async was collected, or if a plugin may claim every async test.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin.options import adoption_asked_for

if TYPE_CHECKING:
    from looprig.pytest_plugin.peers.peer import Peer

__all__ = [
    "active_peers",
    "claims_everything",
    "has_other_runners",
    "header",
    "hook_without_peers",
    "is_from_peer",
    "setting",
]


@final
class Row:
    """How to find out whether a plugin is active, and the file beside this one that describes the plugin."""

    def __init__(self, file: str, *plugins: str, mode: str = "", made_by_conftest: str = "") -> None:
        """Describe a plugin by its names: that of its entry point, and that of its module, as used with `-p`.

        It can claim every async test only if its setting `mode` is on. A conftest may also create a plugin itself, from
        the class `made_by_conftest`.
        """
        self._file = file
        self._plugins = plugins
        self._mode = mode
        self._class = made_by_conftest

    def is_active(self, manager: pytest.PytestPluginManager) -> bool:
        """Return whether the plugin takes part in a run."""
        if any(manager.has_plugin(name) for name in self._plugins):
            return True
        return bool(self._class) and any(type(plugin).__name__ == self._class for plugin in manager.get_plugins())

    def registered(self, manager: pytest.PytestPluginManager) -> list[object]:
        """Return the plugins registered under its names."""
        return [plugin for name in self._plugins if (plugin := manager.get_plugin(name)) is not None]

    def may_claim_everything(self, config: pytest.Config) -> bool:
        """Return whether the plugin takes part in a run, and may claim every async test in it."""
        if not self.is_active(config.pluginmanager):
            return False
        value = setting(config, self._mode) if self._mode else "auto"
        return str(getattr(value, "value", value)) in {"auto", "True"}

    def load(self) -> "Peer":
        """Import the file that describes the plugin."""
        peer: Peer = importlib.import_module(f"looprig.pytest_plugin.peers.{self._file}").PEER
        return peer


_ROWS: Final = (
    Row("pytest_asyncio", "asyncio", "pytest_asyncio.plugin", mode="asyncio_mode"),
    Row("anyio", "anyio", "anyio.pytest_plugin", mode="anyio_mode"),
    Row("pytest_trio", "trio", "pytest_trio.plugin", mode="trio_mode"),
    Row("aiomisc", "aiomisc", "aiomisc_pytest", "aiomisc.pytest"),
    Row("alt_pytest_asyncio", "alt_pytest_asyncio.enable", made_by_conftest="AltPytestAsyncioPlugin"),
    Row("aiohttp", "aiohttp.pytest_plugin"),
)
_MODULES: Final = (
    "aiohttp.",
    "aiomisc.pytest",
    "aiomisc_pytest",
    "anyio",
    "pytest_aiohttp",
    "pytest_asyncio",
    "pytest_trio",
)
"""The prefixes of the module names of other async plugins."""


def active_peers(config: pytest.Config) -> "list[Peer]":
    """Return the other async plugins that take part in a run."""
    return [row.load() for row in _ROWS if row.is_active(config.pluginmanager)]


def _peer_plugins(config: pytest.Config) -> list[object]:
    """Return the other async plugins that take part in a run: the objects that are registered with pytest."""
    return [plugin for row in _ROWS for plugin in row.registered(config.pluginmanager)]


def hook_without_peers(name: str, item: pytest.Item) -> Any:
    """Return a hook without the other async plugins, and without conftests that don't apply to the item."""
    manager = item.config.pluginmanager
    unseen = (
        each.plugin for each in getattr(item.config.hook, name).get_hookimpls() if not _is_visible(each.plugin, item)
    )
    return manager.subset_hook_caller(name, [*_peer_plugins(item.config), *unseen])


def _is_visible(plugin: object, item: pytest.Item) -> bool:
    file: str = getattr(plugin, "__file__", None) or ""
    return not file.endswith("conftest.py") or item.path.is_relative_to(Path(file).parent)


def claims_everything(config: pytest.Config) -> "list[tuple[Peer, str]]":
    """Return the other plugins that claim every async test, each with a way to stop it from doing so."""
    candidates = [row.load() for row in _ROWS if row.may_claim_everything(config)]
    return [(peer, remedy) for peer in candidates if (remedy := peer.claims_everything(config)) is not None]


def header(config: pytest.Config) -> str | None:
    """Return a line for the header if looprig stands back from other plugins or adopts them."""
    claiming = [(peer, remedy) for peer, remedy in claims_everything(config) if not _is_adopted(peer, config)]
    if not claiming:
        adopted = [peer.name for peer in active_peers(config) if _is_adopted(peer, config)]
        return f"looprig: runs the tests and fixtures of {' and '.join(adopted)} in its place" if adopted else None
    names = " and ".join(peer.name for peer, _ in claiming)
    claims = "claims" if len(claiming) == 1 else "claim"
    remedy = " and ".join(remedy for _, remedy in claiming)
    if all(peer.adopted_as for peer, _ in claiming):
        remedy = "run with --adopt"
    return (
        f"looprig: {names} {claims} every async test, so looprig runs only those that use its services; to have it run "
        f"all, {remedy}"
    )


def _is_adopted(peer: "Peer", config: pytest.Config) -> bool:
    """Return whether looprig was asked to run all tests and fixtures of a plugin in the plugin's place."""
    names = adoption_asked_for(config)
    return bool(peer.adopted_as) and (names is None or peer.adopted_as in names)


def setting(config: pytest.Config, name: str) -> object:
    """Return an option or ini value of another plugin, or `None` in versions that don't have it."""
    try:
        return config.getoption(name, None) or config.getini(name)
    except (KeyError, ValueError):
        return None


def is_from_peer(definition: pytest.FixtureDef[Any]) -> bool:
    """Return whether a fixture comes from another async plugin, active or not, and so refers to that plugin's loops."""
    return (getattr(definition.func, "__module__", None) or "").startswith((*_MODULES, "alt_pytest_asyncio"))


def has_other_runners(config: pytest.Config) -> bool:
    """Return whether a conftest or an unknown plugin has a hook that may call tests itself."""
    for each in config.hook.pytest_pyfunc_call.get_hookimpls():
        plugin: Any = each.plugin
        module = getattr(plugin, "__name__", None) or type(plugin).__module__
        if not (each.wrapper or each.hookwrapper or module.startswith(("_pytest.", "looprig.", *_MODULES))):
            return True
    return False
