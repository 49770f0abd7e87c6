"""The services that a worker of pytest-xdist shares with the other workers, and how long it needs them.

Does not run or copy them (`looprig.services.sharing` does).

Invariants:
1. A worker whose tests need such a service has a lease from the end of its collection to the end of its session. So the
   service starts once, however late a worker needs it.
2. What fails when the services are stopped is an error of the last test of the last worker. If that worker has run no
   test, the controller reports it.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin.workers import report_sharing
from looprig.scopes import Scope

if TYPE_CHECKING:
    from looprig.declare.service import ServiceSpec
    from looprig.pytest_plugin.collection.registry import Registry
    from looprig.services.sharing.messages import Failed
    from looprig.services.sharing.user import Run, Shared

__all__ = ["SharedRun"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class SharedRun:
    """The part of one worker in its run. `controller` is the pid of the process that controls the worker, or 0."""

    def __init__(self, name: str, controller: int, registry: Registry) -> None:
        self._controller = controller
        self._name = name
        self._registry = registry

    @cached_property
    def _run(self) -> Run:
        from looprig.services.sharing.user import Run  # noqa: PLC0415 - it loads asyncio

        return Run(self._name, self._controller)

    def use(self, spec: ServiceSpec, fields: dict[str, Any]) -> Shared:
        """Return a service as a context manager, which starts it unless it runs already."""
        from looprig.services.sharing.user import Shared  # noqa: PLC0415 - it loads asyncio

        return Shared(self._run, spec, fields)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take a lease if any test needs a service of the run."""
        if session.config.getoption("collectonly"):
            return
        names = {name for name, spec in self._registry.services.items() if spec.scope is Scope.RUN}
        items = (item for item in session.items if isinstance(item, pytest.Function))
        if any(not names.isdisjoint(closure_of(item).names) for item in items):
            self._run.join()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, object, object]:
        """Give the lease back after the teardown of the last test, which reports what fails."""
        result = yield
        if nextitem is None and (failures := self._leave()):
            from looprig.services.sharing.failures import raise_failures  # noqa: PLC0415 - only then

            raise_failures(failures)
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Give the lease back if no test has run or the run was cut short, and report to the controller."""
        texts: list[str] = []
        if failures := self._leave():
            from looprig.services.sharing.failures import text_of  # noqa: PLC0415 - only then

            texts = [text_of(each) for each in failures]
        report_sharing(session.config, texts)

    def _leave(self) -> list[Failed]:
        return self._run.leave() if "_run" in self.__dict__ else []
