"""Starting the host of a run, and connecting to it.

The process that starts it binds the socket and connects to it before the host runs. So nobody waits for the host, and
the host can't miss its first user.

Invariants:
1. A run has one host at a time: a process starts it only with the folder's lock, and only if there is none.
2. The host inherits no terminal, no pipe of pytest-xdist and no child of the process that starts it: it has a session
   of its own, and its parent is not that process.
3. A host that was killed is not replaced: everyone who needs it gets an error that says so.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Final

from looprig.exceptions import LooprigError
from looprig.services.sharing.channel import send_now
from looprig.services.sharing.folder import RunFolder
from looprig.services.sharing.messages import Lease

__all__ = ["connected", "connection_to", "host_died"]

_CODE: Final = (
    "import os, sys\n"
    "if os.fork(): os._exit(0)\n"
    "import json\n"
    "sys.path[:] = json.loads(sys.argv.pop())\n"
    "from looprig.services.sharing.host import main\n"
    "main()\n"
)
"""The program of the host. It leaves its parent first, so that the parent can go on."""

_OF_WORKERS: Final = ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")
"""Environment variables that are true only in the worker that happens to start the host."""

_BACKLOG: Final = 512


def connected(folder: RunFolder, controller: int) -> socket.socket:
    """Return a lease: a connection to the host of a run, which is started if there is none.

    `controller` is the pid of the process whose end is the end of the run, or 0.

    Raises:
        LooprigError: the host has died, or can't be started.
        OSError: the folder can't be used.
    """
    with folder.locked():
        try:
            connection = connection_to(folder)
        except (ConnectionRefusedError, FileNotFoundError):
            if folder.marker.exists():
                raise host_died(folder) from None
            connection = _launched(folder, controller)
        send_now(connection, Lease(os.getpid()))
        return connection


def connection_to(folder: RunFolder) -> socket.socket:
    """Return a connection to the host."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.fspath(folder.socket))
    except BaseException:
        connection.close()
        raise
    return connection


def _launched(folder: RunFolder, controller: int) -> socket.socket:
    with suppress(FileNotFoundError):  # of a process that was killed before it started the host
        folder.socket.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(folder.socket))
        listener.listen(_BACKLOG)
        connection = connection_to(folder)
        try:
            with folder.log.open("ab") as log:
                status = subprocess.run(
                    [sys.executable, "-c", _CODE, str(folder.path), str(listener.fileno()), str(controller), _path()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={name: value for name, value in os.environ.items() if name not in _OF_WORKERS},
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                    check=False,
                ).returncode
            _check(status, folder)
            folder.marker.touch()
        except BaseException:
            connection.close()
            folder.socket.unlink()
            raise
    return connection


def _path() -> str:
    return json.dumps([os.fspath(entry) for entry in sys.path])


def _check(status: int, folder: RunFolder) -> None:
    if status == 0:
        return
    how = f"exit status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"
    what = f'The process that runs services of scope "run" can\'t be started: it ended with {how}.'
    raise LooprigError(what, (), folder.printed())


def host_died(folder: RunFolder, name: str = "") -> LooprigError:
    """Return the error for a host that has died: `name` is the service that is gone with it."""
    try:
        pid = folder.marker.read_text("utf-8").strip()
    except OSError:
        pid = ""
    return LooprigError(
        f"{name or 'What it ran'} is gone: the process{f' {pid}' if pid else ''} that ran it for all workers (scope "
        '"run") was killed or has crashed.',
        (),
        folder.printed(),
    )
