"""All errors that looprig raises, under one root.

An error says what happened, where each party was declared (`path:line`), and how to fix it. Each of these is an
attribute, and the message is built from the attributes.

Invariant: every error survives pickling, since pytest-xdist sends errors between processes. So all fields are
positional and passed on to `super().__init__`.
"""

from collections.abc import Sequence
from typing import final

from looprig.location import UNKNOWN, Location

__all__ = [
    "AskError",
    "BackgroundError",
    "BlockedLoopError",
    "CheckerError",
    "DeadlockError",
    "DeclarationError",
    "ExtraMissingError",
    "FixtureCrashedError",
    "FixtureError",
    "LeakError",
    "LoopPlanError",
    "LooprigError",
    "ProxyError",
    "ServiceStartError",
    "StuckTaskError",
    "TimeoutExpiredError",
    "UnexpectedResponseError",
    "summary",
]


class LooprigError(Exception):
    """The root of every error that looprig raises.

    Attributes:
        what: what happened.
        parties: everything involved, as pairs of name and location. The message leaves out unknown locations.
        fix: how to fix it.
    """

    def __init__(self, what: str, parties: Sequence[tuple[str, Location]] = (), fix: str = "") -> None:
        super().__init__(what, tuple(parties), fix)
        self.what: str = what
        self.parties: tuple[tuple[str, Location], ...] = tuple(parties)
        self.fix: str = fix

    def __str__(self) -> str:
        lines = [self.what, *(f"  {location}: {name}" for name, location in self.parties if location != UNKNOWN)]
        if self.fix:
            lines.append(self.fix)
        return "\n".join(lines)


@final
class CheckerError(LooprigError):
    """The type checker asked to check fixtures isn't installed, or did not finish."""


@final
class DeclarationError(LooprigError):
    """A service, field, parameter or loop declaration is wrong.

    Raised at import, or reported at the set-up of the tests that it concerns.

    Attributes:
        code: the name of the error in the output of `--check-fixtures`.
        parameter: the name of the parameter that is wrong, in the first party, or an empty string.
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
        self.args: tuple[object, ...] = (*self.args, code, parameter)  # pickle recreates the error from `args`
        self.code: str = code
        self.parameter: str = parameter


@final
class LoopPlanError(LooprigError):
    """No loop can satisfy all declarations that apply to it. Reported at the set-up of the tests that it concerns."""


@final
class ExtraMissingError(LooprigError, ImportError):
    """A part of looprig needs a package that isn't installed. `fix` says which extra to install."""


@final
class FixtureError(LooprigError):
    """An async fixture did not yield exactly once, or was cancelled from outside."""


@final
class FixtureCrashedError(LooprigError):
    """A fixture failed after its set-up, while tests were using it. `__cause__` is the error it raised."""


@final
class AskError(LooprigError):
    """A fixture was requested at run time in a way that can't give it the loop it needs."""


@final
class TimeoutExpiredError(LooprigError):
    """A test's set-up, call or teardown took longer than its time limit."""


@final
class BlockedLoopError(LooprigError):
    """A callback or a step of a task held its loop for longer than the threshold, so that nothing else could run."""


@final
class DeadlockError(LooprigError):
    """A test or fixture waited for something that couldn't happen, since nothing was left that could wake its loop."""


@final
class StuckTaskError(LooprigError):
    """Tasks did not end although they were cancelled several times. They are left behind."""


@final
class BackgroundError(LooprigError):
    """Something failed in the background, where nothing handles it. `__cause__` is the exception, if there is one."""


@final
class LeakError(LooprigError):
    """A test or fixture ended, but something that it started is still running or open."""


@final
class ProxyError(LooprigError):
    """A proxy itself failed: the service refused a connection, or a toxic raised. `__cause__` is the reason."""


@final
class ServiceStartError(LooprigError):
    """A service did not start. The text includes what it logged while starting."""


@final
class UnexpectedResponseError(LooprigError, AssertionError):
    """A response had an unexpected status, or a body that does not decode to the requested type."""


def summary(error: BaseException) -> str:
    """Return the type of an error and what happened, to mention in another message. Many errors have no text."""
    what = error.what.removesuffix(".") if isinstance(error, LooprigError) else str(error).rstrip()
    return f"{type(error).__name__}: {what}" if what else type(error).__name__


def _show_by_their_public_path() -> None:
    """Make messages show each error by its public path, wherever users import it from.

    `CheckerError` is left out: users don't see it, since the option that runs a checker reports it.
    """
    for error in (LooprigError, *LooprigError.__subclasses__()):
        if error is not CheckerError:
            error.__module__ = "looprig"


_show_by_their_public_path()
