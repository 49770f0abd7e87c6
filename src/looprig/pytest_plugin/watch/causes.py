"""Tasks that have failed and may be the cause of a test's failure, as notes on it. Loaded only once a test fails."""

import asyncio

import pytest

from looprig.pytest_plugin.watch.policies import Policies
from looprig.watch.background import NOTED
from looprig.watch.dead_tasks import dead_tasks, described

__all__ = ["add_causes"]


def add_causes(failure: BaseException, item: pytest.Item, loop: asyncio.AbstractEventLoop, policies: Policies) -> None:
    """Add a note for each task of a loop that has failed and that nothing has awaited."""
    if policies.of(item, "background") == "off":
        return
    notes: list[str] = []
    for task in dead_tasks(loop):
        text, cause = described(task)
        if cause is not failure and not policies.allow(item, cause):
            notes.append(text)
            vars(cause)[NOTED] = True
    if notes:
        failure.__notes__ = [*notes, *getattr(failure, "__notes__", ())]  # before those about tasks that wait for it
