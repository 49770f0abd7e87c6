"""Requests for fixtures that aren't in the loop plan: each is admitted, or refused because of its loop.

Does not set up fixtures (`fixtures` does).

Invariants:
1. A fixture is never set up on a loop that ends before the fixture, or on another loop than the plan says.
2. A test never uses a fixture that lives on another loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.exceptions import AskError
from looprig.location import location_of
from looprig.plan import Component
from looprig.pytest_plugin._compat.requests import item_of, requesting_definition, requesting_node
from looprig.pytest_plugin._compat.scopes import place_of_item
from looprig.pytest_plugin.is_async import is_async_test
from looprig.runtime.fixture import LiveFixture

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.loops.loop_plan import LoopPlan
    from looprig.pytest_plugin.run.hosts import Hosts
    from looprig.runtime.host import Host

__all__ = ["Admission"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_HOW_TO_DECLARE: Final = (
    "Declare it, so that the loop plan knows: make it a parameter of the test or of a fixture that the test uses, "
    'or mark the test with @pytest.mark.usefixtures("{name}").'
)


@final
class Admission:
    """The fixtures admitted so far, and the components of those that were only requested at run time."""

    def __init__(self, hosts: Hosts, loops: LoopPlan) -> None:
        self._hosts = hosts
        self._loops = loops
        self._admitted: set[tuple[Definition, object, Component]] = set()
        self._unplanned: dict[tuple[Definition, object], Component] = {}

    def admit(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        """Make sure that a fixture and the test that requests it share a loop, even if the fixture is already alive.

        Raises:
            AskError: they would be on different loops.
        """
        item = item_of(request)
        component = self._hosts.component(item)
        node = request.node
        # Each value of a parametrized factory has its own loops, with separate instances of fixtures.
        known = None if component is None or "callspec" in item.__dict__ else (definition, node, component)
        if known in self._admitted:
            return
        planned = self._loops.component_of_instance(definition, node, item)
        planned = planned or self._unplanned.get((definition, node))
        if planned is component and known is not None:
            self._admitted.add(known)
        elif planned is not None and planned is not component:
            self._join(item, planned, definition, request)
        elif planned is None and not self._hosts.outlives(item, component, node):
            new = Component(self._loops.place(node))
            self._join(item, new, definition, request)
            self._unplanned[definition, node] = new  # not reached if the request was refused

    def admit_dependent(self, definition: Definition, live: Iterable[object], request: pytest.FixtureRequest) -> None:
        """Make sure that a test shares the loop of the fixtures that a live sync fixture requested at run time.

        Raises:
            AskError: the test would be on another loop.
        """
        item = item_of(request)
        host = self._hosts.open_host(item)
        if host is None and not is_async_test(item):
            return
        for fixture in live:
            if isinstance(fixture, LiveFixture) and not fixture.host.is_in_thread and fixture.host is not host:
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

    def host_for_loop(self, request: pytest.FixtureRequest) -> Host:
        """Return the host whose loop the `loop` fixture returns in this request.

        Raises:
            AskError: that loop would end before the requesting fixture.
        """
        item = item_of(request)
        requester = requesting_definition(request)
        if requester is None:
            return self._hosts.of_item(item)
        node = requesting_node(request)
        if not self._hosts.outlives(item, self._hosts.component(item), node):
            planned = self._loops.component_of_instance(requester, node, item)
            if planned is None:
                raise AskError(
                    f"Fixture {requester.argname} (scope {requester.scope!r}) asks for the loop at run time, but the "
                    f"loop of {item.name} ends before the fixture.",
                    [(requester.argname, location_of(requester.func)), (item.name, place_of_item(item))],
                    f"Make `loop` a parameter of {requester.argname}, so that the loop plan knows.",
                )
            self._join(item, planned, requester, request)
        return self._hosts.of_item(item)

    def _join(
        self, item: pytest.Function, component: Component, definition: Definition, request: pytest.FixtureRequest
    ) -> None:
        if self._hosts.join(item, component):
            return
        registry = self._loops.registry
        label = registry.label(definition)
        raise AskError(
            f"{item.name} asks for fixture {label} (scope {request.scope!r}) at run time, but that lives on another "
            f"loop than the test: on {component.place.label}.",
            [(item.name, place_of_item(item)), (label, location_of(definition.func))],
            _HOW_TO_DECLARE.format(name=registry.public_name(definition)),
        )

    def inside_loop(self, definition: Definition, item: pytest.Function) -> AskError:
        """Return the error for an async fixture that is requested by a plain call while its loop runs."""
        name = self._loops.registry.public_name(definition)
        return AskError(
            f"{item.name} asked for async fixture {name} with getfixturevalue while its loop was running: the "
            "fixture needs that loop, and a plain call can't wait for it.",
            [(item.name, place_of_item(item))],
            f'Write `await looprig.ask("{name}")`, which works in async fixtures too, or make {name} a parameter.',
        )
