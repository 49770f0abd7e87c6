"""Why code that blocks may wait for ever: the services on its loop, which stands still meanwhile.

Does not break anything off (`looprig.runtime.limit` does).
"""

import sys
from collections.abc import Iterator
from typing import Any, final

import pytest

from looprig.declare.service import ServiceSpec
from looprig.pytest_plugin._compat import has_fixtures
from looprig.pytest_plugin._compat.instances import cached_value, is_cached
from looprig.pytest_plugin._compat.requests import resolved_definitions
from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["Standstill"]


@final
class Standstill:
    """The services that cannot answer while sync code runs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def hint(self, item: pytest.Item) -> str:
        """Return what to know about the services of a test, or an empty string if it has none."""
        services = dict(self._on_the_loop(item)) if has_fixtures(item) else {}
        if not services:
            return ""
        shown = " and ".join(f"{spec.cls.__qualname__} ({spec.location})" for spec in services.values())
        run = "runs" if len(services) == 1 else "run"
        url = next((name for name, spec in services.items() if hasattr(spec.cls, "url")), None)
        client = "an async client" if url is None else f"TestClient[{url}]"
        return (
            f"{shown} {run} on the loop of this test, which stands still while sync code runs, "
            "so a sync client waits in vain for an answer. "
            f"In an async test, use {client}, or call the sync client in a thread: await asyncio.to_thread(...)."
        )

    def _on_the_loop(self, item: pytest.Function) -> Iterator[tuple[str, ServiceSpec]]:
        for definition in resolved_definitions(item):
            spec = self._registry.spec(definition)
            if spec is not None and is_cached(definition) and not _is_process(cached_value(definition)):
                yield spec.cls.__qualname__, spec


def _is_process(service: Any) -> bool:
    module = sys.modules.get("looprig.services.process")
    return module is not None and isinstance(service, module.ProcessService)
