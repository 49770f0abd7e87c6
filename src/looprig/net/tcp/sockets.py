"""Options and queries of TCP sockets.

Does not own any socket. Sources: socket(7), tcp(7), and for `SIOCOUTQ` also Linux's function `tcp_ioctl`.
"""

import socket
import struct
import sys
from asyncio import Transport
from contextlib import suppress
from typing import Final

__all__ = ["reset_socket", "tune", "unsent_bytes"]

_RECEIVE_BUFFER: Final = 1 << 18
"""Buffer size in bytes: that of asyncio's reads. A larger buffer was slower in measurements, and would hide a stall."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def tune(sock: socket.socket) -> None:
    """Make a TCP socket send at once and buffer little. Call this before it connects or listens.

    asyncio disables Nagle's algorithm only for sockets that were created with an explicit protocol number, which
    accepted sockets don't have.
    """
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def reset_socket(sock: socket.socket) -> None:
    """Make the kernel send RST instead of FIN when this socket is closed. Do nothing if it is closed already."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def unsent_bytes(transport: Transport) -> int:
    """Return the number of bytes that the peer's kernel hasn't acknowledged yet, or 0 if that is unknown."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or not sys.platform.startswith("linux"):
        return 0
    import fcntl  # noqa: PLC0415 - POSIX only, and Windows should be able to load this module
    import termios  # noqa: PLC0415 - the same

    answer = bytearray(4)
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, answer)  # SIOCOUTQ has the same value
    except (OSError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)
