"""The events that watchers receive, to find errors that a test doesn't raise itself.

Does not decide which tests are watched, or how an error is reported: `looprig.pytest_plugin.watch` does.

Invariants:
1. The events of a test come in this order: `begin_test`, `add_loop` any number of times, `take_errors` after the call
   and after the teardown, `end_test`, and `sections` for each phase that failed.
2. `begin_test` is not called for a watcher that starts during a test.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, final

from looprig.location import Location, location_of

if TYPE_CHECKING:
    import asyncio  # a sync suite may watch proxies without loading asyncio

__all__ = ["WatchedTest", "Watcher"]


@final
class WatchedTest:
    """The facts about a test that watchers get. `module` is its module, if it has one."""

    __slots__ = ("_function", "module", "name")

    def __init__(self, name: str, function: object, module: ModuleType | None) -> None:
        self._function = function
        self.module: ModuleType | None = module
        self.name: str = name

    @property
    def location(self) -> Location:
        """The location of the test function."""
        return location_of(self._function)


class Watcher:
    """Base class of watchers, which override the events that they need. By default, events do nothing.

    There is one instance in each run, however many tests it watches.
    """

    prefix: str = ""
    """Prefix of an error that is added to another failure as a note."""

    def begin_test(self, test: WatchedTest) -> None:
        """Begin to watch a test. Called before its first fixture is set up."""

    def add_loop(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Handle a loop of the test, which was open before the test, or has just been opened."""

    def take_errors(self) -> Sequence[Exception]:
        """Return the errors found since the last call. They fail the test, or become notes on its failure."""
        return ()

    def end_test(self) -> None:
        """Stop watching the test. Called after the teardown of its last fixture."""

    def sections(self, test_id: str) -> Sequence[tuple[str, str]]:
        """Return the title and text of each section to add to the report of the failed test with this node id."""
        return ()

    def close(self) -> None:
        """Stop watching, at the end of the run."""
