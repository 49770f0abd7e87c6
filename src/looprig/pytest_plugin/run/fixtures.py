"""Sets fixtures up: async ones in tasks of their own, sync ones in contexts of their own.

Does not choose loops (`hosts` does) and runs no tests (`running` does).

Invariants:
1. A fixture's function is replaced by a plain one for the time of its set-up alone; its definition stays as it was.
2. What a fixture sets in context variables is seen by what depends on it, and by nothing else. An autouse fixture
   is depended on by all that is not wider and is set up after it.
3. Whatever was set up has its teardown registered with pytest before anything else can fail.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from functools import partial
from types import FunctionType
from typing import Any, Final, cast, final

import pytest

from looprig.exceptions import FixtureCrashedError
from looprig.location import Location, location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.calls import bound_function, call_fixture
from looprig.pytest_plugin._compat.closures import closure_of, definitions_in_item
from looprig.pytest_plugin._compat.instances import cached_value, guard, is_cached, poison
from looprig.pytest_plugin._compat.requests import active_definition, item_of, noting_requests, resolved_definitions
from looprig.pytest_plugin._compat.scopes import scope_of, scope_place
from looprig.pytest_plugin.collection.registry import Registry
from looprig.pytest_plugin.is_async import hides_async, is_async_function
from looprig.pytest_plugin.peers.active import Peers
from looprig.pytest_plugin.run.finalizers import ending_tasks_of, finalizers_in, finishing
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.pytest_plugin.run.made_sync import closing_unstarted
from looprig.pytest_plugin.run.requests import forget_refusal
from looprig.runtime.context import Changes, apply_changes, changes_between, context_with, new_in
from looprig.runtime.current import CurrentLoop
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.host import Host
from looprig.runtime.tasks import RunningTest
from looprig.scopes import Scope

__all__ = ["Record", "SettingUp"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


@final
class Record:
    """What is known of a fixture that is set up: the live fixtures under it, and what contexts carry for it."""

    __slots__ = ("carried", "live")

    def __init__(self, live: frozenset[object], carried: tuple[Changes, ...]) -> None:
        self.live: frozenset[object] = live
        self.carried: tuple[Changes, ...] = carried


_NOTHING: Final = Record(frozenset(), ())


@final
class _Facts:
    """What every set-up of a fixture needs to know, looked up once for each definition."""

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
        """Whether there is nothing to bind it to."""
        self.is_service: bool = registry.is_service(definition)
        self.label: str = registry.label(definition)
        self.location: Location = location_of(function)
        self.module: str = getattr(function, "__module__", None) or ""
        self.needs: tuple[str, ...] = tuple(name for name in definition.argnames if name != "request")
        self.may_ask: bool = "request" in definition.argnames
        self.scope: Scope = scope_of(definition)


@final
class SettingUp:
    """The fixtures that are set up in a run, and the hook that does it."""

    def __init__(self, hosts: Hosts, owners: Peers, registry: Registry) -> None:
        self._ends = hosts.ends
        self._hosts = hosts
        self._owners = owners
        self._registry = registry
        # What contexts were like outside of all fixtures of this run: where a fixture asks for another, that one starts
        # from here.
        self._clean: ContextVar[Context] = ContextVar("looprig.clean_context")
        self._ambient: tuple[pytest.Function | None, Sequence[Definition]] = (None, ())  # of the latest test
        self._facts: dict[Definition, _Facts] = {}
        self._records: dict[Definition, Record] = {}
        self._begun: dict[tuple[Definition, object], tuple[LiveFixture, tuple[Changes, ...], Context]] = {}
        self._crashes: dict[FixtureCrashedError, LiveFixture] = {}

    # What others ask

    def record_of(self, definition: Definition) -> Record:
        """What is known of a fixture; nothing if it has no part in loops or contexts."""
        return self._records.get(definition, _NOTHING)

    def ground_of_test(self, item: pytest.Function, owner: object) -> tuple[Context, frozenset[object]]:
        """A context in which all is set that the item's fixtures set, and the live async ones that it stands on."""
        definitions = resolved_definitions(item)
        clean = self._clean_context()
        context = context_with(clean, self._carried(definitions), owner)
        context.run(self._clean.set, clean)  # what it asks for while it runs sees nothing of it
        return context, self._live_of(definitions)

    def _clean_context(self) -> Context:
        clean = self._clean.get(None)  # which may well be empty, and an empty context is false
        return copy_context() if clean is None else clean

    @contextmanager
    def carrying_requests(self, request: pytest.FixtureRequest, known: list[Definition]) -> Generator[None, None, None]:
        """What sync code asks for meanwhile becomes `known`, and its context carries what that sets."""

        def note(found: Definition) -> None:
            if found in known:
                return
            before = self._carried(known)
            known.append(found)
            apply_changes(new_in(self.record_of(found).carried, before))

        with noting_requests(request, note):
            yield

    def _live_of(self, definitions: Iterable[Definition]) -> frozenset[object]:
        records = self._records
        lives = [record.live for d in definitions if (record := records.get(d)) is not None]
        return lives[0].union(*lives[1:]) if lives else _NOTHING.live

    def _carried(self, definitions: Iterable[Definition]) -> tuple[Changes, ...]:
        carried: list[Changes] = []
        records = self._records
        for definition in definitions:
            record = records.get(definition)
            if record is not None and record.carried:
                carried += [changes for changes in record.carried if not any(changes is other for other in carried)]
        return tuple(carried)

    # Set-up

    # First, so that other plugins see a plain function where a fixture is ours, and we see theirs untouched.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Definition, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Puts a plain function in the place of the fixture's own while pytest sets it up."""
        facts = self._facts_of(fixturedef)
        item = item_of(request)
        if self._owners and self._is_of_another(fixturedef, item):
            return (yield)
        self._ends.begin(item)
        function = facts.function if facts.is_plain else bound_function(fixturedef, request)
        substitute: Any = (self._async if facts.is_async else self._function)(fixturedef, facts, function, request)
        # Errors of pytest show the source of what stands here, and other plugins look at where it comes from.
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

    def _facts_of(self, definition: Definition) -> _Facts:
        facts = self._facts.get(definition)
        if facts is None or facts.function is not definition.func:
            facts = self._facts[definition] = _Facts(definition, self._registry)
        return facts

    def _is_of_another(self, definition: Definition, item: pytest.Function) -> bool:
        """Whether another plugin runs the fixture, or the test that a sync fixture is for: context variables too."""
        if is_async_function(definition.func) or hides_async(definition.func):
            return self._owners.owner_of_fixture(definition, item) is not None
        return self._owners.owner_of_test(item) is not None

    def _needed(self, definition: Definition, facts: _Facts, request: pytest.FixtureRequest) -> list[Definition]:
        """What a fixture depends on: what it names, and the autouse fixtures it finds set up around it."""
        records = self._records
        item = item_of(request)
        if item is not self._ambient[0]:
            self._ambient = item, closure_of(item).ambient()
        needed = [
            ambient
            for ambient in self._ambient[1]
            if ambient in records and ambient is not definition and self._facts[ambient].scope >= facts.scope
        ]
        for name in facts.needs:
            if (found := active_definition(request, name)) not in needed:
                needed.append(found)
        return needed

    def _async(
        self, definition: Definition, facts: _Facts, function: Callable[..., Any], request: pytest.FixtureRequest
    ) -> Callable[..., Any]:
        def set_up_async_fixture(**kwargs: Any) -> Any:
            item, node = item_of(request), request.node
            if node is item:
                host = self._hosts.of_fixture(definition, request)
            else:
                host = self._host_of_wide(definition, request, item)
                guard(definition, partial(self._hosts.admit, definition))
            begun = self._begun.pop((definition, node), None) if self._begun else None
            if begun is None:
                if facts.is_service:
                    self._begin_beside(definition, item, host)
                needed = self._needed(definition, facts, request)
                begun = self._begin(definition, facts, function, kwargs, needed, host=host)
            live, carried, context = begun
            resolve = partial(self.ask, request, asker=(definition, live, carried))
            if facts.may_ask:  # only then can it add finalizers of its own
                with finalizers_in(context, definition, host):
                    value = live.wait(self._ends.limit, resolve)
            else:
                value = live.wait(self._ends.limit, resolve)

            def tear_down() -> None:
                self._tear_down(definition, live)

            definition.addfinalizer(tear_down)
            self._remember(definition, live.changes, carried, live.needs | {live})
            return value

        return set_up_async_fixture

    def _host_of_wide(self, definition: Definition, request: pytest.FixtureRequest, item: pytest.Function) -> Host:
        """The host of a fixture that outlives the test; it is to end before what its loop was made from."""
        settled: Sequence[Definition] = ()
        try:
            host = self._hosts.of_fixture(definition, request)
            settled = self._hosts.settled_by(item)
        except Exception:
            settled = self._hosts.settling(item)
            raise
        finally:
            for other in settled:
                # pytest knows of no dependency; and what failed on the loop it keeps as well.
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
    ) -> tuple[LiveFixture, tuple[Changes, ...], Context]:
        carried = self._carried(needed)
        live = LiveFixture(host, facts.label, facts.location, self._live_of(needed))
        live.on_crash = partial(self._crashed, definition, live)
        context = context_with(self._clean_context(), carried, live)
        live.begin(function, kwargs, context)
        return live, carried, context

    def _begin_beside(self, definition: Definition, item: pytest.Function, host: Host) -> None:
        """Begins the other services of a test that depend on nothing that is still to come.

        They get ready while pytest waits for `definition`; pytest then finds them begun.
        """
        for other in closure_of(item).used():
            if other is definition or not self._registry.is_service(other) or is_cached(other):
                continue
            node = scope_place(item, scope_of(other), other)
            needed = [definitions_in_item(item, name)[-1:] for name in other.argnames]
            if (other, node) in self._begun or not all(d and is_cached(d[0]) for d in needed):
                continue
            kwargs = {d[0].argname: cached_value(d[0]) for d in needed}
            facts = self._facts_of(other)
            self._begun[other, node] = self._begin(other, facts, other.func, kwargs, [d[0] for d in needed], host=host)
            node.addfinalizer(self._dropping(other, node))

    def _dropping(self, definition: Definition, node: object) -> Callable[[], None]:
        def drop() -> None:
            self._drop(definition, node)

        return drop

    def _drop(self, definition: Definition, node: object) -> None:
        """A service that was begun, and that pytest never came to ask for."""
        begun = self._begun.pop((definition, node), None)
        if begun is not None:
            begun[0].tear_down(self._ends.limit)

    def _crashed(self, definition: Definition, live: LiveFixture, crash: FixtureCrashedError) -> None:
        # All that stands on it too: pytest knows of what a fixture names, but not of what it asked for.
        for standing, record in self._records.items():
            if live in record.live:
                poison(standing, crash)
        poison(definition, crash)
        self._crashes[crash] = live

    def met(self, error: BaseException) -> None:
        """A test is told of an error: if that is a crash, the fixture's teardown need not tell it again."""
        if isinstance(error, FixtureCrashedError) and (live := self._crashes.pop(error, None)) is not None:
            live.reported = True

    def _tear_down(self, definition: Definition, live: LiveFixture) -> None:
        self._records.pop(definition, None)
        if live.crash is not None:
            self._crashes.pop(live.crash, None)
        live.tear_down(self._ends.limit)

    def _remember(
        self, definition: Definition, changes: Changes, carried: tuple[Changes, ...], live: frozenset[object]
    ) -> None:
        if changes:
            carried = (*carried, changes)
        if carried or live:
            self._records[definition] = Record(live, carried)

    def _function(
        self, definition: Definition, facts: _Facts, function: Callable[..., Any], request: pytest.FixtureRequest
    ) -> Callable[..., Any]:
        def set_up_fixture(**kwargs: Any) -> Any:
            needed = self._needed(definition, facts, request)
            carried = self._carried(needed)
            clean = self._clean_context()
            owner = RunningTest(facts.label, function)
            context = context_with(clean, carried, owner)
            context.run(self._clean.set, clean)
            before = context.copy()
            host = self._hosts.of_sync_fixture(item_of(request), request.node)
            if host is not None:
                definition.addfinalizer(ending_tasks_of(owner, host))
            if not facts.may_ask:
                with finalizers_in(context, definition, host), CurrentLoop(host):
                    value = context.run(call_fixture, function, request, kwargs)
            else:
                known = len(needed)
                with (
                    finalizers_in(context, definition, host),
                    self.carrying_requests(request, needed),
                    CurrentLoop(host),
                ):
                    value = context.run(call_fixture, function, request, kwargs)
                if len(needed) > known:  # it stands also on what it asked for while it ran
                    before.run(apply_changes, new_in(self._carried(needed), carried))
                    carried = self._carried(needed)
                    if request.node is not item_of(request):
                        guard(definition, partial(self._admit_standing, definition))
            if facts.hides_async and isinstance(value, Coroutine | AsyncGenerator):
                with closing_unstarted(cast("Any", value)) as made:
                    return self._async(definition, facts, partial(_handed_on, made), request)(**kwargs)
            self._remember(definition, changes_between(before, context), carried, self._live_of(needed))
            if definition in self._records:

                def forget() -> None:
                    self._records.pop(definition, None)

                request.addfinalizer(forget)
            return value

        return set_up_fixture

    def _admit_standing(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        if live := self.record_of(definition).live:
            self._hosts.admit_standing(definition, live, request)

    def ask(
        self,
        request: pytest.FixtureRequest,
        wanted: Any,
        *,
        asker: tuple[Definition, LiveFixture, tuple[Changes, ...]] | None = None,
    ) -> tuple[Any, tuple[Changes, ...], frozenset[object]]:
        """The value of a fixture that running code awaits, what its context must carry for it, what it stands on.

        A fixture that asks stands on what it asked for: it falls with it, and ends before it.
        """
        name = self._registry.name_of(wanted)
        known = resolved_definitions(item_of(request))
        before = self._carried(known) if asker is None else asker[2]
        value = request.getfixturevalue(name)
        found = active_definition(request, name)
        record = self.record_of(found)
        if asker is not None:
            definition, live, _ = asker
            live.needs |= record.live
            found.addfinalizer(finishing(definition, request))
        return value, new_in(record.carried, before), record.live


def _handed_on(made: Any, /, **_arguments: object) -> Any:
    return made
