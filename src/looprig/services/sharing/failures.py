"""Errors that are sent from the host of a run to its users.

Invariant: what can't be pickled is sent as text, and the traceback is text in any case.
"""

import os
import pickle
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import looprig
from looprig.exceptions import LooprigError, summary
from looprig.runtime.errors import raise_together, root_of
from looprig.services.sharing.messages import Failed

__all__ = ["error_of", "failure_of", "raise_failures", "text_of"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_OWN: Final = str(Path(looprig.__file__).parent)


def failure_of(error: BaseException) -> Failed:
    """Return an error as a message."""
    root = root_of(error)
    try:
        data = pickle.dumps(root)
        pickle.loads(data)  # noqa: S301 - our own; an error with arguments of its own often fails here
    except Exception:  # noqa: BLE001 - __reduce__ may be the suite's own
        return Failed(None, summary(root), _traceback_of(root))
    return Failed(data, summary(root), _traceback_of(root))


def _traceback_of(error: BaseException) -> str:
    """Return the traceback of an error's first cause, without looprig's frames."""
    while error.__cause__ is not None:
        error = error.__cause__
    shown = traceback.TracebackException.from_exception(error)
    kept = [frame for frame in shown.stack if not frame.filename.startswith(f"{_OWN}{os.sep}")]
    if not kept and isinstance(error, LooprigError):
        return ""
    shown.__notes__ = None  # the error itself has them
    shown.stack = traceback.StackSummary.from_list(kept)
    return "".join(shown.format(chain=False)).rstrip()


def error_of(failed: Failed, instead: LooprigError) -> BaseException:
    """Return the error in a message, or `instead` with its summary if it can't be unpickled."""
    error: BaseException = instead
    if failed.error is not None:
        with suppress(Exception):  # __setstate__ may be the suite's own
            error = pickle.loads(failed.error)  # noqa: S301 - see `folder`
    if failed.traceback:
        error.add_note("In the process that runs it for all workers:\n" + failed.traceback)
    return error


def raise_failures(failures: Sequence[Failed]) -> None:
    """Raise what failed when services were stopped. Several errors become a group."""
    what = 'A service of scope "run" failed when it was stopped: {}.'
    errors = [error_of(each, LooprigError(what.format(each.what))) for each in failures]
    raise_together(errors, 'errors while the services of scope "run" were stopped')


def text_of(failed: Failed) -> str:
    """Return a failure as text."""
    return "\n".join(line for line in (failed.what, failed.traceback) if line)
