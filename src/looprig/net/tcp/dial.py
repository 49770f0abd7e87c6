"""Connecting to the service, and handing sockets over to the loop.

Does not know toxics, and decides nothing: `link` does.

Invariants:
1. A socket is closed by its owner: the proxy until it is handed over, and the loop afterwards.
2. A descriptor is closed once. If uvloop can't create a transport, it closes the descriptor without telling the socket
   object. The object would close it again when it is freed, and by then the number may belong to another file.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine, Sequence
from typing import Any

from looprig.net.tcp.connection import Side
from looprig.net.tcp.sockets import tune

__all__ = ["connect", "hand_over"]


async def connect(loop: asyncio.AbstractEventLoop, targets: Sequence[tuple[int, Any]]) -> socket.socket:
    """Return a socket that is connected to the first of the addresses that accepts.

    If none does, raises the `OSError` of the last address.
    """
    failure: OSError | None = None
    for family, address in targets:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            tune(sock)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    assert failure is not None
    raise failure


async def hand_over(side: Side, made: Coroutine[Any, Any, object]) -> None:
    """Let the loop create the transport of a side's socket. Until then, don't cancel this or abort the side."""
    side.is_handed = True
    try:
        await made
    except BaseException:
        side.is_lost = True
        if _is_closed(side.sock):
            side.sock.detach()
        raise


def _is_closed(sock: socket.socket) -> bool:
    """Return whether the descriptor of a socket object was closed without the object."""
    try:
        os.fstat(sock.fileno())
    except OSError:
        return True
    return False
