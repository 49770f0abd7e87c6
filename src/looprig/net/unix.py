"""Unix sockets: listening on one, and the URL of an HTTP server that listens on one.

Such a URL has the scheme `http+unix`, and the quoted path in place of the host, as in the clients of Docker:
`http+unix://%2Frun%2Fdocker.sock/v1.44`. Does not serve anything. Only POSIX systems have these sockets.

Invariant: a socket that was bound here is removed with its folder, if the folder was created for it.
"""

import os
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final, final
from urllib.parse import quote, unquote, urlsplit

__all__ = ["SCHEME", "UnixListener", "split_unix_url", "unix_url"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

SCHEME: Final = "http+unix"
_HOST: Final = "localhost"
"""The host in requests over a Unix socket, where there is none. Applications that check hosts accept this one."""
_NAME: Final = "sock"
_LONGEST: Final = 107 if sys.platform == "linux" else 103
"""Maximum number of bytes of a path: `sun_path` has 108 bytes on Linux, 104 on macOS and BSD, and ends with a NUL."""


def unix_url(path: str | os.PathLike[str]) -> str:
    """Return the URL of an HTTP server that listens on a Unix socket.

    >>> unix_url("/run/docker.sock")
    'http+unix://%2Frun%2Fdocker.sock'
    """
    return f"{SCHEME}://{quote(os.fspath(path), safe='')}"


def split_unix_url(url: str) -> tuple[str, str] | None:
    """Return the path of the socket and the URL for requests over it, or `None` for another URL.

    >>> split_unix_url("http+unix://%2Frun%2Fdocker.sock/v1.44")
    ('/run/docker.sock', 'http://localhost/v1.44')
    """
    parts = urlsplit(url)
    if parts.scheme != SCHEME:
        return None
    return unquote(parts.netloc), parts._replace(scheme="http", netloc=_HOST).geturl()


@final
class UnixListener:
    """A Unix socket that is bound, by default in a new folder that only this user can enter.

    Closing it removes the socket and the folder. Raises `OSError` if it cannot be bound. For a path that is too long,
    the error says so.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._folder = tempfile.mkdtemp(prefix="looprig-") if path is None else None
        self.path: Final = Path(os.fspath(path)) if path is not None else Path(self._folder or "", _NAME)
        try:
            self.socket: Final = _bound(self.path)
        except BaseException:
            self._remove_folder()
            raise
        self._made = self.path.stat().st_ino

    def close(self) -> None:
        """Close the socket, and remove it and its folder."""
        self.socket.close()
        with suppress(FileNotFoundError):  # the server may have removed it
            if self.path.stat().st_ino == self._made:
                self.path.unlink()
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            with suppress(OSError):  # it is gone, or somebody put something else there
                Path(self._folder).rmdir()


def _bound(path: Path) -> socket.socket:
    size = len(os.fsencode(path))
    if size > _LONGEST:
        raise OSError(f"its path has {size} bytes, but that of a Unix socket may have at most {_LONGEST}")
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(os.fspath(path))
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound
