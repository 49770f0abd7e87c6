"""Cancelling tasks that wait for each other in a circle, which asyncio itself can't: `Task.cancel` recurses for ever.

Loaded only if that happens. Does not find out why they wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

__all__ = ["break_circle"]


def break_circle(task: asyncio.Task[Any], message: str | None) -> None:
    """Cancel a task in the circle that `task` is part of or waits for. The others are cancelled by its end."""
    member = _member(task)
    waiter: Any = getattr(member, "_fut_waiter", None)
    callbacks: list[tuple[Any, Any]] = [*(getattr(waiter, "_callbacks", None) or ())]
    for callback, _ in callbacks:
        if getattr(callback, "__self__", None) is member:
            waiter.remove_done_callback(callback)
            cancelled = waiter.get_loop().create_future()
            cancelled.cancel(message)
            waiter.get_loop().call_soon(callback, cancelled)
            return


def _member(task: asyncio.Task[Any]) -> Any:
    """Return a task of the first circle on the way from `task`."""
    path: list[Any] = []
    seen: set[Any] = set()

    def follow(future: Any) -> Any:
        if future in path:
            circle = path[path.index(future) :]
            return next(filter(_is_task, circle), None)
        if future in seen or future.done():
            return None
        seen.add(future)
        path.append(future)
        found = next((found for each in _awaited(future) if (found := follow(each)) is not None), None)
        path.pop()
        return found

    return follow(task)


def _is_task(future: Any) -> bool:
    return isinstance(future, asyncio.Task)


def _awaited(future: Any) -> Iterator[Any]:
    waiter = getattr(future, "_fut_waiter", None)
    if waiter is not None:
        yield waiter
    yield from getattr(future, "_children", ())  # of `gather`
