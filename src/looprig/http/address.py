"""Where a client sends its requests: the URL of a service, or the Unix socket that is its address.

Does no I/O. Invariant: a service that has a `url` is reached there, whatever its address.
"""

import os
from pathlib import Path
from typing import Final, Protocol, cast

from looprig.net.unix import split_unix_url, unix_url

__all__ = ["HasUnixAddress", "HasUrl", "socket_of", "url_of_service"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


class HasUrl(Protocol):
    """A service that a `TestClient` can connect to: it has a base URL once it has started."""

    @property
    def url(self) -> str:
        """The scheme, host, port, and an optional path prefix: `http://127.0.0.1:8080/api`."""
        ...


class HasUnixAddress(Protocol):
    """A service without a URL that speaks HTTP on a Unix socket."""

    @property
    def address(self) -> str | os.PathLike[str]:
        """The path of the socket."""
        ...


def url_of_service(service: object) -> object:
    """Return the `url` of a service, that of the Unix socket at its `address`, or else `None`."""
    try:
        return cast("HasUrl", service).url
    except AttributeError as error:
        if error.obj is not service or error.name != "url":  # raised by the service's `url` property
            raise
    address: object = getattr(service, "address", None)
    if isinstance(address, os.PathLike) or (isinstance(address, str) and Path(address).is_absolute()):
        return unix_url(cast("str", address))
    return None


def socket_of(url: object) -> str | None:
    """Return the path of the Unix socket in a URL, if it has one."""
    found = split_unix_url(url) if isinstance(url, str) else None
    return None if found is None else found[0]
