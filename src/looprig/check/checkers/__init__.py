"""The supported type checkers, one file each."""

from typing import Final

from looprig.check.checkers.base import Checker
from looprig.check.checkers.mypy import Mypy
from looprig.check.checkers.pyrefly import Pyrefly
from looprig.check.checkers.pyright import Pyright
from looprig.check.checkers.ty import Ty

__all__ = ["CHECKERS"]

CHECKERS: Final[tuple[Checker, ...]] = (Mypy(), Pyright(), Ty(), Pyrefly())
