"""What the tests of services share: each of them runs on every kind of loop."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest
import trustme
import uvloop

Run = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a scenario on a loop of its own, to its end."""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run_on_loop(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(scenario)

    return run_on_loop


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
