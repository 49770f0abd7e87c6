"""Which host an item runs on: opens it at first use, closes it last, and guards requests made at run time.

Does not run tests or fixtures (`running` does).

Invariants:
1. A host is opened while its node is set up, before the first async fixture on it: so it is closed after the last.
2. A fixture is never set up on a loop that ends before it, or on another than the plan gave it.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, final

import pytest

from looprig.exceptions import AskError, DeclarationError, FixtureError
from looprig.location import location_of
from looprig.plan import Component
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.instances import is_cached
from looprig.pytest_plugin._compat.requests import item_of, item_request, requesting_definition, requesting_node
from looprig.pytest_plugin._compat.scopes import place_of_item
from looprig.pytest_plugin.is_async import is_async_test
from looprig.pytest_plugin.loops.loop_plan import LoopPlan
from looprig.pytest_plugin.loops.meaning import SETTINGS, is_meant
from looprig.pytest_plugin.options import Options
from looprig.pytest_plugin.run.ends import Ends
from looprig.pytest_plugin.run.factories import executors_by, loops_by
from looprig.runtime.fixture import LiveFixture
from looprig.runtime.host import Host, LoopFactory
from looprig.runtime.tasks import RunningTest

__all__ = ["Hosts"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

_HOW_TO_DECLARE: Final = (
    "Declare it, so that the loop plan knows: make it a parameter of the test or of a fixture that the test uses, "
    'or mark the test with @pytest.mark.usefixtures("{name}").'
)


@final
class Hosts:
    """The open loops of a run."""

    def __init__(self, loops: LoopPlan, options: Options) -> None:
        self._loops = loops
        self._options = options
        self._open: dict[object, Host] = {}
        # Each is asked for several times a test.
        self._latest: tuple[pytest.Item, Host] | None = None
        self._placed: tuple[pytest.Item | None, Component | None] = (None, None)
        self._admitted: set[tuple[Definition, object, Component]] = set()
        self.ends: Final = Ends(self._end)
        self.opened: Callable[[Host], None] | None = None
        """Told of each host that is opened."""
        self._depends_on: dict[object, tuple[Definition, ...]] = {}
        # Components that came up at run time, and sync tests that joined one by asking for a fixture.
        self._joined: dict[pytest.Item, Component] = {}
        self._unplanned: dict[tuple[Definition, object], Component] = {}

    def of_item(self, item: pytest.Function) -> Host:
        """The host of an item's loop, opened if need be."""
        latest = self._latest
        if latest is not None and latest[0] is item:
            host = latest[1]
        else:
            component = self._component(item)
            key: object = item if component is None else component
            place = item if component is None else component.place.node
            host = self._open.get(key) or self._make(key, place, item)
            self._latest = item, host
        if host.loop.is_closed():
            raise _closed(host, item)
        return host

    def open_host(self, item: pytest.Function) -> Host | None:
        """The host of an item's loop if it is open."""
        component = self._component(item)
        return self._open.get(item if component is None else component)

    def of_sync_fixture(self, item: pytest.Function, node: object) -> Host | None:
        """The host whose loop is current while a sync fixture that lives on `node` is set up for an item, if any is."""
        component = self._component(item)
        key: object = item if component is None else component
        host = self._open.get(key)
        if not self._outlives(item, component, node):
            return None
        if host is None and (component is not None or is_async_test(item)):
            settings = self._loops.settings
            # What the loop is made from comes first, and is set up without a loop.
            if settings.is_silent(item) or all(is_cached(d) for d in settings.fixtures(item)):
                return self.of_item(item)
        return host

    def _component(self, item: pytest.Item) -> Component | None:
        placed = self._placed
        if placed[0] is not item:
            placed = self._placed = item, self._loops.component(item) or self._joined.get(item)
        return placed[1]

    def is_planned(self, item: pytest.Item) -> bool:
        """Whether the plan gives an item a loop, because of its fixtures."""
        return self._component(item) is not None

    @property
    def are_open(self) -> bool:
        """Whether any loop is open, and so something may be alive on it."""
        return bool(self._open)

    # Requests

    def of_fixture(self, definition: Definition, request: pytest.FixtureRequest) -> Host:
        """The host for the set-up of a fixture.

        Raises:
            AskError: the fixture was asked for at run time and cannot have the loop of the test.
        """
        item = item_of(request)
        if asyncio.events._get_running_loop() is not None:  # noqa: SLF001 - as asyncio's own modules: raising is dear
            raise _inside_loop(self._loops.registry.public_name(definition), item)
        if request.node is not item:  # a loop lives at least as long as the test itself
            self.admit(definition, request)
        return self.of_item(item)

    def admit(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        """Makes sure that a fixture and the test that asks for it share a loop, also where the fixture is alive.

        Raises:
            AskError: they do not.
        """
        item = item_of(request)
        component = self._component(item)
        # Of a parametrized factory each value has loops of its own, and so has what is on them.
        known = None if component is None or hasattr(item, "callspec") else (definition, request.node, component)
        if known in self._admitted:
            return
        planned = self._loops.component_of_instance(definition, request.node, item)
        planned = planned or self._unplanned.get((definition, request.node))
        if planned is component and known is not None:
            self._admitted.add(known)
        elif planned is not None and planned is not component:
            self._join(item, planned, definition, request)
        elif planned is None and not self._outlives(item, component, request.node):
            new = Component(self._loops.place(request.node))
            self._join(item, new, definition, request)
            self._unplanned[definition, request.node] = new  # not where it was refused

    def of_loop_request(self, request: pytest.FixtureRequest) -> Host:
        """The host whose loop the `loop` fixture gives to whoever asks."""
        item = item_of(request)
        requester = requesting_definition(request)
        if requester is None:
            return self.of_item(item)
        node = requesting_node(request)
        component = self._component(item)
        if not self._outlives(item, component, node):
            planned = self._loops.component_of_instance(requester, node, item)
            if planned is None:
                raise AskError(
                    f"Fixture {requester.argname} (scope {requester.scope!r}) asks for the loop at run time, but the "
                    f"loop of {item.name} ends before it.",
                    [(requester.argname, location_of(requester.func)), (item.name, place_of_item(item))],
                    f"Make `loop` a parameter of {requester.argname}, so that the loop plan knows.",
                )
            self._join(item, planned, requester, request)
        return self.of_item(item)

    def _outlives(self, item: pytest.Function, component: Component | None, node: Any) -> bool:
        """Whether the loop of the item lives at least as long as `node`."""
        if component is None:
            return node is item
        return component.place.depth <= self._loops.place(node).depth

    def _join(
        self, item: pytest.Function, component: Component, definition: Definition, request: pytest.FixtureRequest
    ) -> None:
        """A sync test that has no loop yet takes that of what it asks for; nobody else can change loops."""
        if self._component(item) is None and item not in self._open and not is_async_test(item):
            self._joined[item] = component
            self._latest, self._placed = None, (None, None)
            return
        registry = self._loops.registry
        label = registry.label(definition)
        raise AskError(
            f"{item.name} asks for fixture {label} (scope {request.scope!r}) at run time, but that lives on another "
            f"loop than the test: on {component.place.label}.",
            [(item.name, place_of_item(item)), (label, location_of(definition.func))],
            _HOW_TO_DECLARE.format(name=registry.public_name(definition)),
        )

    # Opening and closing

    def _make(self, key: object, node: Any, item: pytest.Function) -> Host:
        if self._loops.settings.is_silent(item):
            component = self._component(item)
            if component is None or not component.declarations:
                return self._keep(key, node, self._open_plain(), ())
        values: dict[str, Any] = {}
        found: tuple[Definition, ...] = ()
        for definition in self._loops.settings.fixtures(item):
            value = item_request(item).getfixturevalue(definition.argname)
            if is_meant(definition.argname, value):  # else it is a fixture of that name, and no more
                values[definition.argname] = value
                found += (definition,)
        lent = values.get("loop", values.get("event_loop"))
        if lent is not None:
            host = Host.lent(_checked(lent, next(d for d in found if SETTINGS[d.argname] == "loop")))
        else:
            host = Host.open(
                self._factory(item, values), debug=self._debug(item), executor=self._executor(item, values)
            )
        if lent is not None and self._debug(item):
            host.loop.set_debug(True)
        if lent is not None and (executor := self._executor(item, values)) is not None:
            host.loop.set_default_executor(executor())
        return self._keep(key, node, host, found)

    def _open_plain(self) -> Host:
        """A host as the options have it, where the suite declares nothing."""
        options = self._options
        size = options.pool_size
        executor = None if size is None else partial(ThreadPoolExecutor, size)
        return Host.open(options.loop_factory(), debug=options.debug, executor=executor)

    def _keep(self, key: object, node: Any, host: Host, found: tuple[Definition, ...]) -> Host:
        self._open[key] = host
        if self.opened is not None:
            self.opened(host)
        if found:
            self._depends_on[key] = found
        if isinstance(key, pytest.Item):  # the loop of one test ends with it
            self.ends.begin(key)
            return host

        def close() -> None:
            self._close(key)

        node.addfinalizer(close)
        for definition in found:
            definition.addfinalizer(close)
        return host

    def _close(self, key: object, owner: object = None) -> None:
        host = self._open.pop(key, None)
        self._latest = None
        self._depends_on.pop(key, None)
        if host is not None:
            host.close(owner)

    def _end(self, item: pytest.Function, running: RunningTest) -> None:
        """Ends what a test left over, and its own loop."""
        try:
            if item in self._open:
                self._close(item, running)
            elif (host := self.open_host(item)) is not None and not host.loop.is_closed():
                host.end_tasks_of(running, search=running.may_have_left_unnoted)
        finally:
            self._joined.pop(item, None)
            self._placed = None, None

    def settled_by(self, item: pytest.Function) -> tuple[Definition, ...]:
        """The fixtures that the item's open loop was made from: what is on the loop ends before they do."""
        component = self._component(item)
        return self._depends_on.get(item if component is None else component, ())

    def settling(self, item: pytest.Function) -> tuple[Definition, ...]:
        """The fixtures, alive now, that an item's loop was to be made from, where that failed."""
        settings = self._loops.settings
        return () if settings.is_silent(item) else tuple(d for d in settings.fixtures(item) if is_cached(d))

    def admit_standing(self, definition: Definition, live: Iterable[object], request: pytest.FixtureRequest) -> None:
        """Makes sure that a test is on the loop of what a sync fixture, alive before it, asked for at run time.

        Raises:
            AskError: it is not.
        """
        item = item_of(request)
        host = self.open_host(item)
        if host is None and not is_async_test(item):
            return
        for fixture in live:
            if isinstance(fixture, LiveFixture) and fixture.host is not host:
                raise AskError(
                    f"{item.name} uses fixture {definition.argname} (scope {definition.scope!r}), which asked for "
                    f"fixture {fixture.name} at run time: that lives on another loop than the test.",
                    [
                        (item.name, place_of_item(item)),
                        (definition.argname, location_of(definition.func)),
                        (fixture.name, fixture.location),
                    ],
                    _HOW_TO_DECLARE.format(name=fixture.name),
                )

    def _factory(self, item: pytest.Function, values: dict[str, Any]) -> LoopFactory | None:
        declared = self._from_configs(item, "factory") or self._options.loop_factory()
        if (given := values.get("loop_factory")) is not None:
            return loops_by(given, declared)
        if (policy := values.get("event_loop_policy")) is not None:
            return policy.new_event_loop  # type: ignore[no-any-return]
        return declared

    def _debug(self, item: pytest.Function) -> bool:
        declared = self._from_configs(item, "debug")
        return self._options.debug if declared is None else bool(declared)

    def _executor(self, item: pytest.Function, values: dict[str, Any]) -> Callable[[], ThreadPoolExecutor] | None:
        make = values.get("thread_pool_executor")
        if make is None and (declared := self._from_configs(item, "executor")) is not None:
            return declared  # type: ignore[no-any-return]
        size = values.get("thread_pool_size", self._options.pool_size)
        if make is not None:
            return executors_by(make, size or _DEFAULT_POOL_SIZE)
        return None if size is None else partial(ThreadPoolExecutor, size)

    def _from_configs(self, item: pytest.Function, name: str) -> Any:
        """The nearest declared value; those of all tests on one loop have been found not to contradict."""
        component = self._component(item)
        if component is not None and name in {"factory", "executor"}:
            about = "loop factory" if name == "factory" else "executor"
            for declaration in component.declarations:
                if declaration.about == about and declaration.place is None:
                    return declaration.value
            return None
        for config in reversed(self._loops.settings.configs(item)):
            value = getattr(config, name)
            if value is not None:
                return value
        return None


_DEFAULT_POOL_SIZE: Final = 4


def _inside_loop(name: str, item: pytest.Function) -> AskError:
    return AskError(
        f"{item.name} asked for async fixture {name} with getfixturevalue while its loop was running: the "
        "fixture needs that loop, and nothing can wait for it in a plain call.",
        [(item.name, place_of_item(item))],
        f'Write `await looprig.ask("{name}")`, in an async fixture too, or make {name} a parameter.',
    )


def _closed(host: Host, item: pytest.Function) -> FixtureError:
    by = host.closed_by
    return FixtureError(
        f"The loop of {item.name} is closed: {'something' if by is None else by[0]} closed it before the test.",
        [(item.name, location_of(item.obj)), *([] if by is None else [by])],
        "Don't close the loop: looprig does so after the last test and fixture on it.",
    )


def _checked(loop: asyncio.AbstractEventLoop, definition: Definition) -> asyncio.AbstractEventLoop:
    if not loop.is_closed():
        return loop
    raise DeclarationError(
        f"Fixture {definition.argname} is to give the event loop, but gave a closed loop.",
        [(definition.argname, location_of(definition.func))],
        "Return or yield an open asyncio event loop, or give the fixture another name.",
    )
