"""What a watchdog finds, and for whom.

Does not decide what a finding means for a test: that depends on the policy of its kind.
"""

from dataclasses import dataclass
from typing import final

from looprig.declare.watchdogs import Kind
from looprig.exceptions import LooprigError

__all__ = ["Finding"]


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of one kind, as the error that a test fails with.

    Attributes:
        cause: the exception that was found, if it is about one.
        is_late: whether it may be about an earlier test, so that no test can be failed for it.
    """

    kind: Kind
    error: LooprigError
    cause: BaseException | None = None
    is_late: bool = False
