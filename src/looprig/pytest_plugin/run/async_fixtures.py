"""Async fixtures: each runs in a task of its own, on the loop of its test.

Does not choose loops (`hosts` does), and does not drive the task (`LiveFixture` does).

Invariant: the teardown of a fixture that was set up is registered with pytest before anything else can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin._compat.closures import closure_of, definitions_in_item
from looprig.pytest_plugin._compat.instances import cached_value, guard, is_cached, is_cached_for
from looprig.pytest_plugin._compat.scopes import scope_of, scope_place
from looprig.pytest_plugin.run.finalizers import finalizers_in, finishing
from looprig.runtime.context import Changes, context_with
from looprig.runtime.current import loop_in_use
from looprig.runtime.fixture import LiveFixture

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.run.admission import Admission
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.run.crashes import Crashes
    from looprig.pytest_plugin.run.dependencies import Dependencies, Facts
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.pytest_plugin.run.limits import Limits
    from looprig.pytest_plugin.run.requests import Requests
    from looprig.runtime.host import Host

__all__ = ["AsyncFixtures"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_Begun = tuple[LiveFixture, tuple[Changes, ...], Context]


@final
class AsyncFixtures:
    """The async fixtures of a run, and the services whose set-up was begun early."""

    def __init__(
        self,
        hosts: Hosts,
        *,
        admission: Admission,
        contexts: Contexts,
        crashes: Crashes,
        dependencies: Dependencies,
        limits: Limits,
        registry: Registry,
        requests: Requests,
    ) -> None:
        self._admission = admission
        self._contexts = contexts
        self._crashes = crashes
        self._dependencies = dependencies
        self._hosts = hosts
        self._limits = limits
        self._registry = registry
        self._requests = requests
        self._begun: dict[tuple[Definition, object], _Begun] = {}

    def substitute(
        self,
        definition: Definition,
        facts: Facts,
        function: Callable[..., Any],
        request: pytest.FixtureRequest,
        item: pytest.Function,
    ) -> Callable[..., Any]:
        """Return a plain function for pytest to call, which sets the fixture up and returns its value."""

        def set_up_async_fixture(**kwargs: Any) -> Any:
            node = request.node
            if loop_in_use() is not None:
                raise self._admission.inside_loop(definition, item)
            if node is item:  # its loop lives at least as long
                host = self._hosts.of_item(item)
            else:
                host = self._host_of_wide(definition, request, item)
                guard(definition, partial(self._admission.admit, definition))
            begun = self._begun.pop((definition, node), None) if self._begun else None
            if begun is None:
                if facts.is_service:
                    self._begin_beside(definition, item, host)
                needed = self._dependencies.of(definition, facts, request, item)
                begun = self._begin(definition, facts, function, kwargs, needed, host=host)
            live, carried, context = begun
            resolve = partial(self._requests.ask_for_fixture, request, (definition, live, carried))
            if facts.is_service and self._limits.leaves_time_to(node, item):
                with self._limits.apart(), finalizers_in(context, definition, host):
                    value = live.wait(None, resolve)
            elif facts.may_ask:  # only then can it add finalizers itself
                with finalizers_in(context, definition, host):
                    value = live.wait(self._limits.current, resolve)
            else:
                value = live.wait(self._limits.current, resolve)

            def tear_down() -> None:
                self._contexts.legacies.pop(definition, None)
                if live.crash is not None:
                    self._crashes.forget(live.crash)
                live.tear_down(self._limits.current)

            definition.addfinalizer(tear_down)
            changes = live.changes
            self._contexts.legacies[definition] = live.needs | {live}, (*carried, changes) if changes else carried
            return value

        return set_up_async_fixture

    def _host_of_wide(self, definition: Definition, request: pytest.FixtureRequest, item: pytest.Function) -> Host:
        """Return the host of a fixture that outlives the test. Make it end before those that its loop was made from."""
        made_from: Sequence[Definition] = ()
        try:
            self._admission.admit(definition, request)
            host = self._hosts.of_item(item)
            made_from = self._hosts.made_from(item)
        except Exception:
            made_from = self._hosts.to_be_made_from(item)
            raise
        finally:
            for other in made_from:
                # pytest doesn't know this dependency, and it also caches a fixture that failed because of its loop.
                other.addfinalizer(finishing(definition, request))
        return host

    def _begin(
        self,
        definition: Definition,
        facts: Facts,
        function: Callable[..., Any],
        kwargs: dict[str, Any],
        needed: list[Definition],
        *,
        host: Host,
    ) -> _Begun:
        inherited, carried = self._contexts.inherited(needed)
        live = LiveFixture(host, facts.label, facts.location, inherited)
        live.on_crash = partial(self._crashes.add, definition, live)
        live.on_retired = partial(self._crashes.retire, definition, live)
        context = context_with(self._contexts.clean(), carried, live)
        live.begin(function, kwargs, context)
        return live, carried, context

    def _begin_beside(self, definition: Definition, item: pytest.Function, host: Host) -> None:
        """Begin the set-up of the test's other services whose dependencies are all set up.

        They start while pytest waits for `definition`. When pytest sets them up, it only has to wait for them.
        """
        for other in closure_of(item).used():
            if other is definition or not self._registry.is_service(other) or is_cached(other):
                continue
            node = scope_place(item, scope_of(other), other)
            needed = [definitions_in_item(item, name)[-1:] for name in other.argnames]
            if (other, node) in self._begun or not all(d and is_cached_for(d[0], item) for d in needed):
                continue
            kwargs = {d[0].argname: cached_value(d[0]) for d in needed}
            facts = self._dependencies.facts.get(other) or self._dependencies.look_up(other)
            self._begun[other, node] = self._begin(other, facts, other.func, kwargs, [d[0] for d in needed], host=host)
            node.addfinalizer(self._dropping(other, node))

    def _dropping(self, definition: Definition, node: object) -> Callable[[], None]:
        """Return a finalizer that tears down a service whose set-up was begun early, if pytest then never set it up."""

        def drop() -> None:
            if (begun := self._begun.pop((definition, node), None)) is not None:
                begun[0].tear_down(self._limits.current)

        return drop
