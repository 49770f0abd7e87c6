"""The thread's loops as asyncio sees them: the current one, and the running one.

Sync tests and fixtures that have a loop get it as the current one. While no loop is running, `asyncio.Future()`,
`asyncio.get_event_loop()` and the constructors of many libraries use it. looprig itself never does.

The running one may not run at all. Playwright's sync API runs a loop in a greenlet, and pauses inside of it whenever a
call returns. For asyncio that loop keeps running, so that no other could be run in the thread for the rest of the
session. Only asyncio's own loops are recognized as paused.

Invariants:
1. Afterwards, the previous loop is current again. If there was none, asyncio is left as if it had never been set.
2. If the code itself sets another current loop, that one stays, for everything that runs on the same host.
"""

from __future__ import annotations

import asyncio
import inspect
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from looprig.runtime.host import Host

__all__ = ["CurrentLoop", "loop_in_use", "run_forever"]

_running_loop: Final = asyncio._get_running_loop  # noqa: SLF001 - the public function raises if no loop runs, which is slow
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


def loop_in_use() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs the caller, or `None` if none does, even if a paused greenlet has one."""
    loop = _running_loop()
    return None if loop is None or _is_paused(loop) else loop


def run_forever(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, in place of one that a paused greenlet left running."""
    paused = _running_loop()
    if paused is None or not _is_paused(paused):
        loop.run_forever()
        return
    asyncio._set_running_loop(None)  # noqa: SLF001 - there is no public way
    try:
        loop.run_forever()
    finally:
        asyncio._set_running_loop(paused)  # noqa: SLF001 - see above


def _is_paused(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether no function that runs `loop` is among the callers: those of a paused greenlet aren't."""
    if not isinstance(loop, asyncio.BaseEventLoop):
        return False  # uvloop's functions have no frames
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is asyncio.BaseEventLoop.run_forever.__code__ and frame.f_locals.get("self") is loop:
            return False
        frame = frame.f_back
    return True
