"""The check of what a service in a thread depends on: a service on the loop of a test can't be one of them.

That loop stands still while sync code runs, so the service would wait in vain. And what belongs to a loop can't be used
on another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from looprig.declare.proxy import is_proxy
from looprig.exceptions import DeclarationError
from looprig.pytest_plugin._compat.closures import definitions_in_item
from looprig.scopes import Scope

if TYPE_CHECKING:
    import pytest

    from looprig.declare.fields import Source
    from looprig.declare.service import ServiceSpec
    from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["on_a_loop", "runs_without_loop"]


def runs_without_loop(spec: ServiceSpec) -> bool:
    """Return whether a service answers although the loop of the test stands still.

    It is a process, runs in the thread too, or in the process that serves a whole run. Or it is one of looprig's own
    that works in threads, and says so.
    """
    module = sys.modules.get("looprig.services.process")
    is_process = module is not None and issubclass(spec.cls, module.ProcessService)
    works_in_threads = getattr(spec.cls, "_works_in_threads", False)
    return is_process or works_in_threads or spec.in_thread or spec.scope is Scope.RUN


def on_a_loop(registry: Registry, spec: ServiceSpec, item: pytest.Function) -> Iterator[DeclarationError]:
    """Yield an error for each service on the loop of a test that a service in a thread depends on."""
    for source in registry.fixtures.sources(spec):
        service = source.service
        if service is None:
            found = definitions_in_item(item, source.fixture)
            target = registry.target(found[-1]) if found else None
            service = None if target is None else target.fixture
        if service is not None and not runs_without_loop(service):
            yield _error(spec, source, service)


def _error(spec: ServiceSpec, source: Source, service: ServiceSpec) -> DeclarationError:
    owner, needed = spec.cls.__qualname__, service.cls.__qualname__
    fix = f"Declare {needed} with in_thread=True too: services in the thread share a loop."
    if service.is_foreign:
        fix = (
            f"Declare a subclass of {needed} with in_thread=True and annotate the field with it, or declare {owner} "
            "without in_thread."
        )
    if is_proxy(service.cls):
        fix = f"Let tests request the proxy, and give {owner} the service itself; or declare it without in_thread."
    return DeclarationError(
        f"{owner} runs in a thread, but its field {source.field} is {needed}, which is on the loop of the tests: that "
        "stands still while sync code runs.",
        [spec.party, service.party],
        fix,
        "fixture-scope",
        source.field,
    )
