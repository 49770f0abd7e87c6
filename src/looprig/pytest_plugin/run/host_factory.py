"""The creation of hosts, as the suite declares its loops: by fixtures, `loop_config` or options.

Does not decide when a loop is opened or closed (`hosts` does).

Invariant: if a suite's `loop_factory` or `thread_pool_executor` fixture turns out to return something else, looprig
falls back to its own. This may show only when the value is called.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.exceptions import DeclarationError
from looprig.location import location_of
from looprig.pytest_plugin._compat.requests import item_request
from looprig.pytest_plugin.loops.settings import SETTINGS
from looprig.runtime.host import Host, LoopFactory

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from looprig.plan import Component
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.loops.settings import LoopSettings
    from looprig.pytest_plugin.options import Options

__all__ = ["HostFactory"]

_DEFAULT_POOL_SIZE: Final = 4


@final
class HostFactory:
    """The factory of all hosts of a run."""

    def __init__(self, settings: LoopSettings, options: Options) -> None:
        self._settings = settings
        self._options = options

    def make(self, item: pytest.Function, component: Component | None) -> tuple[Host, tuple[Definition, ...]]:
        """Return a host for the loop of a test and its component, and the fixtures that the loop was made from."""
        if self._settings.is_silent(item) and (component is None or not component.declarations):
            return self._make_plain(item), ()
        values: dict[str, Any] = {}
        found: tuple[Definition, ...] = ()
        for definition in self._settings.fixtures(item):
            value = item_request(item).getfixturevalue(definition.argname)
            if (meant := self._settings.meant(definition, value, item)) is not None:
                values[meant[0]] = meant[1]
                found += (definition,)
        debug = self._debug(item, component)
        executor = self._executor(item, component, values)
        lent = values.get("loop", values.get("event_loop"))
        if lent is None:
            return Host.open(self._loop_factory(item, component, values), debug=debug, executor=executor), found
        host = Host.lent(_checked(lent, next(d for d in found if SETTINGS.get(d.argname) == "loop")))
        if debug:
            host.loop.set_debug(True)
        if executor is not None:
            host.loop.set_default_executor(executor())
        return host, found

    def _make_plain(self, item: pytest.Function) -> Host:
        """Return a host that depends only on the options, for a suite without declarations."""
        options = self._options
        factory, make = self._settings.by_default(item)
        return Host.open(
            options.loop_factory() or factory, debug=options.debug, executor=_executors(make, options.pool_size)
        )

    def make_for_thread(self, item: pytest.Function) -> Host:
        """Return a host for the thread of services, which depends only on the options: all tests share it."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - if there is such a thread

        size = self._options.pool_size
        return Host.open(
            self._options.loop_factory() or self._settings.by_default(item)[0],
            debug=self._options.debug,
            # The name tells watchdogs that these threads are nobody's leaks: the loop ends them.
            executor=partial(ThreadPoolExecutor, size, thread_name_prefix="looprig: executor of services"),
        )

    def _loop_factory(
        self, item: pytest.Function, component: Component | None, values: dict[str, Any]
    ) -> LoopFactory | None:
        declared = self._declared(item, component, "factory") or self._options.loop_factory()
        if (given := values.get("loop_factory")) is not None:
            return _loops_by(given, declared)
        if (policy := values.get("event_loop_policy")) is not None:
            return policy.new_event_loop  # type: ignore[no-any-return]
        return declared or self._settings.by_default(item)[0]

    def _debug(self, item: pytest.Function, component: Component | None) -> bool:
        declared = self._declared(item, component, "debug")
        return self._options.debug or self._settings.is_debugged(item) if declared is None else bool(declared)

    def _executor(
        self, item: pytest.Function, component: Component | None, values: dict[str, Any]
    ) -> Callable[[], ThreadPoolExecutor] | None:
        make = values.get("thread_pool_executor")
        if make is None and (declared := self._declared(item, component, "executor")) is not None:
            return declared  # type: ignore[no-any-return]
        size = values.get("thread_pool_size", self._options.pool_size)
        if make is not None:
            return _executors_by(make, size or _DEFAULT_POOL_SIZE)
        return _executors(self._settings.by_default(item)[1], size)

    def _declared(self, item: pytest.Function, component: Component | None, name: str) -> Any:
        """Return the nearest value that a `loop_config` declares. It is the same for all tests on the loop."""
        if component is not None and name in {"factory", "executor"}:
            about = "loop factory" if name == "factory" else "executor"
            for declaration in component.declarations:
                if declaration.about == about and declaration.place is None:
                    return declaration.value
            return None
        for config in reversed(self._settings.configs(item)):
            value = getattr(config, name)
            if value is not None:
                return value
        return None


def _loops_by(given: Any, otherwise: LoopFactory | None) -> LoopFactory:
    """Return a factory that calls `given`, a factory or a policy, and falls back to `otherwise`."""
    # A policy in place of a factory is an easy mistake for users of `event_loop_policy`.
    factory = given.new_event_loop if hasattr(given, "new_event_loop") and not callable(given) else given

    def make_loop() -> asyncio.AbstractEventLoop:
        if _accepts(factory) and isinstance(made := factory(), asyncio.AbstractEventLoop):
            return made
        return (otherwise or asyncio.new_event_loop)()

    return make_loop


def _executors(
    make: Callable[[int | None], ThreadPoolExecutor] | None, size: int | None
) -> Callable[[], ThreadPoolExecutor] | None:
    """Return a factory of executors with `size` threads. `make` is the suite's own. `None` means asyncio's default."""
    if make is not None:
        return partial(make, size)
    if size is None:
        return None
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - few suites set a size

    return partial(ThreadPoolExecutor, size)


def _executors_by(given: Any, size: int) -> Callable[[], ThreadPoolExecutor]:
    """Return a factory of executors that calls `given` with a size, and falls back to `ThreadPoolExecutor`."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - few suites have such a factory

    def make_executor() -> ThreadPoolExecutor:
        if _accepts(given, size) and isinstance(made := given(size), ThreadPoolExecutor):
            return made
        return ThreadPoolExecutor(size)

    return make_executor


def _accepts(function: Callable[..., object], *arguments: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it has no signature, as some functions written in C
        return True
    return True


def _checked(loop: asyncio.AbstractEventLoop, definition: Definition) -> asyncio.AbstractEventLoop:
    if not loop.is_closed():
        return loop
    raise DeclarationError(
        f"Fixture {definition.argname} should return an open event loop, but it returned a closed one.",
        [(definition.argname, location_of(definition.func))],
        "Return or yield an open asyncio event loop, or give the fixture another name.",
    )
