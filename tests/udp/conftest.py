"""Shared by the tests of the UDP proxy: each of them runs on every kind of loop."""

import looprig.services.proxy  # pyright: ignore[reportUnusedImport]
import looprig.services.udp_proxy  # pyright: ignore[reportUnusedImport]  # pytester forgets what a run imported
from tests.limits import no_hang
from tests.running import Run, run

__all__ = ["Run", "looprig", "no_hang", "run"]
