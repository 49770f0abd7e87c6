"""The scenarios of `run.py`, and looprig's targets. README.md explains how figures are computed.

A target is printed beside its result. Missing it fails nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from suites import Layout

Kind: TypeAlias = Literal["overhead", "idle", "collection", "growth", "http", "startup"]

_PEERS: Final = ("pytest-asyncio", "anyio")
_OURS: Final = ("looprig", "looprig+anyio")
_SHARED: Final = ("sync", *_OURS, *_PEERS, "alt-pytest-asyncio", "aiomisc")
_OWN: Final = ("sync", *_OURS, *_PEERS, "aiomisc")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario. `target` is looprig's target in the unit of `kind`: microseconds per test over sync, or a ratio.

    `when_set` has the peers' figures from when the target was set. They show how this machine compares with the one
    used then.
    """

    name: str
    title: str
    kind: Kind
    contenders: tuple[str, ...]
    layout: Layout = "plain"
    target: float | None = None
    target_kib: float | None = None
    is_sync: bool = True
    is_cached: bool = True
    own_clients: bool = False
    when_set: Mapping[str, float] = field(default_factory=dict)


SCENARIOS: Final = (
    Scenario(
        name="own-loop",
        title="no fixtures, a loop per test",
        kind="overhead",
        contenders=_OWN,
        target=110,
        when_set={"pytest-asyncio": 433, "anyio": 345},
    ),
    Scenario(
        name="shared-loop",
        title="no fixtures, on a shared loop",
        kind="overhead",
        contenders=_SHARED,
        layout="joined",
        target=60,
        when_set={"pytest-asyncio": 284, "anyio": 218, "alt-pytest-asyncio": 246},
    ),
    Scenario(
        name="three-fixtures",
        title="three async generator fixtures, a loop per test",
        kind="overhead",
        contenders=_OWN,
        layout="three",
        target=150,
    ),
    # The record doesn't say which of the loops the target was set on; the peers' figures fit this one.
    Scenario(
        name="three-fixtures-shared",
        title="three async generator fixtures, on a shared loop",
        kind="overhead",
        contenders=_SHARED,
        layout="three-joined",
        target=150,
        when_set={"pytest-asyncio": 375, "anyio": 335},
    ),
    Scenario(
        name="mixed-scopes",
        title="a session-, a module- and a function-scoped async generator fixture",
        kind="overhead",
        contenders=("sync", *_OURS, *_PEERS),
        layout="mixed",
    ),
    Scenario(name="idle", title="sync tests, with the plugin installed", kind="idle", contenders=_SHARED),
    Scenario(
        name="collection",
        title="collection only",
        kind="collection",
        contenders=_SHARED,
        target=1.10,
        when_set={"pytest-asyncio": 1.66, "anyio": 1.71},
    ),
    Scenario(
        name="startup",
        title="a run of one sync test, with byte code cached",
        kind="startup",
        contenders=("sync", "looprig", *_PEERS, "pytest-aiohttp", "aiomisc"),
        target=10,
        when_set={"pytest-asyncio": 17.5},
    ),
    Scenario(
        name="startup-uncached",
        title="a run of one sync test, with no byte code of plugins cached",
        kind="startup",
        contenders=("sync", "looprig", *_PEERS, "pytest-aiohttp", "aiomisc"),
        is_cached=False,
        target=25,
        when_set={"pytest-asyncio": 50},
    ),
    Scenario(
        name="startup-async",
        title="a run of one async test, with byte code cached",
        kind="startup",
        contenders=("sync", "looprig", *_PEERS, "pytest-aiohttp", "aiomisc"),
        is_sync=False,
    ),
    Scenario(
        name="growth-own",
        title="growth, a loop per test",
        kind="growth",
        contenders=("sync", "looprig", *_PEERS),
        target_kib=0.5,
    ),
    Scenario(
        name="growth-shared",
        title="growth, on a shared loop",
        kind="growth",
        contenders=("sync", "looprig", *_PEERS),
        layout="joined",
        target_kib=0.5,
    ),
    Scenario(
        name="http",
        title="one GET a test against a service, times a bare loop",
        kind="http",
        contenders=("sync", *_OURS, *_PEERS, "alt-pytest-asyncio", "pytest-aiohttp", "aiomisc"),
        target=3.0,
        when_set={"pytest-asyncio": 3.2, "pytest-aiohttp": 5.8, "aiomisc": 18.9},
    ),
    Scenario(
        name="http-clients",
        title="one GET a test with a client of its own, times a bare loop with one client",
        kind="http",
        contenders=("sync", *_OURS, *_PEERS),
        own_clients=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many tests to run, and how often. `slow` is for contenders that take milliseconds per test."""

    tests: int
    slow: int
    growth: tuple[int, ...]
    http: int
    starts: int
    rounds: int


FULL: Final = Sizes(tests=5000, slow=1000, growth=(500, 2000, 5000, 20000), http=1000, starts=9, rounds=5)
QUICK: Final = Sizes(tests=500, slow=200, growth=(200, 500, 1000), http=200, starts=3, rounds=2)
SLOW: Final[Mapping[Kind, frozenset[str]]] = {"overhead": frozenset({"aiomisc"}), "idle": frozenset({"aiomisc"})}
