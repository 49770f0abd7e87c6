"""The thread's current loop, while sync code runs that has a loop.

`asyncio.Future()` and `asyncio.get_event_loop()` take the current loop where none is running, as constructors of many
libraries do. Nothing of looprig itself asks for it.

Invariants:
1. What was current before is current again, and where nothing was, asyncio is as if it had never been set.
2. A loop that the code itself makes current stays so.
"""

import asyncio
from types import TracebackType
from typing import Any, Final, final

__all__ = ["CurrentLoop"]

_ABSENT: Final = object()
# `asyncio.set_event_loop` cannot undo what it does: before Python 3.14 `get_event_loop` makes a loop unless one was
# ever set. From 3.14 on, access to the policy is deprecated; asyncio itself still goes through it.
_policy: Final[Any] = getattr(asyncio.events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy  # pyright: ignore[reportDeprecated]


@final
class CurrentLoop:
    """Makes `loop` the current one for a block; with `None` it does nothing."""

    __slots__ = ("_local", "_loop", "_was_set", "_was_there")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop

    def __enter__(self) -> None:
        if self._loop is None:
            return
        # A policy of the suite's own may keep its loop elsewhere; then it has none, as after `asyncio.run`.
        self._local = getattr(_policy(), "_local", None)
        if self._local is None:
            asyncio.set_event_loop(self._loop)
            return
        self._was_there = self._local._loop  # noqa: SLF001 - see above
        self._was_set = getattr(self._local, "_set_called", _ABSENT)
        self._local._loop = self._loop  # noqa: SLF001 - as above

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop is None:
            return
        if self._local is None:
            asyncio.set_event_loop(None)
        elif self._local._loop is self._loop:  # noqa: SLF001 - as above
            self._local._loop = self._was_there  # noqa: SLF001 - as above
            if self._was_set is not _ABSENT:
                self._local._set_called = self._was_set  # noqa: SLF001 - as above
