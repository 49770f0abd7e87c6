"""A fault that lasts as long as a `with` block.

Invariant: if `with` is missing, so that the block is never entered, the proxy reports an error. Otherwise the test
would pass without any fault.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar, final

__all__ = ["Block"]

T_co = TypeVar("T_co", covariant=True)


@final
class Block(AbstractContextManager[T_co, bool | None]):
    """The context manager that `apply`, `down` and the like return."""

    __slots__ = ("_forgotten", "_inner", "_is_entered")

    def __init__(self, inner: AbstractContextManager[T_co, bool | None], forgotten: Callable[[], object]) -> None:
        self._forgotten = forgotten
        self._inner = inner
        self._is_entered = False

    def __enter__(self) -> T_co:
        self._is_entered = True
        return self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._inner.__exit__(kind, error, traceback)

    def __del__(self) -> None:
        if not self._is_entered:
            self._forgotten()
