"""alt-pytest-asyncio, which has no mode. Its entry point only adds options: it runs tests only if it is enabled."""

from typing import Final

from looprig.pytest_plugin.peers.peer import Everything

__all__ = ["PEER"]

PEER: Final = Everything("alt-pytest-asyncio", plugin="alt_pytest_asyncio.enable", modules=("alt_pytest_asyncio",))
