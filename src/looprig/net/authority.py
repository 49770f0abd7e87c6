"""A certificate authority for one test, for a proxy in the middle of a TLS connection.

Does not generate keys itself: trustme does, and is imported when an `Authority` is created. Only clients that use
`client_context()` trust it.
"""

import ssl
from typing import TYPE_CHECKING, Final, final

from looprig._extras import LazyModule

if TYPE_CHECKING:
    import trustme
else:
    trustme = LazyModule("trustme", extra="tls", needed_for="A proxy with terminate_tls=True")

__all__ = ["Authority"]


@final
class Authority:
    """An authority that issues one certificate for some host names or addresses."""

    def __init__(self, *hosts: str) -> None:
        self._authority: Final = trustme.CA()
        self._certificate: Final = self._authority.issue_cert(*hosts)

    def server_context(self) -> ssl.SSLContext:
        """Return the context with which a server presents the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # trustme also accepts pyOpenSSL's contexts, whose types are unknown if pyOpenSSL isn't installed.
        self._certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context with which a client trusts this authority."""
        context = ssl.create_default_context()
        context.check_hostname = True
        self._authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
        return context
