"""pytest-asyncio: its strict and auto mode, its mark, its decorator of fixtures, and its loop scopes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, final

import pytest

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin.is_async import is_async_definition, is_async_test
from looprig.pytest_plugin.peers import setting
from looprig.pytest_plugin.peers.peer import Peer, Words, is_declared
from looprig.scopes import SCOPE_NAMES

__all__ = ["PEER"]


@final
class PytestAsyncio(Peer):
    """pytest-asyncio, which in auto mode puts its mark on every async test."""

    name = "pytest-asyncio"
    mark = "@pytest.mark.asyncio"
    decorator = "@pytest_asyncio.fixture"
    adopted_as: str = "pytest-asyncio"
    needless: ClassVar[Words] = Words(
        marks=frozenset({"asyncio"}),
        decorators=frozenset({"pytest_asyncio.fixture"}),
        fixtures=(
            ("event_loop", "unless it chooses the kind of loop"),
            ("event_loop_policy", "loop_factory says the same"),
            ("pytest_asyncio_loop_factories", "loop_config says the same"),
        ),
        options=frozenset(
            {"asyncio_mode", "asyncio_default_fixture_loop_scope", "asyncio_default_test_loop_scope"},
        ),
    )
    factory_fixtures: ClassVar[Sequence[str]] = ("_asyncio_loop_factory",)

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
        # An instance that only one test uses, and that has no loop scope, can be on the loop of that test.
        is_free = definition.scope == "function" and getattr(_function(definition), "_loop_scope", None) is None
        return not (is_free and is_async_test(item) and not self.claims_test(item))

    def makes(self, definition: Definition) -> bool:
        return bool(getattr(_function(definition), "_force_asyncio_fixture", False))

    def replaces(self, item: pytest.Function) -> bool:
        return type(item).__module__.startswith("pytest_asyncio")

    def runs(self, item: pytest.Function) -> bool:
        return item.get_closest_marker("asyncio") is not None

    def loop_scopes(self, item: pytest.Function) -> Iterator[str]:
        if is_async_test(item) and (mark := item.get_closest_marker("asyncio")) is not None:
            said = mark.kwargs.get("loop_scope") or mark.kwargs.get("scope")
            yield said if said in SCOPE_NAMES else self._default(item, "test")
        default = self._default(item, "fixture")
        for definition in closure_of(item).used():
            if self.makes(definition):
                yield getattr(_function(definition), "_loop_scope", None) or default
            elif is_async_definition(definition):
                yield default

    def mismatches(self, item: pytest.Function) -> Iterator[tuple[Definition, str, str]]:
        mark = item.get_closest_marker("asyncio") if is_async_test(item) else None
        if mark is None:
            return
        said = mark.kwargs.get("loop_scope") or mark.kwargs.get("scope")
        of_test = said if said in SCOPE_NAMES else self._default(item, "test")
        default = setting(item.config, "asyncio_default_fixture_loop_scope")
        for definition in closure_of(item).used():
            if is_async_definition(definition):
                given: Any = getattr(_function(definition), "_loop_scope", None) or default
                own = str(given if given in SCOPE_NAMES else definition.scope)
                if own != of_test:
                    yield definition, own, of_test

    @staticmethod
    def _default(item: pytest.Function, of: str) -> str:
        scope = setting(item.config, f"asyncio_default_{of}_loop_scope")
        # Without a loop scope, a fixture's loop has the scope of the fixture, which looprig's loops have at least.
        return scope if isinstance(scope, str) and scope in SCOPE_NAMES else SCOPE_NAMES[0]

    def loop_factory(self, value: Any) -> Callable[[], Any] | None:
        return value if callable(value) else None

    def loop_debug(self, config: pytest.Config) -> bool:
        return setting(config, "asyncio_debug") is True  # the default is the string "false"


def _function(definition: Definition) -> Any:
    return getattr(definition.func, "__func__", definition.func)


PEER: Final = PytestAsyncio()
