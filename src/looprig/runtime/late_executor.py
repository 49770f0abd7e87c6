"""An executor that is created on first use.

For executors whose threads start at once and end slowly: aiomisc's takes 20 ms, and most tests use no thread.

Invariant: no executor is created after the shutdown.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, final

from typing_extensions import override

__all__ = ["LateExecutor"]


@final
class LateExecutor(ThreadPoolExecutor):
    """An executor that delegates to the one that `make` returns. Loops accept only subclasses of this base class."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        super().__init__(1)  # starts no thread
        self._make = make
        self._made: Executor | None = None

    @override
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if self._made is None:
            if self._shutdown:
                return super().submit(fn, *args, **kwargs)  # raises the usual error
            self._made = self._make()
        return self._made.submit(fn, *args, **kwargs)

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=wait)
        if self._made is not None:
            self._made.shutdown(wait=wait)
