"""Accepting clients when the process has no free file descriptor."""

import asyncio
import os
import resource
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from looprig.net.tcp import listener
from tests.proxy.conftest import Run
from tests.proxy.peers import Echo, proxied, raw_client, timers, until


@contextmanager
def no_descriptors_left() -> Generator[None, None, None]:
    """For the length of a block, make it impossible to open a file, socket or pipe in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_with_no_descriptors_left_a_proxy_rests_serves_those_it_has_and_accepts_later(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_REST", 0.2)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        told: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: told.append(context))

        async def ask(client: socket.socket) -> bytes:
            await loop.sock_sendall(client, b"?")
            return await loop.sock_recv(client, 1)

        async with proxied(Echo) as proxy, raw_client(proxy.address) as early:
            assert await ask(early) == b"?"
            with socket.socket() as late:
                late.setblocking(False)
                with no_descriptors_left():
                    late.connect_ex(proxy.address)
                    await until(lambda: bool(told))
                    for _ in range(100):
                        assert await ask(early) == b"?"
                    times_told = len(told)
                assert await ask(late) == b"?"
            assert times_told <= 10, "it tries anew in each round of the loop"
            assert "a proxy cannot accept clients for now: [Errno 24]" in told[0]["message"]
            assert proxy.take_errors() == []

    run(scenario())


def test_a_rest_that_begins_again_leaves_nothing_behind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        told: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: told.append(context))
        async with proxied(Echo) as proxy:
            with socket.socket() as client:
                client.setblocking(False)
                with no_descriptors_left():
                    client.connect_ex(proxy.address)
                    await until(lambda: len(told) == 1)
                    await proxy.reset_all()  # which looks for waiting clients
                    assert len(told) == 2
        assert timers() == []

    run(scenario())
