"""The errors of what serves the tests: of a proxy on a connection, of a server's handler for a client.

They happen beside the test, in tasks that nobody awaits. So what serves keeps them until they are taken: by the watch
of the run, which fails the running test, or when it stops. Does not know pytest; the plugin implements the watch.

Invariant: an error is taken once.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import looprig

__all__ = ["ErrorSource", "SourceWatch", "current_watch"]


class ErrorSource(Protocol):
    """Something that runs beside the tests and keeps its errors."""

    def take_errors(self) -> Sequence[Exception]:
        """Return the errors since the last call, which count as handled from now on."""
        ...


class SourceWatch(Protocol):
    """The watch of a run, which fails the running test for the errors of its sources."""

    def add(self, source: ErrorSource, /) -> None:
        """Note that a source has started."""

    def remove(self, source: ErrorSource, /) -> None:
        """Note that a source is about to stop. It will raise the errors that `take_errors` has not returned."""


def current_watch() -> Any:
    """Return the watch of this run, or `None` outside of one. It is a `SourceWatch`, and more for proxies."""
    find = looprig.proxy_watch.get(None)
    return None if find is None else find()
