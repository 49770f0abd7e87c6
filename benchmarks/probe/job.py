"""What one measured child of `run_proxy.py` is told to do; it travels as a JSON text in the child's arguments.

Pure, and the one module of this folder that the driver imports as well.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias

MIB: Final = 1 << 20

LoopName: TypeAlias = Literal["asyncio", "uvloop"]


@dataclass(frozen=True, slots=True)
class Load:
    """What a client does on each of its connections: first `warm_up` times, then `timed` times.

    All that is done `repeats` times, with new connections, and the median counts: how fast the kernel moves much
    data differs from one connection to the next.

    `stream`: sends `size` bytes, and waits for one byte that says that all have arrived.
    `echo`: sends `size` bytes, and waits until all have come back.
    """

    kind: Literal["stream", "echo"]
    size: int
    timed: int
    warm_up: int
    connections: int = 1
    repeats: int = 3

    def rate(self, seconds: float) -> float:
        """MiB a second, one way."""
        return self.size * self.timed * self.connections / MIB / seconds

    def each(self, seconds: float) -> float:
        """Microseconds for each time."""
        return seconds / self.timed / self.connections * 1e6


@dataclass(frozen=True, slots=True)
class Job:
    """One proxy under one load. `apart`: client, proxy and server are a process each, else they share one loop.

    `delay` is what the proxy is to add in seconds, from the client to the server.
    """

    proxy: str
    load: Load
    loop: LoopName
    apart: bool
    delay: float = 0.0

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Job:
        told = json.loads(text)
        return cls(**told | {"load": Load(**told["load"])})
