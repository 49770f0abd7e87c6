"""The host and port of a bound socket, and checks of addresses that users give.

Does not bind anything: an `Address` is created only for a socket that is already bound.
"""

from typing import Any, Final, NamedTuple

from looprig.declare.values import PATH, PORT, TEXT, Check

__all__ = ["ADDRESS", "SOCKET_ADDRESS", "Address"]


class Address(NamedTuple):
    """Host and port of a bound socket, in the order of the arguments of `asyncio.open_connection`."""

    host: str
    port: int


def _is_address(value: Any) -> bool:
    match value:
        case (host, port) if isinstance(value, tuple):
            return TEXT.accepts(host) and PORT.accepts(port)
        case _:
            return False


ADDRESS: Final = Check("(host, port)", _is_address)
SOCKET_ADDRESS: Final = Check(
    "(host, port) or the path of a Unix socket", lambda value: _is_address(value) or PATH.accepts(value)
)
