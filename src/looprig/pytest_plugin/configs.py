"""The `loop_config` declarations that apply to a test: those in the conftests above it, and in its module.

Invariant: each module's declarations are looked up once, however many tests it has.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.pytest_plugin.is_async import is_plain

if TYPE_CHECKING:
    from looprig.declare.loop_config import LoopConfig

__all__ = ["Configs"]

_HOME: Final = "looprig.declare.loop_config"


@final
class Configs:
    """The `loop_config` declarations of a run."""

    def __init__(self, session: pytest.Session) -> None:
        self._manager = session.config.pluginmanager
        self._of_modules: dict[object, tuple[LoopConfig, ...]] = {}

    def of(self, item: pytest.Function) -> tuple[LoopConfig, ...]:
        """Return the declarations that apply to an item, the nearest last."""
        if _HOME not in sys.modules:
            return ()
        from looprig.declare.loop_config import configs_in  # noqa: PLC0415 - few suites use it

        module = item.getparent(pytest.Module)
        found = self._of_modules.get(module)
        if found is None:
            above: list[tuple[int, tuple[LoopConfig, ...]]] = []
            for plugin in self._manager.get_plugins():
                if not isinstance(plugin, ModuleType) or not (file := getattr(plugin, "__file__", None)):
                    continue
                path = Path(file)
                if path.name == "conftest.py" and item.path.is_relative_to(path.parent):
                    above.append((len(path.parts), configs_in(plugin)))
            outer = (config for _, configs in sorted(above, key=lambda entry: entry[0]) for config in configs)
            # Reading the `obj` of a module class that isn't pytest's own may import something.
            name: str = getattr(item.obj, "__module__", None) or ""
            holder: object = module.obj if is_plain(module) else sys.modules.get(name)
            own = configs_in(holder) if isinstance(holder, ModuleType) else ()
            found = self._of_modules[module] = (*outer, *own)
        return found
