"""The job of one measured child of `run_proxy.py`, passed as JSON in the child's arguments.

Pure, and the only module of this folder that the driver imports too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias

MIB: Final = 1 << 20

LoopName: TypeAlias = Literal["asyncio", "uvloop"]


@dataclass(frozen=True, slots=True)
class Load:
    """What a client does on each of its connections: `warm_up` times untimed, then `timed` times.

    The whole is repeated `repeats` times with new connections, and the median counts: the kernel's speed with much
    data differs from one connection to the next.

    `stream`: send `size` bytes, and wait for the one byte that confirms their arrival.
    `echo`: send `size` bytes, and wait until all have come back.
    """

    kind: Literal["stream", "echo"]
    size: int
    timed: int
    warm_up: int
    connections: int = 1
    repeats: int = 3

    def rate(self, seconds: float) -> float:
        """Return MiB per second, one way."""
        return self.size * self.timed * self.connections / MIB / seconds

    def each(self, seconds: float) -> float:
        """Return microseconds per repetition."""
        return seconds / self.timed / self.connections * 1e6


@dataclass(frozen=True, slots=True)
class Job:
    """One proxy under one load. If `apart`, client, proxy and server are separate processes; else they share a loop.

    `delay` is the latency that the proxy adds from the client to the server, in seconds.
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
