"""The other plugins whose tests and fixtures looprig can run in their place."""

from typing import Final, Literal, get_args

__all__ = ["ADOPTABLE", "Adoptable"]

Adoptable = Literal["pytest-asyncio", "anyio", "aiohttp", "aiomisc"]
"""The name of a plugin that looprig can adopt."""
ADOPTABLE: Final[frozenset[str]] = frozenset(get_args(Adoptable))
"""The names of all of them."""
