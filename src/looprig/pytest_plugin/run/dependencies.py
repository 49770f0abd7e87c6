"""The dependencies of fixtures, and other facts about a fixture that its set-up needs.

Does not set anything up (`fixtures` does).

Invariant: everything that is set up after an autouse fixture, and has no wider scope, depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, final

import pytest

from looprig.location import Location, location_of
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.requests import active_definition
from looprig.pytest_plugin._compat.scopes import scope_of
from looprig.pytest_plugin.is_async import function_in_thread, hides_async, is_async_function

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.pytest_plugin.run.contexts import Contexts
    from looprig.scopes import Scope

__all__ = ["Dependencies", "Facts"]


@final
class Facts:
    """The facts about a fixture that each set-up needs, looked up once for each definition."""

    __slots__ = (
        *("function", "hides_async", "is_async", "is_plain", "is_service", "label", "location"),
        *("in_thread", "may_ask", "module", "needs", "scope"),
    )

    def __init__(self, definition: Definition, registry: Registry) -> None:
        function = definition.func
        self.function: Callable[..., Any] = function
        self.hides_async: bool = hides_async(function)
        self.in_thread: Callable[..., Any] | None = function_in_thread(function)
        """The function to run in the thread of the services instead, if there is one."""
        self.is_async: bool = is_async_function(function)
        self.is_plain: bool = type(function) is FunctionType
        """Whether the function can't be a method, and so needs no binding."""
        self.is_service: bool = registry.is_service(definition)
        self.label: str = registry.label(definition)
        self.location: Location = location_of(function)
        self.module: str = getattr(function, "__module__", None) or ""
        self.needs: tuple[str, ...] = tuple(name for name in definition.argnames if name != "request")
        self.may_ask: bool = "request" in definition.argnames
        self.scope: Scope = scope_of(definition)


@final
class Dependencies:
    """The dependencies of the fixtures of a run, looked up as they are set up."""

    def __init__(self, contexts: Contexts, registry: Registry) -> None:
        self._contexts = contexts
        self._registry = registry
        self.facts: dict[Definition, Facts] = {}
        """The facts about each fixture that was set up."""
        # The autouse fixtures of the latest test, and of those with the same parent.
        self._ambient: tuple[pytest.Function | None, Sequence[Definition]] = (None, ())
        self._ambient_beside: tuple[object, dict[object, Sequence[Definition]]] = (None, {})

    def look_up(self, definition: Definition) -> Facts:
        """Look up the facts about a fixture, and keep them in `facts`."""
        facts = self.facts[definition] = Facts(definition, self._registry)
        return facts

    def of(
        self, definition: Definition, facts: Facts, request: pytest.FixtureRequest, item: pytest.Function
    ) -> list[Definition]:
        """Return a fixture's dependencies: the fixtures that it names, and the autouse fixtures set up before it."""
        if item is not self._ambient[0]:
            self._ambient = item, self._find_ambient(item)
        legacies = self._contexts.legacies
        found = [
            ambient
            for ambient in self._ambient[1]
            if ambient in legacies and ambient is not definition and self.facts[ambient].scope >= facts.scope
        ]
        for name in facts.needs:
            if (needed := active_definition(request, name)) not in found:
                found.append(needed)
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
