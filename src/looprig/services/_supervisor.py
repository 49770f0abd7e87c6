"""A script that starts the command of a service, again and again if asked, and ends all that came from it.

It stays the command's parent. A test process that is killed with SIGKILL runs no clean-up, so another
process has to end what it started: this one waits for the end of its channel to the test process, and on Linux also for
the end of the test process itself, since a forked child may keep the channel open. On Linux it is also the *subreaper*
of its descendants: one whose parent ends becomes a child of this process, so a daemon that left the command's session,
closed all files and cleared its environment is still found. And a child's pid isn't reused before its parent has waited
for it, so no process of somebody else is ever hit.

Alternatives rejected. A guard beside the command finds only its process group. A variable in `/proc/*/environ` is lost
with the environment, and PostgreSQL overwrites it. A cgroup needs privileges. The test process as subreaper would get
the orphans of everything else in the suite. `preexec_fn` runs Python code between fork and exec, which is unsafe with
threads.

Imports neither looprig nor anything slow: the test waits for this script. Invariants:
1. The command leads a session and a process group of its own, and begins with the signal handling of a shell's
   foreground job.
2. The command is waited for only when it is being ended, after its end. Until then, its pid and its group's id can't
   be reused. From then on, only descendants get signals, as a subreaper finds all of them.
3. A descendant's pid is checked with the time of its start, so a signal never reaches a later process with that pid.
4. Without `/proc` and subreapers, as on macOS, only the command's process group is ended.
5. If this process is killed itself, the kernel kills the command (on Linux).
"""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator

try:
    import ctypes
except ImportError:  # Python was built without it
    ctypes = None  # type: ignore[assignment]

__all__ = ["CANNOT", "ENDED", "GONE", "KILL", "RUNS", "START", "STOP", "Supervisor", "main", "pack", "unpack"]

_CHANGED = ("SIGHUP", "SIGINT", "SIGPIPE", "SIGQUIT", "SIGTERM", "SIGXFSZ")
"""Signals that may be ignored here, by Python itself or by a shell that runs the tests in the background.

The command would inherit that: it would ignore its stop signal, or keep writing to a broken pipe. They are names, since
Windows should be able to load this module and lacks some of them.
"""

_TICK = 10
"""Milliseconds between two looks at what is still running, while it is being ended. There is no event for that."""

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
"""Options of prctl(2)."""

START, STOP, KILL = b"start", b"stop", b"kill"
"""Messages to this process: start a command; ask all that runs to end; kill all that runs."""

RUNS, CANNOT, ENDED, GONE = b"runs", b"cannot", b"ended", b"gone"
"""Messages from it: the command runs (its pid); cannot be run (the number of an error about its folder, or nothing, and
the reason); has ended (its exit status, or minus the signal); nothing of it runs any more."""


_LENGTH = 4
"""Bytes of a message's length."""


def pack(*fields: bytes) -> bytes:
    """Return a message: its length, and its fields, none of which contains a NUL."""
    body = b"\0".join(fields)
    return len(body).to_bytes(_LENGTH, "big") + body


def unpack(data: bytearray) -> Iterator[list[bytes]]:
    """Remove all complete messages from what was received, and yield their fields."""
    while len(data) >= (end := _LENGTH + int.from_bytes(data[:_LENGTH], "big")):
        body = bytes(data[_LENGTH:end])
        del data[:end]
        yield body.split(b"\0")


