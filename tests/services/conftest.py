"""What the tests of services share: each of them runs on every kind of loop."""

import ssl
from typing import NamedTuple

import pytest
import trustme

from tests.limits import no_hang
from tests.running import Run, run

__all__ = ["Run", "Tls", "no_hang", "run", "tls"]


class Tls(NamedTuple):
    """A server's context, and that of a client who trusts it alone."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def tls() -> Tls:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.create_default_context()
    # trustme takes pyOpenSSL's contexts as well, whose types are unknown where that is not installed.
    authority.issue_cert("127.0.0.1", "::1").configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(client)  # pyright: ignore[reportUnknownMemberType]
    return Tls(server, client)
