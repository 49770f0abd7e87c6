"""The scenarios of `run_proxy.py`, and looprig's targets. README.md explains them.

A target is printed beside its result. Missing it fails nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from probe.job import MIB, Job, Load, LoopName

Kind: TypeAlias = Literal["of direct", "over direct", "rate"]
"""The unit of a figure: the share of direct's speed, microseconds over direct, or MiB per second."""

_ON_A_LOOP: Final = ("direct", "looprig", "aiomisc")
_APART: Final = (*_ON_A_LOOP, "socat", "haproxy")
_KIB: Final = 1 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyScenario:
    """A scenario. `target` is looprig's target on asyncio's loop: a maximum if `kind` is "over direct", else a minimum.

    `when_set` has the peers' figures from when the target was set. `slow` replaces `load` for contenders that would
    take minutes.
    """

    name: str
    title: str
    kind: Kind
    contenders: tuple[str, ...]
    load: Load
    quick: Load
    target: float
    apart: bool = False
    delay: float = 0.0
    slow: Mapping[str, Load] = field(default_factory=dict)
    when_set: Mapping[str, float] = field(default_factory=dict)

    def job(self, proxy: str, loop: LoopName, *, quick: bool) -> Job:
        load = self.slow.get(proxy) or (self.quick if quick else self.load)
        return Job(proxy, load, loop, self.apart, self.delay)


_STREAM: Final = Load("stream", 256 * MIB, timed=2, warm_up=1)
_QUICK_STREAM: Final = replace(_STREAM, size=32 * MIB, repeats=1)
_MESSAGES: Final = Load("echo", 64 * _KIB, timed=8000, warm_up=500)

PROXY_SCENARIOS: Final = (
    ProxyScenario(
        name="stream",
        title="one loop: a stream one way over one connection",
        kind="of direct",
        contenders=_ON_A_LOOP,
        load=_STREAM,
        quick=_QUICK_STREAM,
        target=0.60,
        when_set={"aiomisc": 0.39},
    ),
    ProxyScenario(
        name="messages",
        title="one loop: round trips of 64 KiB over one connection",
        kind="of direct",
        contenders=_ON_A_LOOP,
        load=_MESSAGES,
        quick=replace(_MESSAGES, timed=1000, repeats=1),
        target=0.50,
        when_set={"aiomisc": 0.44},
    ),
    ProxyScenario(
        name="ping",
        title="one loop: round trips of 8 bytes over one connection",
        kind="over direct",
        contenders=_ON_A_LOOP,
        load=replace(_MESSAGES, size=8, timed=20_000),
        quick=replace(_MESSAGES, size=8, timed=2000, repeats=1),
        target=18,
        when_set={"aiomisc": 23},
    ),
    ProxyScenario(
        name="stream-apart",
        title="separate processes: a stream one way over one connection",
        kind="of direct",
        contenders=_APART,
        load=_STREAM,
        quick=_QUICK_STREAM,
        target=0.50,
        apart=True,
        when_set={"aiomisc": 0.40, "socat": 0.38, "haproxy": 0.34},
    ),
    ProxyScenario(
        name="messages-apart",
        title="separate processes: round trips of 64 KiB over 100 connections at once",
        kind="of direct",
        contenders=_APART,
        load=replace(_MESSAGES, timed=150, warm_up=10, connections=100),
        quick=replace(_MESSAGES, timed=20, warm_up=2, connections=100, repeats=1),
        target=0.44,
        apart=True,
        when_set={"aiomisc": 0.29, "socat": 0.32, "haproxy": 0.23},
    ),
    ProxyScenario(
        name="latency",
        title="one loop: a stream, 100 ms later, with a window of 16 MiB",
        kind="rate",
        contenders=("looprig", "aiomisc"),
        load=replace(_STREAM, timed=1, repeats=1),
        quick=replace(_STREAM, size=64 * MIB, timed=1, repeats=1),
        target=120,
        delay=0.1,
        slow={"aiomisc": Load("stream", MIB, timed=1, warm_up=1, repeats=1)},
        when_set={"aiomisc": 0.62},
    ),
)
