"""The competing proxies, each as a context manager that gives the address to connect to.

looprig and aiomisc run with their defaults. The programs are configured to be comparable: `haproxy` has one thread,
like all others. `socat` has TCP_NODELAY and a queue of clients, which all others have by default, and reads 64 KiB at a
time, since with its default of 8 KiB it is half as fast.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from probe.traffic import HOST, Address

PATIENCE: Final = 10.0
"""Seconds in which a program must start to listen."""

HAPROXY: Final = """
global
    maxconn 1000
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen relay
    bind {host}:{port}
    server service {service_host}:{service_port}
"""


@asynccontextmanager
async def relay(name: str, service: Address, delay: float) -> AsyncIterator[Address]:
    """Run a proxy on the running loop; `direct` runs none."""
    match name:
        case "direct":
            yield service
        case "looprig":
            # Imported here, since each contender has an environment of its own.
            from looprig import TcpProxy
            from looprig.toxics import Latency

            async with TcpProxy(service) as ours:
                with ours.apply(Latency(delay, direction="upstream")) if delay else nullcontext():
                    yield ours.address
        case "aiomisc":
            # Imported by name, so that the environment of the type checkers doesn't need it.
            made: Any = import_module("aiomisc.pytest").TCPProxy
            async with made(*service) as theirs:
                theirs.set_delay(read_delay=delay)
                yield theirs.proxy_host, theirs.proxy_port
        case _:
            raise ValueError(name)


@contextmanager
def program(name: str, service: Address) -> Iterator[Address]:
    """Run a proxy that is a program, and kill it at the end."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        match name:
            case "socat":
                listen = f"TCP-LISTEN:{port},bind={HOST},fork,reuseaddr,backlog=1024,nodelay"
                command = ["socat", "-b", "65536", listen, f"TCP:{service[0]}:{service[1]},nodelay"]
            case "haproxy":
                config = Path(folder, "haproxy.cfg")
                told = HAPROXY.format(host=HOST, port=port, service_host=service[0], service_port=service[1])
                config.write_text(told, encoding="utf-8")
                command = ["haproxy", "-db", "-q", "-f", str(config)]
            case _:
                raise ValueError(name)
        process = subprocess.Popen(command)
        try:
            _wait_for((HOST, port), process)
            yield HOST, port
        finally:
            process.kill()
            process.wait()


def _wait_for(address: Address, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(address).close()
        except OSError:
            if process.poll() is not None or monotonic() > deadline:
                raise
            sleep(0.01)
        else:
            return
