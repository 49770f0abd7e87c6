"""Sync fixtures: each runs in a context of its own, and its dependents see the context variables that it sets.

Does not run coroutines: a sync fixture that returns one becomes an async one (`async_fixtures`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast, final

import pytest

from looprig.pytest_plugin._compat.calls import call_fixture
from looprig.pytest_plugin._compat.instances import guard
from looprig.pytest_plugin.run.finalizers import ending_tasks_of, finalizers_in
from looprig.pytest_plugin.run.wrapped_tests import closing_unstarted
from looprig.runtime.context import apply_changes, changes_between, new_in
from looprig.runtime.current import CurrentLoop
from looprig.runtime.tasks import RunningTest

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.run.admission import Admission
    from looprig.pytest_plugin.run.async_fixtures import AsyncFixtures
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.pytest_plugin.run.dependencies import Dependencies, Facts
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.pytest_plugin.run.limits import Limits
    from looprig.pytest_plugin.run.requests import Requests

__all__ = ["SyncFixtures"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class SyncFixtures:
    """The sync fixtures of a run."""

    def __init__(
        self,
        hosts: Hosts,
        *,
        admission: Admission,
        async_fixtures: AsyncFixtures,
        contexts: Contexts,
        dependencies: Dependencies,
        limits: Limits,
        requests: Requests,
    ) -> None:
        self._admission = admission
        self._async_fixtures = async_fixtures
        self._contexts = contexts
        self._dependencies = dependencies
        self._hosts = hosts
        self._limits = limits
        self._requests = requests

    def substitute(
        self,
        definition: Definition,
        facts: Facts,
        function: Callable[..., Any],
        request: pytest.FixtureRequest,
        item: pytest.Function,
    ) -> Callable[..., Any]:
        """Return a plain function for pytest to call, which sets the fixture up and returns its value."""
        contexts = self._contexts

        def set_up_fixture(**kwargs: Any) -> Any:
            needed = self._dependencies.of(definition, facts, request, item)
            inherited, carried = contexts.inherited(needed)
            owner = RunningTest(facts.label, function)
            context = contexts.enter(carried, owner)
            before = context.copy()
            host = self._hosts.of_sync_fixture(item, request.node)
            if host is not None:
                definition.addfinalizer(ending_tasks_of(owner, host))
            limited = self._limits.on_sync_code(
                host or self._hosts.uses_thread(item), f"the set-up of fixture {facts.label}", lambda: inherited, item
            )
            if not facts.may_ask:
                with finalizers_in(context, definition, host), CurrentLoop(host), limited:
                    value = context.run(call_fixture, function, request, kwargs)
            else:
                known = len(needed)
                with (
                    finalizers_in(context, definition, host),
                    self._requests.carried_into(request, needed),
                    CurrentLoop(host),
                    limited,
                ):
                    value = context.run(call_fixture, function, request, kwargs)
                if len(needed) > known:  # it also depends on what it requested
                    inherited, all_carried = contexts.inherited(needed)
                    before.run(apply_changes, new_in(all_carried, carried))
                    carried = all_carried
                    if request.node is not item:
                        guard(definition, partial(self._admit_dependent, definition))
            if facts.hides_async and isinstance(value, Coroutine | AsyncGenerator):
                with closing_unstarted(cast("Any", value)) as made:
                    return self._async_fixtures.substitute(definition, facts, partial(_return, made), request, item)(
                        **kwargs
                    )
            if changes := changes_between(before, context):
                carried = (*carried, changes)
            if carried or inherited:
                contexts.legacies[definition] = inherited, carried

                def forget() -> None:
                    contexts.legacies.pop(definition, None)

                request.addfinalizer(forget)
            return value

        return set_up_fixture

    def _admit_dependent(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        if (legacy := self._contexts.legacies.get(definition)) is not None and legacy[0]:
            self._admission.admit_dependent(definition, legacy[0], request)


def _return(made: Any, /, **_arguments: object) -> Any:
    return made
