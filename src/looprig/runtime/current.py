"""The thread's current loop, for sync tests and fixtures that have a loop.

While no loop is running, `asyncio.Future()`, `asyncio.get_event_loop()` and the constructors of many libraries use the
current loop. looprig itself never uses it.

Invariants:
1. Afterwards, the previous loop is current again. If there was none, asyncio is left as if it had never been set.
2. If the code itself sets another current loop, that one stays, for everything that runs on the same host.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from looprig.runtime.host import Host

__all__ = ["CurrentLoop"]

_ABSENT: Final = object()
# `asyncio.set_event_loop` can't be undone: before Python 3.14, `get_event_loop` creates a loop only if none was ever
# set. From 3.14 on, access to the policy is deprecated, but asyncio itself still uses it.
_policy: Final[Any] = getattr(asyncio.events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy  # pyright: ignore[reportDeprecated]


@final
class CurrentLoop:
    """A block in which the loop of a host is the current one. Without a host it does nothing."""

    __slots__ = ("_host", "_local", "_was_set", "_was_there")

    def __init__(self, host: Host | None) -> None:
        self._host = None if host is None or host.leaves_current or host.loop.is_closed() else host

    def __enter__(self) -> None:
        if self._host is None:
            return
        self._local: Any = getattr(_policy(), "_local", None)
        if self._local is None:  # the suite's own policy, which keeps its loop elsewhere
            self._host = None
            return
        self._was_there = self._local._loop  # noqa: SLF001 - see above
        self._was_set = getattr(self._local, "_set_called", _ABSENT)
        self._local._loop = self._host.loop  # noqa: SLF001 - see `_policy`

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._host is None:
            return
        current = self._local._loop  # noqa: SLF001 - see `_policy`
        if current is not None and current is not self._host.loop:  # `None` is what `asyncio.run` leaves behind
            self._host.leaves_current = True
            return
        self._local._loop = self._was_there  # noqa: SLF001 - see `_policy`
        if self._was_set is not _ABSENT:
            self._local._set_called = self._was_set  # noqa: SLF001 - see `_policy`
