"""Sources of errors besides the tests: proxies, and servers whose handlers raise.

Such errors happen in tasks that nothing awaits. So the source keeps them until it stops, or until the watch of the run
takes them and fails the running test. Does not know pytest: the plugin implements the watch.

Invariant: an error is taken once.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import looprig

__all__ = ["ErrorSource", "SourceWatch", "current_watch"]


class ErrorSource(Protocol):
    """An object that runs beside the tests and keeps its errors."""

    def take_errors(self) -> Sequence[Exception]:
        """Return the errors since the last call, which count as handled from now on."""
        ...


class SourceWatch(Protocol):
    """The watch of a run, which fails the running test for the errors of its sources."""

    def add(self, source: ErrorSource, /) -> None:
        """Record that a source has started."""

    def remove(self, source: ErrorSource, /) -> None:
        """Record that a source is about to stop. It will raise the errors that `take_errors` has not returned."""


def current_watch() -> Any:
    """Return the watch of this run, or `None` outside a run. Proxies use the same object."""
    find = looprig.proxy_watch.get(None)
    return None if find is None else find()
