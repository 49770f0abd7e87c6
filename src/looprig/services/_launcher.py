"""A script that starts a guard process, then replaces itself with the command of a service.

A test process that is killed with SIGKILL runs no clean-up, so another process has to end what it started: the guard.
It waits for the end of a pipe that the test process holds open, and on Linux also for the end of the test process
itself, since a forked child may keep the pipe open. Then it kills the command's whole process group.

Alternatives rejected. `PR_SET_PDEATHSIG` kills only the command and not its children, fires when the *thread* that
started it ends, and exists only on Linux. A supervisor that stays the command's parent would change the exit status and
get in the way of signals. `preexec_fn` runs Python code between fork and exec, which is unsafe with threads.

Imports neither looprig nor anything slow: the test waits for this script. Invariants:
1. The guard exists before the command runs, and has none of the command's files open.
2. The command is the process that was started: it keeps the pid, and its signals and exit status are its own.
3. The command begins with the signal handling of a shell's foreground job.
4. If the command cannot be run, the reason is written to the status pipe. If it can, the pipe is closed by exec.
"""

import os
import select
import signal
import sys
from contextlib import suppress

__all__ = ["ALL_IS_WELL", "ended_well", "guard", "main"]

ALL_IS_WELL = b"."
"""Written to the lifeline after an orderly stop of the service, so that the guard ends without killing anything."""


_CHANGED = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTERM, signal.SIGXFSZ)
"""Signals that may be ignored here, by Python itself or by a shell that runs the tests in the background.

The command would inherit that: it would ignore its stop signal, or keep writing to a broken pipe.
"""


def main(arguments: list[str]) -> None:
    """Start the guard and become the command.

    `arguments` are the descriptors of the lifeline and the status pipe, the pid of the test process, and the command.
    """
    lifeline, status, parent = map(int, arguments[:3])
    command = arguments[3:]
    group = os.getpid()  # the test process started this one as a process group leader
    child = os.fork()
    if not child:
        os.setsid()  # leave the group that the guard may kill, and the terminal's
        if (
            os.fork() == 0
        ):  # a second fork, so that the guard isn't a child of the command, which may wait for all its own
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
        os.execvp(command[0], command)  # noqa: S606 - without a shell, on purpose
    except OSError as error:
        os.write(status, str(error.strerror).encode())
        os._exit(127)  # as a shell does


def guard(lifeline: int, parent: int, group: int) -> None:
    """Wait until the test process has ended, then kill the group. End without that after an orderly stop."""
    os.chdir("/")
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    if not ended_well(lifeline, parent):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def ended_well(lifeline: int, parent: int) -> bool:
    """Wait for a message on the lifeline, for its end or for the end of `parent`. Return whether the message came."""
    waiting = select.poll()
    waiting.register(lifeline, select.POLLIN)
    try:
        waiting.register(os.pidfd_open(parent), select.POLLIN)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # not Linux, or a kernel without pidfd_open: rely on the lifeline alone
        pass
    ready = {descriptor for descriptor, _ in waiting.poll()}
    return lifeline in ready and os.read(lifeline, 1) == ALL_IS_WELL


if __name__ == "__main__":
    main(sys.argv[1:])
