"""A program that runs pytest in a process that lacks what Windows lacks: modules, signals, functions.

`python windows.py [pytest's options]`. It simulates the absence, not Windows itself: paths, sockets and files are
still those of this system, and so is `os.name`, since pathlib would create paths of the other one. So what passes here
may still fail on Windows, but what fails here fails there.
"""

import asyncio
import importlib
import io
import os
import select
import selectors
import signal
import socket
import sys
import sysconfig
import time
from typing import Any, Final, cast

MODULES: Final = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "uvloop")
"""Modules that only POSIX has, and uvloop, which needs them."""

# These adapt to the system when they are imported, so they are imported while it is still this one.
FIRST: Final = (
    "_pytest.capture",
    "_pytest.faulthandler",
    "_pytest.main",
    "_pytest.pathlib",
    "_pytest.tmpdir",
    "aiohttp.web",
    "concurrent.futures.thread",
    "multiprocessing.synchronize",
    "shutil",
    "ssl",
    "subprocess",
    "tempfile",
    "uvicorn",
)

ABSENT: Final[dict[Any, str]] = {
    asyncio: "open_unix_connection start_unix_server",
    os: "O_CLOEXEC O_NOFOLLOW P_ALL WEXITED WNOWAIT chown fork forkpty geteuid getpgid getsid getuid killpg "
    "pidfd_open pread register_at_fork setsid waitid",
    select: "epoll poll",
    signal: "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGXFSZ SIG_BLOCK SIG_SETMASK "
    "SIG_UNBLOCK getitimer pthread_kill pthread_sigmask setitimer",
    socket: "AF_UNIX SO_REUSEPORT recv_fds send_fds",
    time: "CLOCK_MONOTONIC clock_gettime pthread_getcpuclockid",
}
"""Names that Windows lacks, by module. Of `os`, subprocess still needs `WNOHANG`."""


class Completions:
    """The alias `_selector` of a loop on Windows, which isn't a selector: it waits for completed operations."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector

    def select(self, timeout: float | None = None) -> list[object]:
        return [*self._selector.select(timeout)]


def _for_asyncio(name: str) -> Any:
    """Return a method that only asyncio itself may call: its own transports work with it."""

    def method(self: asyncio.SelectorEventLoop, *arguments: Any) -> Any:
        if not _is_asyncio():
            raise NotImplementedError
        return getattr(asyncio.SelectorEventLoop, name)(self, *arguments)

    return method


class ProactorLikeEventLoop(asyncio.SelectorEventLoop):
    """A loop that, to all but asyncio itself, has what `ProactorEventLoop` has.

    Its selector is hidden, and nobody can watch a descriptor, add a handler for a signal, or use a Unix socket.
    """

    add_reader = _for_asyncio("add_reader")
    add_signal_handler = _for_asyncio("add_signal_handler")
    add_writer = _for_asyncio("add_writer")
    create_unix_connection = _for_asyncio("create_unix_connection")
    create_unix_server = _for_asyncio("create_unix_server")
    remove_reader = _for_asyncio("remove_reader")
    remove_signal_handler = _for_asyncio("remove_signal_handler")
    remove_writer = _for_asyncio("remove_writer")

    @property
    def _selector(self) -> Any:
        found: selectors.BaseSelector = self.__dict__["_selector"]
        return found if _is_asyncio() else Completions(found)

    @_selector.setter
    def _selector(self, selector: selectors.BaseSelector) -> None:
        self.__dict__["_selector"] = selector

    @property
    def _transports(self) -> Any:
        if not _is_asyncio():
            raise AttributeError(name="_transports", obj=self)
        return self.__dict__["_transports"]

    @_transports.setter
    def _transports(self, transports: object) -> None:
        self.__dict__["_transports"] = transports


def _is_asyncio() -> bool:
    """Return whether it is asyncio that looks at the attribute."""
    return str(sys._getframe(2).f_globals["__name__"]).startswith("asyncio.")


def _socketpair(*_: object) -> tuple[socket.socket, socket.socket]:
    """Return two sockets that are connected over TCP, as on Windows."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        one = socket.create_connection(server.getsockname())
        other, _address = server.accept()
    return one, other


def _listdir(path: Any = ".", *, _listdir: Any = os.listdir) -> Any:
    """List a folder, unless it is /proc."""
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return _listdir(path)


def become_windows() -> None:
    """Take away from this process what Windows lacks."""
    for name in FIRST:
        importlib.import_module(name)
    sysconfig.get_config_vars()
    asyncio.new_event_loop().close()  # makes the policy of this system, which is not replaced
    for name in MODULES:
        sys.modules[name] = cast("Any", None)
    for module, names in ABSENT.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    sys.platform = "win32"
    io._WindowsConsoleIO = io.FileIO  # type: ignore[attr-defined]  # pytest asks for it
    os.listdir = _listdir
    socket.socketpair = _socketpair  # type: ignore[assignment]
    asyncio.new_event_loop = asyncio.events.new_event_loop = ProactorLikeEventLoop
    if sys.version_info >= (3, 13):
        asyncio.EventLoop = ProactorLikeEventLoop


if __name__ == "__main__":
    import pytest

    become_windows()
    sys.exit(pytest.main(sys.argv[1:]))
