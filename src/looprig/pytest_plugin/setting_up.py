"""Sets fixtures up: async ones in tasks of their own, sync ones in contexts of their own.

Does not choose loops (`hosts` does) and runs no tests (`running` does).

Invariants:
1. A fixture's function is replaced by a plain one for the time of its set-up alone; its definition stays as it was.
2. What a fixture sets in context variables is seen by what depends on it, and by nothing else. An autouse fixture
   is depended on by all that is not wider and is set up after it.
3. Whatever was set up has its teardown registered with pytest before anything else can fail.
"""

from collections.abc import Callable, Generator, Iterable
from contextvars import Context, ContextVar, copy_context
from functools import partial, wraps
from typing import Any, Final, final

import pytest

from looprig.exceptions import FixtureCrashedError
from looprig.location import location_of
from looprig.pytest_plugin import _compat
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.hosts import Hosts
from looprig.pytest_plugin.owners import Owners
from looprig.pytest_plugin.recognize import is_async_function
from looprig.pytest_plugin.registering import Registry
from looprig.runtime.context import Changes, changes_between, context_with
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.host import Host
from looprig.runtime.operation import Limit

__all__ = ["Record", "SettingUp"]

_CLEAN: Final[ContextVar[Context]] = ContextVar("looprig.clean_context")
"""What contexts were like outside of all fixtures: where a fixture asks for another, that one starts from here."""


@final
class Record:
    """What is known of a fixture that is set up: the live fixtures under it, and what contexts carry for it."""

    __slots__ = ("carried", "live")

    def __init__(self, live: frozenset[object], carried: tuple[Changes, ...]) -> None:
        self.live: frozenset[object] = live
        self.carried: tuple[Changes, ...] = carried


_NOTHING: Final = Record(frozenset(), ())


