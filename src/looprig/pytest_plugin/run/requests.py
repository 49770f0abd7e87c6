"""Requests for fixtures at run time: by `ask`, and by `getfixturevalue` in sync code.

Does not decide which requests are refused (`admission` does).

Invariant: a set-up that failed because a request was refused leaves nothing in pytest's caches, whether a test or a
fixture made the request, by `ask` or `getfixturevalue`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.exceptions import AskError
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.instances import forget
from looprig.pytest_plugin._compat.requests import (
    active_definition,
    item_of,
    item_request,
    noting_requests,
    resolved_definitions,
)
from looprig.pytest_plugin.run.contexts import NOTHING, Contexts
from looprig.pytest_plugin.run.finalizers import finishing
from looprig.runtime.context import Changes, apply_changes, new_in
from looprig.runtime.fixture import LiveFixture

if TYPE_CHECKING:
    from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["Requester", "Requests", "forget_failure"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

Requester = tuple[Definition, LiveFixture, tuple[Changes, ...]]
"""An async fixture that makes a request, and the changes that its context carries."""

Answer = tuple[Any, tuple[Changes, ...], frozenset[object]]
"""The value of a requested fixture, the changes that are new to the requester, and the live fixtures under it."""


@final
class Requests:
    """The requests of tests and fixtures that are running."""

    def __init__(self, contexts: Contexts, registry: Registry) -> None:
        self._contexts = contexts
        self._registry = registry

    def ask_for_test(self, item: pytest.Function, wanted: Any) -> Answer:
        """Answer the request of an async test."""
        _, before = self._contexts.inherited(resolved_definitions(item))
        _, answer = self._ask(item_request(item), wanted, before)
        return answer

    def ask_for_fixture(self, request: pytest.FixtureRequest, requester: Requester, wanted: Any) -> Answer:
        """Answer the request of an async fixture. From now on it depends on the requested one, and ends before it."""
        definition, live, before = requester
        found, answer = self._ask(request, wanted, before)
        live.needs |= answer[2]
        found.addfinalizer(finishing(definition, request))
        return answer

    def _ask(
        self, request: pytest.FixtureRequest, wanted: Any, before: tuple[Changes, ...]
    ) -> tuple[Definition, Answer]:
        name = self._name_of(wanted, request)
        if self._registry.services:
            from looprig.pytest_plugin.collection.configuration import configure_requested  # noqa: PLC0415 - only then

            configure_requested(self._registry, item_of(request), name)
        value = request.getfixturevalue(name)
        found = active_definition(request, name)
        live, carried = self._contexts.legacies.get(found, NOTHING)
        return found, (value, new_in(carried, before), live)

    def _name_of(self, wanted: Any, request: pytest.FixtureRequest) -> str:
        if isinstance(wanted, str):
            return wanted
        from looprig.pytest_plugin.collection.annotations import target_of  # noqa: PLC0415 - few tests ask so
        from looprig.pytest_plugin.collection.proxies import VisibleProxies  # noqa: PLC0415

        self._registry.complete()
        item = item_of(request)
        if (target := target_of(wanted, VisibleProxies(self._registry, item.obj, item))) is not None:
            return self._registry.fixtures.name_for(target)
        shown = getattr(wanted, "__qualname__", repr(wanted))
        raise AskError(
            f"ask({shown}): that isn't a service class.",
            [(shown, location_of(wanted))],
            "Ask for a class with @service_fixture, a TestClient[...] or Proxy[...] of one, or a fixture by its name.",
        )

    @contextmanager
    def carried_into(self, request: pytest.FixtureRequest, known: list[Definition]) -> Generator[None, None, None]:
        """Add the fixtures that sync code requests in this block to `known`, and apply their changes to the context."""
        contexts = self._contexts

        def note(found: Definition) -> None:
            if found in known:
                return
            _, before = contexts.inherited(known)
            known.append(found)
            apply_changes(new_in(contexts.legacies.get(found, NOTHING)[1], before))

        with noting_requests(request, note):
            yield


def forget_failure(
    error: BaseException, definition: Definition, request: pytest.FixtureRequest, *, is_by_test: bool = False
) -> None:
    """Make pytest set a fixture up again for the next request, if its set-up failed because of a refusal.

    `is_by_test` says whether it failed only because of the test that requested it.
    """
    if not (is_by_test or _is_refusal(error)):
        return
    try:
        forget(definition, request, error)
    except BaseException as other:  # noqa: BLE001 - raised together with the refusal
        message = f"the set-up of fixture {definition.argname} was given up, and its teardown failed"
        raise BaseExceptionGroup(message, [error, other]) from None


def _is_refusal(error: BaseException) -> bool:
    """Return whether an error is a refusal, has one in its group, or was raised because of one."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        if isinstance(each, AskError):
            return True
        seen.add(id(each))
        left += (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
    return False
