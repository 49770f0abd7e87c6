"""Requests at run time that were refused: each is about who asked, and pytest keeps none of them.

Does not refuse (`hosts` does).

Invariant: a set-up that ended because of a refusal leaves nothing in pytest's caches, whoever asked: the test, a
fixture of any scope, `ask` or `getfixturevalue`.
"""

import pytest

from looprig.exceptions import AskError
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.instances import forget

__all__ = ["forget_refusal"]


def forget_refusal(error: BaseException, definition: Definition, request: pytest.FixtureRequest) -> None:
    """Have pytest set a fixture up anew for the next asker, if its set-up ended in a refusal."""
    if not _is_refusal(error):
        return
    try:
        forget(definition, request, error)
    except BaseException as other:  # noqa: BLE001 - raised beside the refusal
        message = f"fixture {definition.argname} was refused what it asked for, and its teardown failed"
        raise BaseExceptionGroup(message, [error, other]) from None


def _is_refusal(error: BaseException) -> bool:
    """Return whether an error is a refusal, has one in its group, or was raised because of one."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        if isinstance(each, AskError):
            return True
        seen.add(id(each))
        left += (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
    return False