class Supervisor:
    """The parent of the command."""

    def __init__(self, channel: int, tester: int) -> None:
        self._asked: set[tuple[int, str]] = set()  # those that the signal has been sent to
        self._channel = channel
        self._child = 0
        self._has_exited = False
        self._is_ending = False
        self._is_waited_for = False
        self._prctl = _prctl()
        self._is_subreaper = self._prctl(_SET_CHILD_SUBREAPER, 1) == 0 and _has_proc()
        self._received = bytearray()
        self._signal = 0
        self._tester = tester
        self._woken, wakes = os.pipe()
        for end in (self._woken, wakes):
            os.set_blocking(end, False)
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(ignored, signal.SIG_IGN)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _, __: None)

    def serve(self) -> None:
        """Do what the test process says until that has ended and nothing runs any more."""
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        tester = _opened(self._tester)
        if tester is not None:
            waiting.register(tester, select.POLLIN)
        is_last = False
        while not is_last or self._is_ending:
            has_tester = os.getppid() == self._tester
            ready = {descriptor for descriptor, _ in waiting.poll(_TICK if self._is_ending or not has_tester else None)}
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 1 << 16)
            if not is_last and (not has_tester or tester in ready or (self._channel in ready and not self._listen())):
                is_last = True
                waiting.unregister(self._channel)
                if tester is not None:
                    waiting.unregister(tester)
                self._end(signal.SIGKILL)
            self._reap()
            if self._is_ending:
                self._go_on_ending()

    def _listen(self) -> bool:
        """Do what was said. Return whether anything can still come."""
        try:
            data = os.read(self._channel, 1 << 16)
        except OSError:
            return False
        self._received += data
        for kind, *fields in unpack(self._received):
            if kind == START:
                self._start(fields)
            elif self._child:
                self._end(int(fields[0]) if kind == STOP else signal.SIGKILL)
        return bool(data)

    def _say(self, *fields: bytes) -> None:
        with contextlib.suppress(OSError):  # the test process has ended
            os.write(self._channel, pack(*fields))

    # Start

    def _start(self, fields: list[bytes]) -> None:
        """Run a command. The fields are the folder, the number of its parts, the parts, and the environment."""
        folder, count = fields[0], int(fields[1])
        command, variables = fields[2 : 2 + count], fields[2 + count :]
        env = dict(each.split(b"=", 1) for each in variables if each)
        failed, fails = os.pipe()  # closed by exec
        child = os.fork()
        if not child:
            try:
                self._become(folder, command, env)
            except OSError as error:
                number = str(error.errno).encode() if error.filename == folder else b""
                os.write(fails, b"\0".join((number, str(error.strerror).encode())))
            finally:
                os._exit(127)  # as a shell does
        os.close(fails)
        with open(failed, "rb") as reader:  # noqa: PTH123 - a descriptor
            problem = reader.read()
        if problem:
            os.waitpid(child, 0)
            self._say(CANNOT, *problem.split(b"\0"))
            return
        # If something could not be ended in time, it is ended with the new command.
        self._child, self._has_exited, self._is_ending, self._is_waited_for = child, False, False, False
        self._say(RUNS, b"%d" % child)

    def _become(self, folder: bytes, command: list[bytes], env: dict[bytes, bytes]) -> None:
        os.setsid()
        if folder:
            os.chdir(folder)
        for changed in _CHANGED:
            signal.signal(getattr(signal, changed), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        os.execvpe(command[0], command, env)  # noqa: S606 - without a shell, on purpose

    # End

    def _reap(self) -> None:
        """Wait for children that have ended. The command, and those that end after it, are waited for in `_forget`."""
        if not self._child or self._has_exited:
            return
        if not hasattr(os, "waitid"):  # macOS before Python 3.13: the command is waited for early
            pid, status = os.waitpid(self._child, os.WNOHANG)
            if pid:
                self._note_exit(os.waitstatus_to_exitcode(status))
            return
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == self._child:
                self._note_exit(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)
                return
            os.waitpid(ended.si_pid, 0)

    def _note_exit(self, status: int) -> None:
        self._has_exited = True
        self._say(ENDED, b"%d" % status)

    def _end(self, number: int) -> None:
        """Begin to end all that runs, or go on with another signal."""
        self._is_ending = True
        self._signal = number
        self._asked.clear()
        if self._child and not self._is_waited_for:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for zombies
                for each in _with_continue(number):
                    os.killpg(self._child, each)

    def _go_on_ending(self) -> None:
        """Send the signal to those that have left the command's group, once the group has ended. Kill all at once."""
        kills = self._signal == signal.SIGKILL
        if self._child and not self._has_exited and not kills:
            return
        if self._is_subreaper and self._has_exited and self._is_last_child():
            self._forget()
            return
        while (processes := _processes()) is not None:
            left = _alive(processes, os.getpid(), 0 if self._is_waited_for else self._child)
            new = [each for each in left if each.key not in self._asked]
            if new and (kills or all(each.group != self._child for each in left)):
                for each in new:
                    self._asked.add(each.key)
                    _send(self._signal, each)
                if kills:
                    continue  # what they have started in the meantime is killed as well
            if not left:
                self._forget()
            return
        if not self._child or (self._has_exited and not _has_group(self._child)):
            self._forget()

    def _is_last_child(self) -> bool:
        """Wait for the children that have ended, the command included. Return whether no descendant is left.

        The command's group is searched no more, since its id may be another's once all of its members have ended.
        """
        self._is_waited_for = True
        return not _wait_for_ended()

    def _forget(self) -> None:
        """Wait for all children, which have ended."""
        _wait_for_ended()
        self._child, self._has_exited, self._is_ending = 0, False, False
        self._say(GONE)


class _Process:
    """A process as /proc shows it.

    Source: proc_pid_stat(5). After the name in parentheses come the state, the parent and the process group. The
    number of threads and the time of the start follow.
    """

    __slots__ = ("group", "is_alive", "key", "parent", "pid")

    def __init__(self, pid: int) -> None:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:  # noqa: PTH123 - pathlib is slow to import
            fields = stat.read().rpartition(")")[2].split()
        self.pid = pid
        self.parent = int(fields[1])
        self.group = int(fields[2])
        self.is_alive = fields[0] not in "ZX" or int(fields[17]) > 1  # its first thread may end before the others
        self.key = pid, fields[19]  # a later process with the same pid has started later


def _has_proc() -> bool:
    """Return whether there is a `/proc`, and not that of another pid namespace."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 - pathlib is slow to import
    except OSError:
        return False


def _processes() -> "list[_Process] | None":
    """Return all processes, or `None` without `/proc`."""
    if not _has_proc():
        return None
    found: list[_Process] = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib is slow to import
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):  # it has ended since it was listed
                found.append(_Process(int(name)))
    return found


def _alive(processes: "list[_Process]", ancestor: int, group: int) -> "list[_Process]":
    """Return those that are alive and descend from a process or belong to a group."""
    children: dict[int, list[_Process]] = {}
    for each in processes:
        children.setdefault(each.parent, []).append(each)
    found = {each.pid: each for each in processes if group and each.group == group}
    parents = [ancestor, *found]
    while parents:
        for each in children.get(parents.pop(), ()):
            if each.pid not in found:
                found[each.pid] = each
                parents.append(each.pid)
    return [each for each in found.values() if each.is_alive]


def _send(number: int, process: _Process) -> None:
    """Send a signal to a process, unless it has ended. Its pid may be another process's by now."""
    with contextlib.suppress(OSError, IndexError):  # it has ended, or belongs to another user
        opened = _opened(process.pid)
        try:
            if _Process(process.pid).key != process.key:
                return
            for each in _with_continue(number):
                if opened is None:
                    os.kill(process.pid, each)
                else:
                    signal.pidfd_send_signal(opened, each)
        finally:
            if opened is not None:
                os.close(opened)


def _with_continue(number: int) -> tuple[int, ...]:
    """Return a signal, and the one that makes a stopped process handle it."""
    return (number,) if number == signal.SIGKILL else (number, signal.SIGCONT)


def _has_group(group: int) -> bool:
    """Return whether a process group exists, after its leader has ended."""
    _wait_for_ended()  # a zombie counts as a member
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait_for_ended() -> bool:
    """Wait for all children that have ended. Return whether any is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _opened(pid: int) -> int | None:
    """Return a descriptor of a process, or `None` if it has ended or the system has no such descriptors."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _prctl() -> "Callable[[int, int], object]":
    """Return the function that sets options of this process, which does nothing except on Linux."""
    if ctypes is None or sys.platform != "linux":  # type: ignore[redundant-expr]
        return lambda _, __: None
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return lambda option, value: prctl(option, value, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Serve. `arguments` are the descriptor of the channel and the pid of the test process."""
    channel, tester = map(int, arguments)
    os.set_inheritable(channel, False)
    os.chdir("/")
    Supervisor(channel, tester).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # nothing is left to clean up
