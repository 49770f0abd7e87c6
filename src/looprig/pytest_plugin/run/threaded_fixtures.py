"""The set-up of services that run in a thread: the same as on the loop of a test, but there.

Does not own the thread (`threads` does). pytest and the loop plan see a sync fixture.

Invariant: values that are bound to the loop of a test don't get into the thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin._compat.requests import active_definition
from looprig.pytest_plugin.run.contexts import NOTHING
from looprig.runtime.clock import now
from looprig.runtime.context import context_with
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.limit import Limit

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.run.crashes import Crashes
    from looprig.pytest_plugin.run.dependencies import Dependencies, Facts
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.pytest_plugin.run.limits import Limits

__all__ = ["ThreadedFixtures"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class ThreadedFixtures:
    """The services of a run that run in a thread."""

    def __init__(
        self,
        hosts: Hosts,
        *,
        contexts: Contexts,
        crashes: Crashes,
        dependencies: Dependencies,
        limits: Limits,
        registry: Registry,
    ) -> None:
        self._contexts = contexts
        self._crashes = crashes
        self._dependencies = dependencies
        self._limits = limits
        self._registry = registry
        self._threads = hosts.threads

    def substitute(
        self,
        definition: Definition,
        facts: Facts,
        function: Callable[..., Any],
        request: pytest.FixtureRequest,
        item: pytest.Function,
    ) -> Callable[..., Any]:
        """Return a plain function for pytest to call, which starts the service and returns it."""

        def set_up_service(**kwargs: Any) -> Any:
            needed = self._dependencies.of(definition, facts, request, item)
            self._check_fields(definition, kwargs, request)
            inherited, carried = self._contexts.inherited(needed)
            thread = self._threads.enter(item)
            live = LiveFixture(thread.host, facts.label, facts.location, inherited)
            live.on_crash = partial(self._crashed, definition, live)
            live.on_retired = partial(self._crashes.retire, definition, live)
            context = context_with(self._contexts.clean(), carried, live)
            is_apart = self._limits.leaves_time_to(request.node, item)
            limit = None if is_apart else self._limit()

            def begin() -> Any:
                live.begin(function, kwargs, context)
                return live.wait(limit)

            what = f"The set-up of {facts.label}"
            try:
                with (
                    self._limits.apart_if(is_apart),
                    self._limits.on_sync_code(thread.host, f"the set-up of fixture {facts.label}"),
                ):
                    value = thread.call(begin, what, self._patience(definition) if is_apart else None)
            except BaseException:
                self._threads.leave(thread)
                raise

            def tear_down() -> None:
                self._contexts.legacies.pop(definition, None)
                if live.crash is not None:
                    self._crashes.forget(live.crash)
                limit = self._limit()
                try:
                    with self._limits.on_sync_code(thread.host, f"the teardown of fixture {facts.label}"):
                        thread.call(lambda: live.tear_down(limit), f"The teardown of {facts.label}")
                finally:
                    self._threads.leave(thread)

            definition.addfinalizer(tear_down)
            changes = live.changes
            self._contexts.legacies[definition] = live.needs | {live}, (*carried, changes) if changes else carried
            return value

        return set_up_service

    def _limit(self) -> Limit | None:
        """Return the current limit for an operation in the thread, which has no main thread to interrupt."""
        limit = self._limits.current
        return None if limit is None else Limit(max(0.0, limit.deadline - now()), limit.expired)

    def _patience(self, definition: Definition) -> float:
        """Return the seconds after which a start is given up. Before that, it ends itself unless it blocks."""
        spec = self._registry.services[definition.argname]
        return spec.start_timeout + 1.0

    def _crashed(self, definition: Definition, live: LiveFixture, crash: Any) -> None:
        self._crashes.add(definition, live, crash)
        self._threads.crashed(live, crash)

    def _check_fields(self, definition: Definition, kwargs: dict[str, Any], request: pytest.FixtureRequest) -> None:
        """Refuse values that are bound to the loop of a test."""
        for name, value in kwargs.items():
            found = active_definition(request, name)
            needs = self._contexts.legacies.get(found, NOTHING)[0]
            if any(not live.host.is_in_thread for live in needs if isinstance(live, LiveFixture)):
                from looprig.pytest_plugin.run.thread_values import check_value  # noqa: PLC0415 - few suites

                check_value(self._registry, definition, found, value)
