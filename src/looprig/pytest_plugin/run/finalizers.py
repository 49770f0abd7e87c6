"""The finalizers that looprig registers with pytest.

Does not decide when a fixture ends: pytest does.

Invariant: each is a plain function without parameters, since other plugins look at the signatures of finalizers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

import pytest

from looprig.location import location_of
from looprig.runtime.current import CurrentLoop

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition
    from looprig.runtime.host import Host
    from looprig.runtime.tasks import RunningTest

__all__ = ["ending_tasks_of", "finalizers_in", "finishing"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@contextmanager
def finalizers_in(context: Context, definition: Definition, host: Host | None) -> Generator[None, None, None]:
    """Run the finalizers that a fixture adds in this block in `context`, with the loop of `host` as the current one."""
    patched: Any = definition
    add = definition.addfinalizer

    def add_here(finalizer: Callable[[], object]) -> None:
        def finish() -> None:
            __tracebackhide__ = True
            with CurrentLoop(host):
                context.run(finalizer)
            if host is not None and host.loop.is_closed():
                host.note_closed((definition.argname, location_of(definition.func)))

        add(finish)

    patched.addfinalizer = add_here
    try:
        yield
    finally:
        del patched.addfinalizer


def finishing(definition: Definition, request: pytest.FixtureRequest) -> Callable[[], None]:
    """Return a finalizer that tears a fixture down, for a fixture that it depends on without pytest's knowledge."""

    def finish() -> None:
        definition.finish(request=request)  # type: ignore[arg-type]

    return finish


def ending_tasks_of(owner: RunningTest, host: Host) -> Callable[[], None]:
    """Return a finalizer that ends the tasks that a sync fixture left running."""

    def end() -> None:
        try:
            if not host.loop.is_closed():
                host.end_tasks_of(owner)
        finally:
            owner.is_over = True

    return end
