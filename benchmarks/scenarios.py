"""What is run and which figure is to be reached: the list that `run.py` works through.

A figure to reach is printed beside its result; nothing fails for it. See README.md for how each is reckoned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from suites import Layout

Kind: TypeAlias = Literal["overhead", "idle", "collection", "growth", "http"]

_PEERS: Final = ("pytest-asyncio", "anyio")
_SHARED: Final = ("sync", "looprig", *_PEERS, "alt-pytest-asyncio", "aiomisc")
_OWN: Final = ("sync", "looprig", *_PEERS, "aiomisc")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`target` is looprig's figure to reach, in the unit of `kind`: microseconds a test over sync, or times."""

    name: str
    title: str
    kind: Kind
    contenders: tuple[str, ...]
    layout: Layout = "plain"
    target: float | None = None
    target_kib: float | None = None


SCENARIOS: Final = (
    Scenario("own-loop", "no fixtures, a loop of its own per test", "overhead", _OWN, "plain", 110),
    Scenario("shared-loop", "no fixtures, on a shared loop", "overhead", _SHARED, "joined", 60),
    Scenario("three-fixtures", "three async generator fixtures, a loop per test", "overhead", _OWN, "three", 150),
    Scenario(
        "three-fixtures-shared", "three async generator fixtures on a shared loop", "overhead", _SHARED,
        "three-joined", 150,
    ),
    Scenario("idle", "sync tests, with the plugin installed", "idle", _SHARED, "plain"),
    Scenario("collection", "collection only", "collection", _SHARED, "plain", 1.10),
    Scenario("growth-own", "growth, a loop per test", "growth", ("sync", "looprig", *_PEERS), "plain", None, 0.5),
    Scenario("growth-shared", "growth, on a shared loop", "growth", ("sync", "looprig", *_PEERS), "joined", None, 0.5),
    Scenario(
        "http", "one GET a test against a service, times a bare loop", "http",
        ("sync", "looprig", *_PEERS, "alt-pytest-asyncio", "pytest-aiohttp", "aiomisc"), target=3.0,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many tests, and how often. `slow` is for contenders that take milliseconds a test."""

    tests: int
    slow: int
    growth: tuple[int, ...]
    http: int
    rounds: int


FULL: Final = Sizes(tests=5000, slow=1000, growth=(500, 2000, 5000, 20000), http=1000, rounds=5)
QUICK: Final = Sizes(tests=500, slow=200, growth=(200, 500, 1000), http=200, rounds=2)
SLOW: Final[Mapping[Kind, frozenset[str]]] = {"overhead": frozenset({"aiomisc"}), "idle": frozenset({"aiomisc"})}
