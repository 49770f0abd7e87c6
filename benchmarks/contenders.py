"""Who takes part: what each contender installs and which arguments turn its plugin on.

Each runs in an environment of its own, with its own plugin alone in it; aiohttp, which has no plugin, is in
all of them. `sync` is pytest alone: it runs the same tests written sync, and every figure is told against it.

The proxies have environments apart from those, with uvloop in all of them. `direct` is no proxy at all; the
programs are taken from PATH, between a client and a server of its environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Contender:
    """`requirements` are names and extras without versions: `constraints.txt` pins them."""

    name: str
    requirements: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    from_checkout: bool = False
    """Installed as a wheel that is built from the checkout this file stands in."""


_ALL: Final = (
    Contender("sync", ("pytest", "aiohttp")),
    Contender("looprig", ("looprig[aiohttp]",), from_checkout=True),
    Contender("pytest-asyncio", ("pytest-asyncio", "aiohttp")),
    Contender("anyio", ("pytest", "anyio", "aiohttp")),
    Contender("alt-pytest-asyncio", ("alt-pytest-asyncio", "aiohttp"), ("-p", "alt_pytest_asyncio.enable")),
    Contender("pytest-aiohttp", ("pytest-aiohttp",)),
    Contender("aiomisc", ("aiomisc", "aiomisc-pytest", "aiohttp")),
)
CONTENDERS: Final[Mapping[str, Contender]] = {contender.name: contender for contender in _ALL}
PROXIES: Final[Mapping[str, Contender]] = {
    "direct": Contender("proxy-direct", ("uvloop",)),
    "looprig": Contender("proxy-looprig", ("looprig[uvloop]",), from_checkout=True),
    "aiomisc": Contender("proxy-aiomisc", ("aiomisc", "pytest", "uvloop")),
}
PROGRAMS: Final = ("socat", "haproxy")
PLOTTER: Final = Contender("plot", ("matplotlib",))
