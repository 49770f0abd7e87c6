"""aiohttp's own pytest plugin, which has no mode. pytest-aiohttp is another plugin, whose tests pytest-asyncio runs."""

from typing import Final

from looprig.pytest_plugin.peers.peer import Everything

__all__ = ["PEER"]

PEER: Final = Everything(
    "aiohttp's own pytest plugin",
    plugin="aiohttp.pytest_plugin",
    modules=("aiohttp.pytest_plugin",),
    adopted_as="aiohttp",
)
