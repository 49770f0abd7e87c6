"""aiohttp's own pytest plugin, without a mode. pytest-aiohttp, which builds on pytest-asyncio, leaves tests to that."""

from typing import Final

from looprig.pytest_plugin.peers.peer import Everything

__all__ = ["PEER"]

PEER: Final = Everything(
    "aiohttp's own pytest plugin",
    plugin="aiohttp.pytest_plugin",
    modules=("aiohttp.pytest_plugin",),
    adopted_as="aiohttp",
)
