"""Time limits on the phases of a test: set-up, call and teardown.

Does not cancel anything (operations do, see `looprig.runtime.operation`).

Invariants:
1. Outside of a test's phases there is no limit.
2. The limit of one test doesn't make a fixture fail for other tests. A service has its own `start_timeout`, and if
   another fixture exceeds the limit of a test, pytest doesn't cache the failure.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final, final

import pytest

from looprig.exceptions import TimeoutExpiredError
from looprig.location import location_of
from looprig.runtime.limit import Limit, LimitOnSyncCode
from looprig.runtime.operation import running

if TYPE_CHECKING:
    from looprig.pytest_plugin.loops.settings import LoopSettings
    from looprig.pytest_plugin.options import Options
    from looprig.runtime.interrupts import Interrupts
    from looprig.runtime.limit import Break

__all__ = ["Limits"]

_WITHOUT_LIMIT: Final = nullcontext()


@final
class Limits:
    """The limit of the current phase, and the seconds that each phase of the current test may take."""

    def __init__(
        self,
        settings: LoopSettings,
        options: Options,
        interrupts: Interrupts,
        *,
        hint: Callable[[pytest.Item], str],
        explain: Callable[..., None],
        give_up: Callable[[], object],
    ) -> None:
        self.explain: Final = explain
        """Called with a test, an exception that may have been raised because its loop stood still, and `is_sync`."""
        self._give_up = give_up
        self._hint = hint
        self._interrupts = interrupts
        self._settings = settings
        self._options = options
        self._nearest: tuple[pytest.Collector | None, float | None] = (None, None)
        self.current: Limit | None = None
        self.is_own: bool = False
        """Whether the limit of the current test may differ from that of others."""
        self._phase: tuple[pytest.Item, str] | None = None
        self._operations: Final = running.operations
        self._sync_code: Final[list[LimitOnSyncCode]] = []
        self._is_apart = False
        self.is_debugged: bool = False
        """Whether somebody debugs the current test, so that no limit applies."""
        self.seconds: float | None = None

    def begin_test(self, item: pytest.Item) -> None:
        """Look up the limit of a test, from its marker, the nearest `loop_config`, or the option."""
        self.current = None
        self.is_own = False
        self.is_debugged = self._options.debugging
        if self.is_debugged:
            return
        if item.own_markers:
            self.seconds = self._find(item)
            self.is_own = any(marker.name == "loop_timeout" for marker in item.own_markers)
            return
        if item.parent is not self._nearest[0]:  # look this up once for all tests of a class or module
            self._nearest = item.parent, self._find(item)
        self.seconds = self._nearest[1]

    def _find(self, item: pytest.Item) -> float | None:
        seconds = None
        if item.get_closest_marker("loop_timeout") is not None:
            from looprig.pytest_plugin.markers import timeout_of  # noqa: PLC0415 - few suites use it

            seconds = timeout_of(item)
        if seconds is None and isinstance(item, pytest.Function):
            declared = [c.timeout for c in self._settings.configs(item) if c.timeout is not None]
            seconds = declared[-1] if declared else None
        return self._options.timeout if seconds is None else seconds

    def begin(self, item: pytest.Item, phase: str) -> None:
        """Start the clock of a phase. Call this only if `seconds` is not `None`."""
        seconds = self.seconds
        assert seconds is not None
        self._phase = item, phase
        self.current = self._made(item, phase, seconds, seconds)

    @staticmethod
    def error(item: pytest.Item, phase: str, seconds: float, what: str) -> TimeoutExpiredError:
        """Return the error of a phase that took longer than `seconds`, in the operation `what`."""
        where = "" if what.endswith(f" of {item.name}") else f", in {what}"
        return TimeoutExpiredError(
            f"The {phase} of {item.name} took longer than {seconds:g} s{where}.",
            [(item.name, location_of(getattr(item, "obj", None)))],
            "The traceback ends where it waited. Raise the limit with @looprig.timeout(seconds), or find out "
            "what it waits for.",
        )

    def _made(self, item: pytest.Item, phase: str, seconds: float, left: float) -> Limit:
        expired = partial(self.error, item, phase, seconds)
        return Limit(left, expired, self._interrupts.break_off, partial(self._hint, item), self._give_up)

    @property
    def has_default(self) -> bool:
        """Whether the default limit applies: no limit is set, no service is starting, and no test is debugged."""
        return self.seconds is None and not (self._is_apart or self.is_debugged)

    def expire(self, item: pytest.Item, phase: str, seconds: float) -> None:
        """End what runs now, since the phase has taken longer than the default limit. Called in another thread."""
        self.seconds = seconds
        limit = self.current = self._made(item, phase, seconds, 0.0)
        blocks, operations = self._sync_code, self._operations
        if blocks and blocks[-1].is_innermost:
            blocks[-1].impose(limit)
        elif operations:
            operations[-1].limit(limit)

    def debug(self) -> None:
        """Drop the limit of the test, whose code somebody debugs."""
        self.is_debugged = True
        self.seconds = None
        if self.current is not None:
            self.current.is_off = True
            self.current = None

    def leaves_time_to(self, node: object, item: pytest.Item) -> bool:
        """Return whether a service that starts on `node` gets the time that its `start_timeout` says."""
        return self.seconds is None or (self.is_own and node is not item)

    @contextmanager
    def apart(self) -> Generator[None, None, None]:
        """Suspend the limit while a service starts. The clock starts again afterwards."""
        self.current = None
        self._is_apart = True
        try:
            yield
        finally:
            self._is_apart = False
            if self._phase is not None and self.seconds is not None:
                self.begin(*self._phase)

    def apart_if(self, is_apart: bool) -> AbstractContextManager[None]:  # noqa: FBT001 - said by its name
        """Return `apart()`, or a context manager that does nothing."""
        return self.apart() if is_apart else _WITHOUT_LIMIT

    def on_sync_code(
        self,
        host: object,
        what: str,
        needs: Callable[[], frozenset[object]] = frozenset,
        item: pytest.Item | None = None,
    ) -> AbstractContextManager[None]:
        """Return a context manager that interrupts the sync code in its block when the phase's limit expires.

        So does a crash of a service in a thread that the code `needs`. An exception of the code is explained if `item`
        is given. Without a host it does nothing.
        """
        if not host:
            return _WITHOUT_LIMIT
        self._interrupts.install()  # a sync test whose own loop has just been opened
        return LimitOnSyncCode(
            self.current,
            self._interrupts.break_off,
            what,
            self._operations,
            self._sync_code,
            explain=str if item is None else partial(self.explain, item, is_sync=True),
            needs=needs,
        )

    def break_sync_code(self, live: object, cause: Break) -> None:
        """Interrupt the sync code that runs now if it needs a fixture. Called in another thread."""
        for block in self._sync_code[-1:]:
            if live in block.needs():
                block.impose(cause)

    def end(self) -> None:
        """Stop the clock."""
        self.current = None
