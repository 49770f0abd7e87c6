"""The thread's current loop, while sync code runs that has a loop.

`asyncio.Future()` and `asyncio.get_event_loop()` take the current loop where none is running, as constructors of many
libraries do. Nothing of looprig itself asks for it.

Invariants:
1. What was current before is current again, and where nothing was, asyncio is as if it had never been set.
2. Where the code itself makes a loop current, that one stays, for all that runs on the same host.
"""

import asyncio
from types import TracebackType
from typing import Any, Final, final

from looprig.runtime.host import Host

__all__ = ["CurrentLoop"]

_ABSENT: Final = object()
# `asyncio.set_event_loop` cannot undo what it does: before Python 3.14 `get_event_loop` makes a loop unless one was
# ever set. From 3.14 on, access to the policy is deprecated; asyncio itself still goes through it.
_policy: Final[Any] = getattr(asyncio.events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy  # pyright: ignore[reportDeprecated]


@final
class CurrentLoop:
    """Makes the loop of a host the current one for a block; without a host it does nothing."""

    __slots__ = ("_host", "_local", "_was_set", "_was_there")

    def __init__(self, host: Host | None) -> None:
        self._host = None if host is None or host.leaves_current or host.loop.is_closed() else host

    def __enter__(self) -> None:
        if self._host is None:
            return
        self._local: Any = getattr(_policy(), "_local", None)
        if self._local is None:  # a policy of the suite's own, which keeps its loop elsewhere
            self._host = None
            return
        self._was_there = self._local._loop  # noqa: SLF001 - see above
        self._was_set = getattr(self._local, "_set_called", _ABSENT)
        self._local._loop = self._host.loop  # noqa: SLF001 - as above

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._host is None:
            return
        current = self._local._loop  # noqa: SLF001 - as above
        if current is not None and current is not self._host.loop:  # none is what `asyncio.run` leaves
            self._host.leaves_current = True
            return
        self._local._loop = self._was_there  # noqa: SLF001 - as above
        if self._was_set is not _ABSENT:
            self._local._set_called = self._was_set  # noqa: SLF001 - as above
