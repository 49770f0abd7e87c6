"""The child that `run_proxy.py` measures: `python -m probe.proxied client JOB`.

Sets up a server, a proxy and a client, runs the client's load, and prints the seconds as its last line. If a job is
`apart`, the server and the proxy are this module too, in their own processes with the roles `server` and `proxy`. Each
prints its address, and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, Final

from probe.job import Job, LoopName
from probe.relays import program, relay
from probe.traffic import Address, drive, serve

PROGRAMS: Final = frozenset({"socat", "haproxy"})


def loop_factory(name: LoopName) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "asyncio":
        return asyncio.new_event_loop
    # Imported by name: not every environment of type checkers has it.
    uvloop: Any = import_module("uvloop")
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def together(job: Job) -> float:
    """Run client, proxy and server on one loop, as in tests."""
    server, service = await serve(job.load)
    async with server, relay(job.proxy, service, job.delay) as address:
        return await drive(address, job.load)


def apart(job: Job, run: asyncio.Runner) -> float:
    """Run each in its own process; this one is the client."""
    with ExitStack() as stack:
        address = stack.enter_context(role("server", job))
        if job.proxy in PROGRAMS:
            address = stack.enter_context(program(job.proxy, address))
        elif job.proxy != "direct":
            address = stack.enter_context(role("proxy", job, address))
        return run.run(drive(address, job.load))


@contextmanager
def role(name: str, job: Job, *addresses: Address) -> Iterator[Address]:
    """Run this module in its own process, with another role."""
    parts = [str(part) for address in addresses for part in address]
    command = [sys.executable, "-P", "-m", "probe.proxied", name, job.text(), *parts]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        host, port = process.stdout.readline().split()
        yield host, int(port)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def stay(name: str, job: Job, addresses: list[str]) -> None:
    """Run the server or the proxy until this process is killed."""
    if name == "server":
        _, address = await serve(job.load)
        print(*address, flush=True)
        await asyncio.Event().wait()
    async with relay(job.proxy, (addresses[0], int(addresses[1])), job.delay) as address:
        print(*address, flush=True)
        await asyncio.Event().wait()


def settle_memory() -> None:
    """Bring the C library's allocator into the state that it has in a test process.

    At first glibc gets every block of more than 128 KiB from the kernel, and asyncio allocates 256 KiB for each read,
    which makes a ping three times as slow. That stops once a larger block has been freed, as imports do sooner or
    later. Without this, a contender's figures would depend on what it happens to import.
    """
    memory = bytes(8 << 20)
    del memory


def main() -> None:
    settle_memory()
    name, job = sys.argv[1], Job.read(sys.argv[2])
    with asyncio.Runner(loop_factory=loop_factory(job.loop)) as run:
        if name != "client":
            run.run(stay(name, job, sys.argv[3:]))
        elif job.apart:
            print(apart(job, run))
        else:
            print(run.run(together(job)))


if __name__ == "__main__":
    main()
