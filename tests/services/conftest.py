"""Shared by the tests of services: each of them runs on every kind of loop."""

import ssl
from typing import NamedTuple

import pytest
import trustme

from tests.limits import no_hang
from tests.running import Run, run

__all__ = ["Run", "Tls", "no_hang", "run", "tls"]


class Tls(NamedTuple):
    """A server's context, and the context of a client that trusts only that server."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def tls() -> Tls:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.create_default_context()
    # trustme also accepts pyOpenSSL's contexts, whose types are unknown if that isn't installed.
    authority.issue_cert("127.0.0.1", "::1").configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(client)  # pyright: ignore[reportUnknownMemberType]
    return Tls(server, client)
