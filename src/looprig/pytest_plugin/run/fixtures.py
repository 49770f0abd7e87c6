"""The set-up of fixtures: async ones in tasks of their own, sync ones in contexts of their own.

Does not choose loops (`hosts` does), and runs no tests (`tests` does).

Invariants:
1. A fixture's function is replaced by a plain one only during its set-up. Its definition stays as it was.
2. An autouse fixture is a dependency of everything that isn't wider and is set up after it.
3. The teardown of whatever was set up is registered with pytest before anything else can fail.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextvars import Context
from functools import partial
from types import FunctionType
from typing import Any, Final, cast, final

import pytest

from looprig.location import Location, location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.calls import bound_function, call_fixture
from looprig.pytest_plugin._compat.closures import closure_of, definitions_in_item
from looprig.pytest_plugin._compat.instances import cached_value, guard, is_cached
from looprig.pytest_plugin._compat.requests import active_definition, item_of
from looprig.pytest_plugin._compat.scopes import scope_of, scope_place
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.is_async import hides_async, is_async_function
from looprig.pytest_plugin.loops.loop_plan import LoopPlan
from looprig.pytest_plugin.peers.active import Peers
from looprig.pytest_plugin.run.admission import Admission
from looprig.pytest_plugin.run.contexts import Contexts
from looprig.pytest_plugin.run.crashes import Crashes
from looprig.pytest_plugin.run.finalizers import ending_tasks_of, finalizers_in, finishing
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.pytest_plugin.run.limits import Limits
from looprig.pytest_plugin.run.requests import Requests, forget_refusal
from looprig.pytest_plugin.run.wrapped_tests import closing_unstarted
from looprig.runtime.context import Changes, apply_changes, changes_between, context_with, new_in
from looprig.runtime.current import CurrentLoop
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.host import Host
from looprig.runtime.tasks import RunningTest
from looprig.scopes import Scope

__all__ = ["FixtureSetup"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

# As asyncio's own modules ask: the public function raises where no loop runs, which takes long.
_running_loop: Final = asyncio.events._get_running_loop  # noqa: SLF001

_Begun = tuple[LiveFixture, tuple[Changes, ...], Context]


@final
class _Facts:
    """The properties of a fixture that each set-up needs, looked up once for each definition."""

    __slots__ = (
        *("function", "hides_async", "is_async", "is_plain", "is_service", "label", "location"),
        *("may_ask", "module", "needs", "scope"),
    )

    def __init__(self, definition: Definition, registry: Registry) -> None:
        function = definition.func
        self.function: Callable[..., Any] = function
        self.hides_async: bool = hides_async(function)
        self.is_async: bool = is_async_function(function)
        self.is_plain: bool = type(function) is FunctionType
        """Whether it can't be a method, and so needs no binding."""
        self.is_service: bool = registry.is_service(definition)
        self.label: str = registry.label(definition)
        self.location: Location = location_of(function)
        self.module: str = getattr(function, "__module__", None) or ""
        self.needs: tuple[str, ...] = tuple(name for name in definition.argnames if name != "request")
        self.may_ask: bool = "request" in definition.argnames
        self.scope: Scope = scope_of(definition)


