"""A hint for code that blocks: it may wait for a service on its own loop, which can't run meanwhile.

The hint is part of the error of code that exceeds its time limit, and a note on the error of a sync client that gives
up before that. Does not interrupt anything (`looprig.runtime.limit` does).

Invariant: the hint names only services that the suite declares, and that could answer if the loop ran.
"""

import traceback
from typing import Any, Final, final

import pytest

from looprig.declare.service import ServiceKey, ServiceSpec
from looprig.exceptions import LooprigError
from looprig.pytest_plugin._compat import has_fixtures
from looprig.pytest_plugin._compat.closures import argument_names
from looprig.pytest_plugin._compat.instances import cached_value, is_cached
from looprig.pytest_plugin._compat.requests import resolved_definitions
from looprig.pytest_plugin.checks.in_thread import runs_without_loop
from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["Standstill"]

_BLOCKING: Final = frozenset({"concurrent.futures._base", "http.client", "queue", "socket", "ssl", "subprocess"})
"""Modules of the standard library whose functions block, and that most sync clients use."""


@final
class Standstill:
    """The services that can't respond while sync code runs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def explain(self, item: pytest.Item, error: Exception, *, is_sync: bool) -> None:
        """Add the hint to the error of a blocking call that gave up waiting, in sync code or in a coroutine."""
        if isinstance(error, LooprigError) or not _is_timeout(error) or not (is_sync or _has_blocked(error)):
            return
        if hint := self.hint(item):
            error.add_note(hint)

    def hint(self, item: pytest.Item) -> str:
        """Return a hint about the services of a test, or an empty string if it has none.

        It names the HTTP services if there are any, or else the services that listen, or else all. Services that the
        test itself requests come first.
        """
        running = self._on_the_loop(item) if has_fixtures(item) else []
        if not running:
            return ""
        http = [spec for spec, service in running if _speaks_http(service)]
        specs = (
            http or [spec for spec, service in running if _gives(service, "address")] or [spec for spec, _ in running]
        )
        shown = " and ".join(f"{spec.cls.__qualname__} ({spec.location})" for spec in specs)
        run = "runs" if len(specs) == 1 else "run"
        client = f"TestClient[{http[0].cls.__qualname__}]" if http else "an async client"
        return (
            f"{shown} {run} on the loop of this test, which stands still while sync code runs, "
            "so a sync client waits in vain for an answer. "
            f"In an async test, use {client}, or call the sync client in a thread: await asyncio.to_thread(...). "
            f"For sync tests, declare {specs[0].cls.__qualname__} with @service_fixture(in_thread=True)."
        )

    def _on_the_loop(self, item: pytest.Function) -> list[tuple[ServiceSpec, Any]]:
        """Return the declarations and instances of a test's services, first those that the test itself requests."""
        names = argument_names(item)
        own: set[ServiceKey] = set()
        found: list[tuple[ServiceSpec, Any]] = []
        for definition in resolved_definitions(item):
            target = self._registry.target(definition)
            if target is not None and definition.argname in names:
                own.add(target.fixture.key)
            spec = self._registry.spec(definition)
            if spec is None or runs_without_loop(spec) or getattr(spec.cls, "_answers_nobody", False):
                continue
            if is_cached(definition):
                found.append((spec, cached_value(definition)))
        return sorted(found, key=lambda each: each[0].key not in own)


def _is_timeout(error: BaseException) -> bool:
    """Return whether a blocking call has given up, or an error was raised because one has."""
    seen: list[BaseException] = []
    following: list[object] = [error]
    while following:
        each = following.pop()
        if not isinstance(each, BaseException) or any(each is other for other in seen):
            continue
        seen.append(each)
        names = " ".join(kind.__name__ for kind in type(each).__mro__).lower()
        if "timeout" in names or "timed out" in str(each).lower():
            return True
        following += (each.__cause__, each.__context__, getattr(each, "reason", None))
    return False


def _has_blocked(error: BaseException) -> bool:
    """Return whether the innermost part of an error comes from a call that blocks the loop's own thread."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return "concurrent.futures.thread" not in modules and bool(_BLOCKING.intersection(modules))


def _speaks_http(service: Any) -> bool:
    return str(_gives(service, "url")).startswith(("http://", "https://"))


def _gives(service: Any, name: str) -> Any:
    """Return an attribute of a service, or `None` if it raises, as the `url` of a proxy in front of a database does."""
    try:
        return getattr(service, name, None)
    except Exception:  # noqa: BLE001 - a property of the suite
        return None
