"""A certificate authority for one test: what a proxy needs to stand in the middle of a TLS connection.

Does not make keys itself: trustme does, and is imported when an `Authority` is made. Nobody trusts it but who is given
`client_context()`.
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
    """Issues one certificate for some host names or addresses."""

    def __init__(self, *hosts: str) -> None:
        self._authority: Final = trustme.CA()
        self._certificate: Final = self._authority.issue_cert(*hosts)

    def server_context(self) -> ssl.SSLContext:
        """With which a server shows the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # trustme takes pyOpenSSL's contexts as well, whose types are unknown where that is not installed.
        self._certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
        return context

    def client_context(self) -> ssl.SSLContext:
        """With which a client trusts the authority, and no other."""
        context = ssl.create_default_context()
        context.check_hostname = True
        self._authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
        return context