@final
class FixtureSetup:
    """The hook that sets up fixtures, and the services that it began early."""

    def __init__(
        self,
        hosts: Hosts,
        *,
        admission: Admission,
        contexts: Contexts,
        crashes: Crashes,
        limits: Limits,
        requests: Requests,
        loops: LoopPlan,
    ) -> None:
        self._admission = admission
        self._contexts = contexts
        self._crashes = crashes
        self._ends = hosts.ends
        self._hosts = hosts
        self._limits = limits
        self._peers = loops.settings.owners or None
        self._registry = loops.registry
        self._requests = requests
        self._facts: dict[Definition, _Facts] = {}
        self._begun: dict[tuple[Definition, object], _Begun] = {}
        # The autouse fixtures of the latest test, and of the tests beside it.
        self._ambient: tuple[pytest.Function | None, Sequence[Definition]] = (None, ())
        self._ambient_beside: tuple[object, dict[object, Sequence[Definition]]] = (None, {})

    # First, so that other plugins see a plain function if the fixture is ours, and so that we see it before they do.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Definition, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Replace the fixture's function by a plain one while pytest sets the fixture up."""
        facts = self._facts.get(fixturedef)
        if facts is None or facts.function is not fixturedef.func:
            facts = self._look_up(fixturedef)
        item = item_of(request)
        if self._peers is not None and _is_of_peer(self._peers, fixturedef, item):
            return (yield)
        if self._ends.item is not item:
            self._ends.begin(item)
        function = facts.function if facts.is_plain else bound_function(fixturedef, request)
        substitute: Any = (self._async if facts.is_async else self._sync)(fixturedef, facts, function, request, item)
        # pytest's errors show the source of the substitute, and other plugins look at where it comes from.
        substitute.__wrapped__ = function
        substitute.__module__ = facts.module
        definition: Any = fixturedef
        definition.func = substitute
        try:
            return (yield)
        except BaseException as error:
            forget_refusal(error, fixturedef, request)
            raise
        finally:
            definition.func = facts.function

    def _look_up(self, definition: Definition) -> _Facts:
        facts = self._facts[definition] = _Facts(definition, self._registry)
        return facts

    # Dependencies

    def _dependencies(
        self, definition: Definition, facts: _Facts, request: pytest.FixtureRequest, item: pytest.Function
    ) -> list[Definition]:
        """Return what a fixture depends on: the fixtures it names, and the autouse fixtures that are set up already."""
        if item is not self._ambient[0]:
            self._ambient = item, self._find_ambient(item)
        legacies = self._contexts.legacies
        found: list[Definition] = []
        for ambient in self._ambient[1]:
            if ambient in legacies and ambient is not definition and self._facts[ambient].scope >= facts.scope:
                found += (ambient,)
        for name in facts.needs:
            if (needed := active_definition(request, name)) not in found:
                found += (needed,)
        return found

    def _find_ambient(self, item: pytest.Function) -> Sequence[Definition]:
        closure = closure_of(item)
        if hasattr(item, "callspec"):  # parameters may take the place of fixtures
            return closure.ambient()
        if item.parent is not self._ambient_beside[0]:
            self._ambient_beside = item.parent, {}
        key, known = (closure.initial, closure.arguments), self._ambient_beside[1]
        found = known.get(key)
        if found is None:
            found = known[key] = closure.ambient()
        return found

    # Async fixtures

    def _async(
        self,
        definition: Definition,
        facts: _Facts,
        function: Callable[..., Any],
        request: pytest.FixtureRequest,
        item: pytest.Function,
    ) -> Callable[..., Any]:
        def set_up_async_fixture(**kwargs: Any) -> Any:
            node = request.node
            if _running_loop() is not None:
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
                needed = self._dependencies(definition, facts, request, item)
                begun = self._begin(definition, facts, function, kwargs, needed, host=host)
            live, carried, context = begun
            resolve = partial(self._requests.ask_for_fixture, request, (definition, live, carried))
            if facts.may_ask:  # only then can it add finalizers of its own
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
        """Return the host of a fixture that outlives the test, and have it end before what its loop was made from."""
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
                # pytest knows of no dependency, and it also caches a fixture that failed because of its loop.
                other.addfinalizer(finishing(definition, request))
        return host

    def _begin(
        self,
        definition: Definition,
        facts: _Facts,
        function: Callable[..., Any],
        kwargs: dict[str, Any],
        needed: list[Definition],
        *,
        host: Host,
    ) -> _Begun:
        inherited, carried = self._contexts.inherited(needed)
        live = LiveFixture(host, facts.label, facts.location, inherited)
        live.on_crash = partial(self._crashes.add, definition, live)
        context = context_with(self._contexts.clean(), carried, live)
        live.begin(function, kwargs, context)
        return live, carried, context

    def _begin_beside(self, definition: Definition, item: pytest.Function, host: Host) -> None:
        """Begin the other services of a test whose dependencies are all set up.

        They get ready while pytest waits for `definition`. Their own set-up then only has to wait for them.
        """
        for other in closure_of(item).used():
            if other is definition or not self._registry.is_service(other) or is_cached(other):
                continue
            node = scope_place(item, scope_of(other), other)
            needed = [definitions_in_item(item, name)[-1:] for name in other.argnames]
            if (other, node) in self._begun or not all(d and is_cached(d[0]) for d in needed):
                continue
            kwargs = {d[0].argname: cached_value(d[0]) for d in needed}
            facts = self._facts.get(other) or self._look_up(other)
            self._begun[other, node] = self._begin(other, facts, other.func, kwargs, [d[0] for d in needed], host=host)
            node.addfinalizer(self._dropping(other, node))

    def _dropping(self, definition: Definition, node: object) -> Callable[[], None]:
        """Return a finalizer that tears a service down which was begun, and which pytest then never set up."""

        def drop() -> None:
            if (begun := self._begun.pop((definition, node), None)) is not None:
                begun[0].tear_down(self._limits.current)

        return drop

    # Sync fixtures

    def _sync(
        self,
        definition: Definition,
        facts: _Facts,
        function: Callable[..., Any],
        request: pytest.FixtureRequest,
        item: pytest.Function,
    ) -> Callable[..., Any]:
        contexts = self._contexts

        def set_up_fixture(**kwargs: Any) -> Any:
            needed = self._dependencies(definition, facts, request, item)
            inherited, carried = contexts.inherited(needed)
            owner = RunningTest(facts.label, function)
            context = contexts.enter(carried, owner)
            before = context.copy()
            host = self._hosts.of_sync_fixture(item, request.node)
            if host is not None:
                definition.addfinalizer(ending_tasks_of(owner, host))
            if not facts.may_ask:
                with finalizers_in(context, definition, host), CurrentLoop(host):
                    value = context.run(call_fixture, function, request, kwargs)
            else:
                known = len(needed)
                with (
                    finalizers_in(context, definition, host),
                    self._requests.carried_into(request, needed),
                    CurrentLoop(host),
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
                    return self._async(definition, facts, partial(_return, made), request, item)(**kwargs)
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


def _is_of_peer(peers: Peers, definition: Definition, item: pytest.Function) -> bool:
    """Return whether another plugin runs the fixture, or the test that a sync fixture is set up for."""
    if is_async_function(definition.func) or hides_async(definition.func):
        return peers.owner_of_fixture(definition, item) is not None
    return peers.owner_of_test(item) is not None


def _return(made: Any, /, **_arguments: object) -> Any:
    return made
