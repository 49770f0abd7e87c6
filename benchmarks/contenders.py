"""The contenders: what each installs, and which arguments turn its plugin on.

Each has its own environment, with only its own plugin. aiohttp is in all of them, since it loads no plugin. `sync` is
pytest alone: it runs the same tests written sync, and every figure is relative to it. `looprig+anyio` has
anyio's plugin too, as most environments do, since httpx and starlette need anyio.

The proxies have separate environments, each with uvloop. `direct` means without a proxy. Programs are found on PATH,
and run between a client and a server in an environment of their own.
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
    """Whether it is installed as a wheel built from this checkout."""


_ALL: Final = (
    Contender("sync", ("pytest", "aiohttp")),
    Contender("looprig", ("looprig[aiohttp]",), from_checkout=True),
    Contender("looprig+anyio", ("looprig[aiohttp]", "anyio"), from_checkout=True),
    Contender("pytest-asyncio", ("pytest-asyncio", "aiohttp")),
    Contender("anyio", ("pytest", "anyio", "aiohttp")),
    Contender("alt-pytest-asyncio", ("alt-pytest-asyncio", "aiohttp"), ("-p", "alt_pytest_asyncio.enable")),
    Contender("pytest-aiohttp", ("pytest-aiohttp",)),
    Contender("aiomisc", ("aiomisc", "aiomisc-pytest", "aiohttp")),
)
CONTENDERS: Final[Mapping[str, Contender]] = {contender.name: contender for contender in _ALL}


def _adopting(name: str, *requirements: str, arguments: tuple[str, ...] = ()) -> Contender:
    """Return looprig with a peer, in whose place it runs everything."""
    return Contender(
        f"adopting-{name}", ("looprig[aiohttp]", *requirements), (*arguments, "--adopt"), from_checkout=True
    )


ADOPTERS: Final[Mapping[str, Contender]] = {
    "pytest-asyncio": _adopting("pytest-asyncio", "pytest-asyncio"),
    "anyio": _adopting("anyio", "anyio"),
    "pytest-aiohttp": _adopting("pytest-aiohttp", "pytest-aiohttp"),
    "aiohttp": _adopting("aiohttp", arguments=("-p", "aiohttp.pytest_plugin")),
    "aiomisc": _adopting("aiomisc", "aiomisc", "aiomisc-pytest"),
}
PROXIES: Final[Mapping[str, Contender]] = {
    "direct": Contender("proxy-direct", ("uvloop",)),
    "looprig": Contender("proxy-looprig", ("looprig[uvloop]",), from_checkout=True),
    "aiomisc": Contender("proxy-aiomisc", ("aiomisc", "pytest", "uvloop")),
}
PROGRAMS: Final = ("socat", "haproxy")
PLOTTER: Final = Contender("plot", ("matplotlib",))
