"""The common base of services that listen on a socket of this process: where they listen, and the requests they handle.

Does not serve anything. Invariant: the address is known while the socket is bound, and not any more when it is closed.
"""

import os
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import ClassVar, Final, Protocol, final

from looprig._short_names import short_names
from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import PATH, TEXT, Check, instance_of
from looprig.exceptions import LooprigError, ServiceStartError
from looprig.location import location_of
from looprig.net.ports import localhost
from looprig.net.unix import UnixListener
from looprig.posix import is_posix, posix_missing
from looprig.services.address import Address, bound_address, listen
from looprig.services.in_flight import InFlight

__all__ = ["Listening"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_UNIX_SOCKET: Final = Check(
    "True, False, or the path of a Unix socket", lambda value: isinstance(value, bool) or PATH.accepts(value)
)


@short_names
@dataclass(kw_only=True)
class Listening(Configured):
    """A service that listens on `host` or, with `unix_socket`, on a Unix socket."""

    _checks: ClassVar[Mapping[str, Check]] = {
        "host": TEXT,
        "unix_socket": _UNIX_SOCKET,
        "tls": instance_of("an ssl.SSLContext", ssl.SSLContext).or_none(),
    }

    host: str = config_field(factory=localhost)
    unix_socket: bool | str | os.PathLike[str] = config_field(False)  # noqa: RUF009 - it makes a dataclass field
    tls: ssl.SSLContext | None = config_field(None)  # noqa: RUF009 - it makes a dataclass field
    _address: Address | Path | None = field(default=None, init=False, repr=False, compare=False)
    _in_flight: InFlight = field(default_factory=InFlight, init=False, repr=False, compare=False)

    @property
    def address(self) -> Address:
        """The host and port, known from just before the service starts until it has stopped.

        Raises `LooprigError` if it listens on a Unix socket, or isn't running.
        """
        found = bound_address(self, self._address)
        if isinstance(found, Address):
            return found
        raise self._has_no("host and port", "a Unix socket", "path")

    @property
    def port(self) -> int:
        """The port that the service listens on."""
        return self.address.port

    @property
    def path(self) -> Path:
        """The path of the Unix socket that the service listens on.

        Raises `LooprigError` if it listens on a host and port, or isn't running.
        """
        found = bound_address(self, self._address)
        if isinstance(found, Path):
            return found
        raise self._has_no("path", "a host and port", "address")

    async def idle(self, *, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - its error says what it waits for
        """Wait until no request is being handled. Connections that are kept open do not count.

        A request may be handled for longer than it takes to answer it: a FastAPI application tears down dependencies
        and runs background tasks afterwards. In a `TcpService`, it is handled as long as `handle` runs. Raises
        `TimeoutError`, which says which requests are still handled and where they wait, after `timeout` seconds.
        """
        bound_address(self, self._address)
        await self._in_flight.wait_idle(self, timeout)

    def _bound(self) -> AbstractContextManager[socket]:
        """Bind the socket. Entering the result publishes its address, leaving it closes the socket."""
        if self.unix_socket is False:
            bound = listen(self, self.host)
            return _Bound(self, bound, Address(*bound.getsockname()[:2]), bound)
        listener = self._unix_listener()
        return _Bound(self, listener.socket, listener.path, listener)

    def _unix_listener(self) -> UnixListener:
        path = None if isinstance(self.unix_socket, bool) else self.unix_socket
        if not is_posix():
            name = type(self).__qualname__
            raise posix_missing(
                f"The Unix socket of {name}",
                [(name, location_of(type(self)))],
                "leave out `unix_socket`: it then listens on a port.",
                ServiceStartError,
            )
        try:
            return UnixListener(path)
        except OSError as error:
            name = type(self).__qualname__
            where = "a Unix socket" if path is None else f"the Unix socket {os.fspath(path)}"
            raise ServiceStartError(
                f"{name} cannot listen on {where}: {error}.",
                [(name, location_of(type(self)))],
                "Choose a short path at which nothing exists, or unix_socket=True for one in a new folder. The "
                "environment variable TMPDIR says where such folders are created.",
            ) from error

    def _has_no(self, what: str, instead: str, name: str) -> LooprigError:
        cls = type(self)
        return LooprigError(
            f"{cls.__qualname__} listens on {instead}, so it has no {what}.",
            [(cls.__qualname__, location_of(cls))],
            f"Use its `{name}`.",
        )


class _Closable(Protocol):
    def close(self) -> None: ...


@final
class _Bound:
    """A block in which the socket of a service is bound, and its address known."""

    # A class, since the frames of a decorated generator would be in the traceback of every error in the block.
    def __init__(self, service: Listening, bound: socket, address: Address | Path, opened: _Closable) -> None:
        self._address = address
        self._bound = bound
        self._opened = opened
        self._service = service

    def __enter__(self) -> socket:
        self._service._address = self._address  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - its own part
        return self._bound

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._service._address = None  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - its own part
        self._opened.close()
