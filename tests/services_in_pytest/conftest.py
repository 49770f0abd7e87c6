"""Imports of what the suites under test use: pytester forgets a run's imports, but the public face doesn't."""

import msgspec
import trustme

import looprig.aiomisc.proxy  # pyright: ignore[reportUnusedImport]
import looprig.http.client  # pyright: ignore[reportUnusedImport]
import looprig.services.aiohttp  # pyright: ignore[reportUnusedImport]
import looprig.services.entrypoint  # pyright: ignore[reportUnusedImport]
import looprig.services.in_thread  # pyright: ignore[reportUnusedImport]
import looprig.services.process  # pyright: ignore[reportUnusedImport]
import looprig.services.proxy  # pyright: ignore[reportUnusedImport]
import looprig.services.rig  # pyright: ignore[reportUnusedImport]
import looprig.services.tcp  # pyright: ignore[reportUnusedImport]

__all__ = ["looprig", "msgspec", "trustme"]
