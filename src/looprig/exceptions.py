"""Every error looprig raises, under one root.

An error says what happened, where each party was declared (`path:line`), and how to fix it. The parts are
attributes; the text is put together from them, so that a report and a program read the same facts.

Invariant: every error survives pickling, since pytest-xdist carries them between processes. All fields are
positional and are handed on to `super().__init__` for that reason.
"""

from collections.abc import Sequence
from typing import final

from looprig.location import Location

__all__ = [
    "AskError",
    "CheckerError",
    "DeclarationError",
    "ExtraMissingError",
    "FixtureCrashedError",
    "FixtureError",
    "LoopExceptionsError",
    "LoopPlanError",
    "LooprigError",
    "ProxyError",
    "ServiceStartError",
    "StuckTaskError",
    "TimeoutExpiredError",
    "UnexpectedResponseError",
]


class LooprigError(Exception):
    """The root of every error that looprig raises.

    `what` says what happened, `parties` names everyone involved as (name, location), `fix` says how to mend it.
    """

    def __init__(self, what: str, parties: Sequence[tuple[str, Location]] = (), fix: str = "") -> None:
        super().__init__(what, tuple(parties), fix)
        self.what: str = what
        self.parties: tuple[tuple[str, Location], ...] = tuple(parties)
        self.fix: str = fix

    def __str__(self) -> str:
        lines = [self.what, *(f"  {location}: {name}" for name, location in self.parties)]
        if self.fix:
            lines.append(self.fix)
        return "\n".join(lines)


@final
class CheckerError(LooprigError):
    """A type checker that was to check fixtures is not installed, or did not come to an end."""


@final
class DeclarationError(LooprigError):
    """A service, field, parameter or loop declaration is wrong.

    Reported at import, or at the set-up of the tests that it concerns.

    `code` is what `--check-fixtures` calls it; `parameter` is the parameter of the first party that it is about, if it
    is about one.
    """

    def __init__(
        self,
        what: str,
        parties: Sequence[tuple[str, Location]] = (),
        fix: str = "",
        code: str = "declaration",
        parameter: str = "",
    ) -> None:
        super().__init__(what, parties, fix)
        self.args: tuple[object, ...] = (*self.args, code, parameter)  # which is what pickle makes it of
        self.code: str = code
        self.parameter: str = parameter


@final
class LoopPlanError(LooprigError):
    """No loop can satisfy all declarations that share it; reported at the set-up of the tests that it concerns."""


@final
class ExtraMissingError(LooprigError, ImportError):
    """A part of looprig needs a package that is not installed; `fix` says which extra to install."""


@final
class FixtureError(LooprigError):
    """An async fixture broke the rules of its life: no yield, two yields, or it was cancelled from outside."""


@final
class FixtureCrashedError(LooprigError):
    """A fixture ended in an error after its set-up, under the tests that use it; `__cause__` is that error."""


@final
class AskError(LooprigError):
    """A fixture was asked for at run time in a way that cannot give it the loop it needs."""


@final
class TimeoutExpiredError(LooprigError):
    """A test's set-up, call or teardown took longer than its time limit."""


@final
class StuckTaskError(LooprigError):
    """Tasks would not end although they were cancelled several times; they are left behind."""


@final
class LoopExceptionsError(LooprigError):
    """Exceptions reached the loop's exception handler during a test marked `catch_loop_exceptions`."""


@final
class ProxyError(LooprigError):
    """Something went wrong in a proxy itself: the service refused, a toxic raised; `__cause__` says what."""


@final
class ServiceStartError(LooprigError):
    """A service did not start; the text has what it logged while it tried."""


@final
class UnexpectedResponseError(LooprigError, AssertionError):
    """A response had another status than expected, or a body that does not decode to the type asked for."""


# Messages show an error by the path that users import it from, whether or not they did.
for _public in (
    DeclarationError,
    LooprigError,
    ProxyError,
    ServiceStartError,
    TimeoutExpiredError,
    UnexpectedResponseError,
):
    _public.__module__ = "looprig"
del _public
