"""Acts on the markers `catch_loop_exceptions` and `forbid_get_event_loop`.

Registered only where a collected test has one of them. Does not watch loops itself (`looprig.watch` does).
"""

from collections.abc import Generator
from contextlib import ExitStack
from typing import final

import pytest

from looprig.location import location_of
from looprig.pytest_plugin.options import CATCH, FORBID
from looprig.pytest_plugin.run.hosts import Hosts
from looprig.watch.garbage import Garbage
from looprig.watch.get_event_loop import forbidden
from looprig.watch.loop_exceptions import LoopExceptions

__all__ = ["Watching"]


@final
class Watching:
    """Watches the tests that have the markers."""

    def __init__(self, hosts: Hosts | None) -> None:
        self._hosts = hosts
        self._garbage = Garbage()
        self._exceptions: LoopExceptions | None = None
        self._stack = ExitStack()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Begins to watch, before the first fixture."""
        if item.get_closest_marker(CATCH) is not None:
            self._garbage.begin()
            exceptions = self._exceptions = LoopExceptions(self._garbage)
            if self._hosts is not None and isinstance(item, pytest.Function):
                host = self._hosts.open_host(item)
                if host is not None:
                    exceptions.attach(host.loop)
                self._hosts.subscribe(lambda opened: exceptions.attach(opened.loop))
        if item.get_closest_marker(FORBID) is not None:
            module = getattr(item, "module", None)
            self._stack.enter_context(
                forbidden(
                    lambda: pytest.fail("asyncio.get_event_loop is forbidden in this test"),
                    *([module] if module is not None else []),
                )
            )
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fails the test for what reached the exception handler so far."""
        try:
            result = yield
        except BaseException as error:
            self._add_note(item, error)
            raise
        self._raise(item)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Ends watching, and fails for what came after the call."""
        try:
            result = yield
            self._raise(item)
        finally:
            if self._hosts is not None:
                pass
            if self._exceptions is not None:
                self._exceptions.detach()
                self._exceptions = None
            self._stack.close()
        return result

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        """End watching the garbage collector."""
        self._garbage.close()

    def _raise(self, item: pytest.Item) -> None:
        if self._exceptions is not None:
            error = self._exceptions.take((item.name, location_of(getattr(item, "obj", None))))
            if error is not None:
                raise error

    def _add_note(self, item: pytest.Item, failure: BaseException) -> None:
        if self._exceptions is not None:
            error = self._exceptions.take((item.name, location_of(getattr(item, "obj", None))))
            if error is not None:
                failure.add_note(str(error))
