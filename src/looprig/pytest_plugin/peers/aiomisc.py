"""aiomisc's pytest plugin, which has no mode. It puts its entrypoint and loop around every test, including sync ones.

If it is adopted, its fixtures return what the fixtures of the same names in looprig's dialect return. Others, such as
`aiomisc_socket_factory`, stay as they are.

Invariant: only fixtures of the plugin itself are replaced, not those of the suite that have the same names.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.util import find_spec
from inspect import isgeneratorfunction
from typing import Any, ClassVar, Final, final

import pytest
from typing_extensions import override

from looprig._extras import import_extra
from looprig.pytest_plugin._compat import Definition, visible_definitions
from looprig.pytest_plugin.is_async import LOOP_NAMES, is_async_test, is_builtin
from looprig.pytest_plugin.peers import setting
from looprig.pytest_plugin.peers.peer import Everything, Words

__all__ = ["PEER"]

_SAME: Final = frozenset({"aiomisc_unused_port_factory", "localhost", "tcp_proxy"})
"""The fixtures that looprig has too, under the same names."""
_POOL_SIZE: Final = 4


@final
class Aiomisc(Everything):
    """aiomisc's plugin, whose loops are uvloop's if that is installed, with aiomisc's executor."""

    needless: ClassVar[Words] = Words(
        fixtures=tuple((name, "unless it chooses the kind of loop") for name in sorted(LOOP_NAMES))
    )

    @override
    def runs(self, item: pytest.Function) -> bool:
        return is_async_test(item) or not LOOP_NAMES.isdisjoint(item.fixturenames)

    @override
    def gives_loop(self, definition: Definition) -> bool:
        return definition.argname in LOOP_NAMES and self.surrounds_with(definition)

    @override
    def loop_given(self, loop: Any, arguments: Mapping[str, Any]) -> None:
        if arguments.get("loop_debug"):
            loop.set_debug(True)

    @override
    def loop_debug(self, config: pytest.Config) -> bool:
        return bool(setting(config, "--aiomisc-debug"))

    @override
    def loop_factory_by_default(self) -> Callable[[], Any] | None:
        if os.environ.get("AIOMISC_USE_UVLOOP", "1").lower() not in {"1", "yes", "true"} or find_spec("uvloop") is None:
            return None
        uvloop = import_extra("uvloop", extra="uvloop", needed_for="aiomisc-pytest")
        return uvloop.new_event_loop  # type: ignore[no-any-return]

    @override
    def executor_by_default(self, config: pytest.Config) -> Callable[[int | None], Any] | None:
        from looprig.runtime.late_executor import LateExecutor  # noqa: PLC0415 - threads, not before a loop is opened

        make: Any = sys.modules["aiomisc"].ThreadPoolExecutor
        own = setting(config, "--aiomisc-pool-size")
        return lambda size: LateExecutor(lambda: make(size or own or _POOL_SIZE))

    @override
    def wrapper_of_test(self, item: pytest.Function) -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
        aiomisc: Any = sys.modules["aiomisc"]
        wrap: Any = item.funcargs.get("aiomisc_func_wrap", aiomisc.awaitable)
        # The option counts where a test uses the fixture, which isn't autouse: that is aiomisc's own rule.
        seconds: Any = item.funcargs.get("aiomisc_test_timeout")
        if wrap is aiomisc.awaitable and seconds is None:
            return None

        def wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
            async def limited(**arguments: Any) -> Any:
                __tracebackhide__ = True
                from asyncio import wait_for  # noqa: PLC0415 - a loop is running, so this is imported

                return await wait_for(wrap(function)(**arguments), seconds)

            return limited

        return wrapper

    @override
    def stand_in(self, definition: Definition, item: pytest.Function) -> Callable[..., Any] | None:
        name = definition.argname
        if not self.surrounds_with(definition):
            return None
        if name == "entrypoint":
            return _entrypoint
        if name not in _SAME:
            return None
        own = next(each for each in visible_definitions(name, item) if is_builtin(each))
        return _with_own_arguments(own)


def _with_own_arguments(definition: Definition) -> Callable[..., Any]:
    """Return a wrapper of a fixture's function that ignores the arguments that only its replacement requests."""

    def own(arguments: dict[str, Any]) -> Any:
        return definition.func(**{name: arguments[name] for name in definition.argnames})

    def function(**arguments: Any) -> Any:
        return own(arguments)

    def generator_function(**arguments: Any) -> Any:
        yield from own(arguments)

    return generator_function if isgeneratorfunction(definition.func) else function


async def _entrypoint(
    services: object, default_context: object, entrypoint_kwargs: Mapping[str, Any], **_others: object
) -> AsyncIterator[Any]:
    """Run `services` as looprig's own fixture does, but return aiomisc's entrypoint, which the suite expects."""
    from looprig.services.entrypoint import entrypoint_of  # noqa: PLC0415 - asyncio

    async with entrypoint_of(services, default_context, entrypoint_kwargs) as running:
        yield running.aiomisc


PEER: Final = Aiomisc(
    "aiomisc-pytest", plugin="aiomisc", modules=("aiomisc_pytest", "aiomisc.pytest"), adopted_as="aiomisc"
)
