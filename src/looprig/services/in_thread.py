"""Calls of a service that runs in a thread, from elsewhere: its async methods run on its own loop.

Does not start services or the thread (`looprig.pytest_plugin.run.threads` does).

Invariants:
1. An async method of such a service never runs on another loop. What can't be moved, such as an async generator, is an
   error there.
2. The instance keeps its class. Its methods are replaced in the instance alone, and only while it runs.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from looprig.declare.lifecycle import Lifecycle
from looprig.declare.service import ServiceSpec
from looprig.exceptions import LooprigError
from looprig.location import caller_location, location_of
from looprig.runtime.loop_thread import open_threads
from looprig.runtime.operation import running

__all__ = ["call_service", "moved_back", "moved_to_its_loop"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

T = TypeVar("T")


def call_service(awaitable: Awaitable[T]) -> T:
    """Run a coroutine on the loop of the services in a thread, wait for it, and return its result.

        def test_lists_users(rest: Rest) -> None:            # a service with in_thread=True
            call_service(rest.add_user("Ada"))
            assert requests.get(f"{rest.url}/users").json() == ["Ada"]

    For sync code. An async test awaits the method instead: `await rest.add_user("Ada")`.

    Raises:
        LooprigError: no service runs in a thread, or the caller runs on a loop itself.
    """
    party = ("call_service", caller_location())
    if not open_threads:
        raise _refused(
            awaitable,
            "call_service was called, but no service runs in a thread.",
            party,
            "Declare the service with @service_fixture(in_thread=True), and take it from its fixture.",
        )
    thread = open_threads[-1]
    # Not `get_running_loop`: Playwright's sync API leaves a running loop behind in its caller's thread.
    if thread.is_current or (running.operations and running.operations[-1].loop.is_running()):
        raise _refused(
            awaitable,
            "call_service was called in async code, whose loop would stand still meanwhile.",
            party,
            "Await it: `await rest.add_user(...)` runs on the service's own loop from any other one.",
        )
    future = asyncio.run_coroutine_threadsafe(_awaited(awaitable), thread.host.loop)
    try:
        return future.result()
    finally:
        future.cancel()  # if the wait was interrupted


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _refused(awaitable: object, what: str, party: Any, fix: str) -> LooprigError:
    if isinstance(awaitable, Coroutine):
        awaitable.close()  # or Python warns that it was never awaited
    return LooprigError(what, [party], fix)


def moved_to_its_loop(service: Any, spec: ServiceSpec, loop: asyncio.AbstractEventLoop) -> list[str]:
    """Make the async methods of a service run on `loop`, whoever calls them, and return their names."""
    found: list[str] = []
    attributes: dict[str, Any] = service.__dict__  # not `setattr`, since the class may be a frozen dataclass
    for name in dir(spec.cls):
        if name.startswith("__") or name in attributes or (name == "run" and spec.lifecycle is Lifecycle.RUNS):
            continue
        function = inspect.getattr_static(spec.cls, name)
        if not inspect.isfunction(function):
            continue
        method = getattr(service, name)
        if inspect.iscoroutinefunction(function):
            attributes[name] = _moving(method, loop)
        elif inspect.isasyncgenfunction(inspect.unwrap(function)):
            attributes[name] = _staying(method, loop, spec)
        else:
            continue
        found.append(name)
    return found


def moved_back(service: Any, names: list[str]) -> None:
    """Undo `moved_to_its_loop`."""
    attributes: dict[str, Any] = service.__dict__
    for name in names:
        attributes.pop(name, None)


def _moving(method: Callable[..., Coroutine[Any, Any, T]], loop: asyncio.AbstractEventLoop) -> Any:
    @functools.wraps(method)
    async def on_its_loop(*args: Any, **kwargs: Any) -> T:
        if asyncio.get_running_loop() is loop:
            return await method(*args, **kwargs)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(method(*args, **kwargs), loop))

    return on_its_loop


def _staying(method: Callable[..., T], loop: asyncio.AbstractEventLoop, spec: ServiceSpec) -> Any:
    @functools.wraps(method)
    def only_there(*args: Any, **kwargs: Any) -> T:
        if asyncio._get_running_loop() is loop:  # noqa: SLF001 - the public function raises if no loop runs
            return method(*args, **kwargs)
        name = f"{spec.cls.__qualname__}.{method.__name__}"
        raise LooprigError(
            f"{name} was called outside of the loop of {spec.cls.__qualname__}, which runs in a thread: an async "
            "generator, or a context manager made from one, can't be used from another loop.",
            [spec.party, (name, location_of(method)), ("the call", caller_location())],
            f"Give {spec.cls.__qualname__} an `async def` that uses it and returns the result, and call that.",
        )

    return only_there
