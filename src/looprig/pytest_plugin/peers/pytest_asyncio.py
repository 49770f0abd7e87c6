"""pytest-asyncio: strict and auto mode, its mark, its decorator of fixtures, and loop scopes."""

from typing import Any, Final, final

import pytest

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.is_async import is_async_test
from looprig.pytest_plugin.peers import setting
from looprig.pytest_plugin.peers.peer import Peer, is_declared

__all__ = ["PEER"]


@final
class PytestAsyncio(Peer):
    """It marks every async test in auto mode."""

    name = "pytest-asyncio"
    mark = "@pytest.mark.asyncio"
    decorator = "@pytest_asyncio.fixture"

    def claims_everything(self, config: pytest.Config) -> str | None:
        mode = setting(config, "asyncio_mode")
        return "set asyncio_mode = strict" if str(getattr(mode, "value", mode)) == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        if item.get_closest_marker("asyncio") is None:
            return False
        return self.claims_everything(item.config) is None or is_declared("asyncio", item)

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        if not self.makes(definition):
            return False
        # An instance that is for one test alone, and for no particular loop, can be on the loop of that test.
        is_free = definition.scope == "function" and getattr(_function(definition), "_loop_scope", None) is None
        return not (is_free and is_async_test(item) and not self.claims_test(item))

    def makes(self, definition: Definition) -> bool:
        return bool(getattr(_function(definition), "_force_asyncio_fixture", False))

    def replaces(self, item: pytest.Function) -> bool:
        return type(item).__module__.startswith("pytest_asyncio")


def _function(definition: Definition) -> Any:
    return getattr(definition.func, "__func__", definition.func)


PEER: Final = PytestAsyncio()
