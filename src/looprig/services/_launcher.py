"""Started as a script of its own: leaves a guard behind, then becomes the command of a service.

A test process that is killed outright runs no clean-up, so somebody else has to end what it started. Here that is a
small process which waits for two things: for the pipe that the test process holds to end, and on Linux for the test
process itself to end (a forked child of it may hold the pipe open). Then it kills the command's whole process group.

Ways not taken. `PR_SET_PDEATHSIG` reaches the command alone and not what it started, goes off when the *thread* that
started it ends, and exists on Linux only. A supervisor that stays the command's parent would change the exit status,
and stand between the command and its signals. `preexec_fn` runs Python between fork and exec, where threads make it
unsafe.

Does not import looprig, or anything slow: it stands between a test and its service. Invariants:
1. The guard exists before the command runs, and has no file of it open.
2. The command is the process that was started: same pid, its signals and exit status are its own.
3. The command begins with the signal handling that a shell's foreground gives it.
4. A command that cannot be run is told through the status pipe, which closes by itself where it can.
"""

import os
import select
import signal
import sys
from contextlib import suppress

__all__ = ["ALL_IS_WELL", "ended_well", "guard", "main"]

ALL_IS_WELL = b"."
"""Written to the lifeline when the service was stopped in order, so that the guard just ends."""


_CHANGED = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTERM, signal.SIGXFSZ)
"""Signals that may be ignored here, by Python itself or by a shell that runs its tests in the background.

What is ignored stays so in the command, which would not hear its stop signal, or write into a broken pipe for ever.
"""


def main(arguments: list[str]) -> None:
    """Take the lifeline's and the status pipe's descriptors, the test process's pid, and the command."""
    lifeline, status, parent = map(int, arguments[:3])
    command = arguments[3:]
    group = os.getpid()  # the test process made this one the leader of its group
    child = os.fork()
    if not child:
        os.setsid()  # out of the group that is to be killed, and out of the terminal's
        if os.fork() == 0:  # twice, so that it is no child of the command, which may wait for all it has
            for descriptor in (0, 1, 2, status):
                os.close(descriptor)
            guard(lifeline, parent, group)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(lifeline)
    for changed in _CHANGED:
        signal.signal(changed, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.set_inheritable(status, False)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(status, str(error.strerror).encode())
        os._exit(127)  # as a shell does


def guard(lifeline: int, parent: int, group: int) -> None:
    """Wait until the test process is gone, then kill the group; or end once it says that all is well."""
    os.chdir("/")
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    if not ended_well(lifeline, parent):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def ended_well(lifeline: int, parent: int) -> bool:
    """Wait for one word on the lifeline, for its end, or for that of the process; give whether the word came."""
    waiting = select.poll()
    waiting.register(lifeline, select.POLLIN)
    try:
        waiting.register(os.pidfd_open(parent), select.POLLIN)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # not Linux, or one too old: the lifeline has to do
        pass
    ready = {descriptor for descriptor, _ in waiting.poll()}
    return lifeline in ready and os.read(lifeline, 1) == ALL_IS_WELL


if __name__ == "__main__":
    main(sys.argv[1:])
