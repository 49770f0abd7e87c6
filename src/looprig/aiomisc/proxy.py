"""The proxy of the fixture `tcp_proxy`: the documented API of aiomisc's proxy, implemented by looprig's.

Does not import aiomisc. In new tests, prefer `apply`, whose block undoes the fault.

Invariants:
1. "read" means data from clients (upstream), "write" means data to clients (downstream), as with aiomisc.
2. A setting applies to all connections, including new ones, until it is set again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias, final

from looprig.net.tcp.proxy import TcpProxy
from looprig.toxics.tcp.latency import Latency
from looprig.toxics.tcp.toxic import Toxic
from looprig.toxics.tcp.transform import Transform

__all__ = ["AiomiscProxy", "Processor"]

Processor: TypeAlias = Callable[[bytes], bytes | Awaitable[bytes]]


@final
class AiomiscProxy(TcpProxy):
    """A proxy in front of a host and port, as in the fixture `tcp_proxy`.

    async with tcp_proxy("127.0.0.1", port) as proxy:
        reader, writer = await proxy.create_client()
    """

    def __init__(
        self, target_host: str, target_port: int, listen_host: str = "127.0.0.1", *, buffered: bool = True
    ) -> None:
        """Create a proxy. `buffered` has no effect, since the proxy's window limits the data that it holds."""
        super().__init__((target_host, target_port), host=listen_host)
        self._delays: AbstractContextManager[object] | None = None
        self._processors: AbstractContextManager[object] | None = None
        self.proxy_host: str = listen_host
        self.read_delay: float = 0.0
        self.target_host: str = target_host
        self.target_port: int = target_port
        self.write_delay: float = 0.0

    @property
    def proxy_port(self) -> int:
        """The port for clients to connect to."""
        return self.port

    async def create_client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection through the proxy."""
        return await asyncio.open_connection(self.proxy_host, self.proxy_port)

    def disconnect_all(self, *, grace: float = 5.0) -> "asyncio.Task[None]":  # type: ignore[override]
        """End every connection gracefully. This begins at once, and the result can be awaited."""
        return asyncio.ensure_future(self._running().disconnect_all(grace, "by disconnect_all()"))

    async def start(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as aiomisc has it
        """Open the proxy, as `async with` does, within `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._open()

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as aiomisc has it
        """Close the proxy, as leaving `async with` does, within `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._close()

    def set_delay(self, read_delay: float, write_delay: float = 0.0) -> None:
        """Delay data from clients by `read_delay` seconds, and data to clients by `write_delay` seconds."""
        toxics = (
            Latency(read_delay, direction="upstream", name="read_delay"),
            Latency(write_delay, direction="downstream", name="write_delay"),
        )
        self._delays = self._replaced(self._delays, *(toxic for toxic in toxics if toxic.delay))
        self.read_delay, self.write_delay = read_delay, write_delay

    @contextmanager
    def slowdown(self, read_delay: float = 0.0, write_delay: float = 0.0) -> Generator[None, None, None]:
        """Delay data like `set_delay`, until the block ends."""
        before = self.read_delay, self.write_delay
        self.set_delay(read_delay, write_delay)
        try:
            yield
        finally:
            self.set_delay(*before)

    def set_content_processors(self, read: Processor | None, write: Processor | None) -> None:
        """Replace each chunk from clients by `read(chunk)`, and each chunk to them by `write(chunk)`."""
        toxics: list[Toxic] = []
        if read is not None:
            toxics.append(Transform(read, direction="upstream", name="read"))
        if write is not None:
            toxics.append(Transform(write, direction="downstream", name="write"))
        self._processors = self._replaced(self._processors, *toxics)

    def _replaced(
        self, before: AbstractContextManager[object] | None, *toxics: Toxic
    ) -> AbstractContextManager[object] | None:
        after = self.apply(*toxics) if toxics else None
        if after is not None:
            after.__enter__()
        if before is not None and self._link is not None:
            before.__exit__(None, None, None)
        return after