@final
class SettingUp:
    """The fixtures that are set up in a run, and the hook that does it."""

    def __init__(self, hosts: Hosts, owners: Owners, registry: Registry) -> None:
        self._hosts = hosts
        self._owners = owners
        self._registry = registry
        self._records: dict[Definition, Record] = {}
        self._begun: dict[tuple[Definition, object], tuple[LiveFixture, tuple[Changes, ...]]] = {}
        self._crashes: dict[FixtureCrashedError, LiveFixture] = {}
        self.limit: Limit | None = None

    # What others ask

    def record_of(self, definition: Definition) -> Record:
        """What is known of a fixture; nothing if it has no part in loops or contexts."""
        return self._records.get(definition, _NOTHING)

    def live_under(self, item: pytest.Function) -> frozenset[object]:
        """All live async fixtures that an item stands on."""
        records = [r for d in _compat.resolved_definitions(item) if (r := self._records.get(d)) is not None]
        return frozenset[object]().union(*(record.live for record in records))

    def context_for_test(self, item: pytest.Function, owner: object) -> Context:
        """A context in which all is set that the item's fixtures set."""
        definitions = _compat.resolved_definitions(item)
        return context_with(_clean_context(), self._carried(definitions), owner)

    def _carried(self, definitions: Iterable[Definition]) -> tuple[Changes, ...]:
        carried: list[Changes] = []
        for definition in definitions:
            record = self._records.get(definition)
            if record is not None:
                carried += [changes for changes in record.carried if not any(changes is other for other in carried)]
        return tuple(carried)

    # Set-up

    # First, so that other plugins see a plain function where a fixture is ours, and we see theirs untouched.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Definition, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Puts a plain function in the place of the fixture's own while pytest sets it up."""
        __tracebackhide__ = True
        original = fixturedef.func
        if self._owners and self._is_of_another(fixturedef, _compat.item_of(request)):
            return (yield)
        if is_async_function(original):
            substitute = self._async(fixturedef, request)
        else:
            substitute = self._function(fixturedef, request)
        definition: Any = fixturedef
        definition.func = substitute
        try:
            return (yield)
        finally:
            definition.func = original

    def _is_of_another(self, definition: Definition, item: pytest.Function) -> bool:
        """Whether another plugin runs the fixture, or the test that a sync fixture is for: context variables too."""
        if is_async_function(definition.func):
            return self._owners.owner_of_fixture(definition, item) is not None
        return self._owners.owner_of_test(item) is not None

    def _needed(self, definition: Definition, request: pytest.FixtureRequest) -> list[Definition]:
        """What a fixture depends on: what it names, and the autouse fixtures it finds set up around it."""
        item = _compat.item_of(request)
        scope = _compat.scope_of(definition)
        needed = [
            ambient
            for ambient in _compat.ambient_definitions(item)
            if ambient in self._records and ambient is not definition and _compat.scope_of(ambient) >= scope
        ]
        for name in definition.argnames:
            if name != "request" and (found := _compat.active_definition(request, name)) not in needed:
                needed.append(found)
        return needed

    def _async(self, definition: Definition, request: pytest.FixtureRequest) -> Callable[..., Any]:
        function = _compat.bound_function(definition, request)

        @wraps(function)  # pytest's own errors show the source of what stands here
        def set_up_async_fixture(**kwargs: Any) -> Any:
            __tracebackhide__ = True
            host = self._hosts.of_fixture(definition, request)
            if request.scope != "function":
                _compat.guard(definition, partial(self._hosts.admit, definition))
            item = _compat.item_of(request)
            begun = self._begun.pop((definition, request.node), None)
            if begun is None:
                if self._registry.is_service(definition):
                    self._begin_beside(definition, item, host)
                begun = self._begin(definition, function, kwargs, self._needed(definition, request), host)
            live, carried = begun
            value = live.wait(self.limit, partial(self.ask, request, asker=(definition, live)))
            request.addfinalizer(partial(self._tear_down, definition, live))
            for settled in self._hosts.settled_by(item) if request.node is not item else ():
                # The loop ends with these: so must what lives on it, though pytest knows of no dependency.
                settled.addfinalizer(partial(definition.finish, request=request))  # type: ignore[arg-type]
            self._remember(definition, live.changes, carried, live.needs | {live})
            return value

        return set_up_async_fixture

    def _begin(
        self,
        definition: Definition,
        function: Callable[..., Any],
        kwargs: dict[str, Any],
        needed: list[Definition],
        host: Host,
    ) -> tuple[LiveFixture, tuple[Changes, ...]]:
        under = frozenset[object]().union(*(self.record_of(d).live for d in needed))
        carried = self._carried(needed)
        live = LiveFixture(host, self._registry.label(definition), location_of(definition.func), under)
        live.on_crash = partial(self._crashed, definition, live)
        live.begin(function, kwargs, context_with(_clean_context(), carried, live))
        return live, carried

    def _begin_beside(self, definition: Definition, item: pytest.Function, host: Host) -> None:
        """Begins the other services of a test that depend on nothing that is still to come.

        They get ready while pytest waits for `definition`; pytest then finds them begun.
        """
        for other in _compat.closure(_compat.fixture_info(item)):
            if other is definition or not self._registry.is_service(other) or _compat.is_cached(other):
                continue
            node = _compat.scope_place(item, _compat.scope_of(other), other)
            needed = [_compat.definitions_in_item(item, name)[-1:] for name in other.argnames]
            if (other, node) in self._begun or not all(d and _compat.is_cached(d[0]) for d in needed):
                continue
            kwargs = {d[0].argname: _compat.cached_value(d[0]) for d in needed}
            self._begun[other, node] = self._begin(other, other.func, kwargs, [d[0] for d in needed], host)
            node.addfinalizer(partial(self._drop, other, node))

    def _drop(self, definition: Definition, node: object) -> None:
        """A service that was begun, and that pytest never came to ask for."""
        __tracebackhide__ = True
        begun = self._begun.pop((definition, node), None)
        if begun is not None:
            begun[0].tear_down(self.limit)

    def _crashed(self, definition: Definition, live: LiveFixture, crash: FixtureCrashedError) -> None:
        # All that stands on it too: pytest knows of what a fixture names, but not of what it asked for.
        for standing, record in self._records.items():
            if live in record.live:
                _compat.poison(standing, crash)
        _compat.poison(definition, crash)
        self._crashes[crash] = live

    def met(self, error: BaseException) -> None:
        """A test is told of an error: if that is a crash, the fixture's teardown need not tell it again."""
        if isinstance(error, FixtureCrashedError) and (live := self._crashes.pop(error, None)) is not None:
            live.reported = True

    def _tear_down(self, definition: Definition, live: LiveFixture) -> None:
        __tracebackhide__ = True
        self._records.pop(definition, None)
        if live.crash is not None:
            self._crashes.pop(live.crash, None)
        live.tear_down(self.limit)

    def _remember(
        self, definition: Definition, changes: Changes, carried: tuple[Changes, ...], live: frozenset[object]
    ) -> None:
        if changes:
            carried = (*carried, changes)
        if carried or live:
            self._records[definition] = Record(live, carried)

    def _function(self, definition: Definition, request: pytest.FixtureRequest) -> Callable[..., Any]:
        function = _compat.bound_function(definition, request)

        @wraps(function)
        def set_up_fixture(**kwargs: Any) -> Any:
            __tracebackhide__ = True
            with _Isolated(self, definition, request) as context:
                return context.run(_compat.call_fixture, function, request, kwargs)

        return set_up_fixture

    def ask(
        self,
        request: pytest.FixtureRequest,
        wanted: Any,
        *,
        asker: tuple[Definition, LiveFixture] | None = None,
    ) -> tuple[Any, tuple[Changes, ...], frozenset[object]]:
        """The value of a fixture that running code awaits, what its context must carry for it, what it stands on.

        A fixture that asks stands on what it asked for: it falls with it, and ends before it.
        """
        name = self._registry.name_of(wanted)
        value = request.getfixturevalue(name)
        found = _compat.active_definition(request, name)
        record = self.record_of(found)
        if asker is not None:
            definition, live = asker
            live.needs |= record.live
            found.addfinalizer(partial(definition.finish, request=request))  # type: ignore[arg-type]
        return value, record.carried, record.live

    def isolate(self, definition: Definition, request: pytest.FixtureRequest) -> Context:
        """The context for a sync fixture: all is set in it that the fixtures under it set."""
        return context_with(_clean_context(), self._carried(self._needed(definition, request)), definition)

    def remember_sync(
        self, definition: Definition, request: pytest.FixtureRequest, changes: Changes, known: int
    ) -> None:
        """A sync fixture is set up: notes what it changed and what it stands on.

        It stands also on what it asked for while it ran: all that the item did not know of before. `known` counts.
        """
        asked = tuple(_compat.resolved_definitions(_compat.item_of(request)))[known:]
        needed = (*self._needed(definition, request), *asked)
        live = frozenset[object]().union(*(self.record_of(d).live for d in needed))
        self._remember(definition, changes, self._carried(needed), live)
        if definition in self._records:
            request.addfinalizer(partial(self._records.pop, definition, None))


