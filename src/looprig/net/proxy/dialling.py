"""Reaching the service, and handing sockets over to the loop.

Does not know of connections or toxics, and decides nothing: `link` does.

Invariants:
1. A socket is closed by whoever has it: by us until it is handed over, by the loop from then on.
2. A descriptor is closed once. uvloop closes one whose transport could not be made without telling the socket object,
   which would close it anew when it is collected, by when the number may be another's.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine, Sequence
from typing import Any

from looprig.net.proxy.connection import Side
from looprig.net.proxy.sockets import tune

__all__ = ["connect", "hand_over"]


async def connect(loop: asyncio.AbstractEventLoop, targets: Sequence[tuple[int, Any]]) -> socket.socket:
    """A socket that is connected to the first of some addresses that takes it.

    Raises `OSError` where none does: the last one's.
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
    """Has the loop make the transport of a side's socket. Meanwhile this is not cancelled, nor the side aborted."""
    side.is_handed = True
    try:
        await made
    except BaseException:
        side.is_lost = True
        if _is_closed(side.sock):
            side.sock.detach()
        raise


def _is_closed(sock: socket.socket) -> bool:
    """Whether the descriptor of a socket object is closed behind its back."""
    try:
        os.fstat(sock.fileno())
    except OSError:
        return True
    return False