@final
class _Isolated:
    """The set-up of one sync fixture in a context of its own; its finalizers run there as well."""

    __slots__ = ("_before", "_context", "_definition", "_known", "_request", "_setting_up")

    def __init__(self, setting_up: SettingUp, definition: Definition, request: pytest.FixtureRequest) -> None:
        self._setting_up = setting_up
        self._definition = definition
        self._request = request

    def __enter__(self) -> Context:
        self._context = self._setting_up.isolate(self._definition, self._request)
        self._known = len(tuple(_compat.resolved_definitions(_compat.item_of(self._request))))
        self._context.run(_CLEAN.set, _clean_context())
        self._before = self._context.copy()
        definition: Any = self._definition
        add = definition.addfinalizer
        definition.addfinalizer = self._adding(add)
        return self._context

    def _adding(self, add: Callable[[Callable[[], object]], None]) -> Callable[[Callable[[], object]], None]:
        def add_here(finalizer: Callable[[], object]) -> None:
            add(partial(self._context.run, finalizer))

        return add_here

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        definition: Any = self._definition
        del definition.addfinalizer
        if error is None:
            changes = changes_between(self._before, self._context)
            self._setting_up.remember_sync(self._definition, self._request, changes, self._known)


def _clean_context() -> Context:
    """The context outside of all fixtures."""
    clean = _CLEAN.get(None)  # which may well be empty, and an empty context is false
    return copy_context() if clean is None else clean
