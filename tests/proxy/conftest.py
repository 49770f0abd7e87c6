"""Shared by the tests of the proxy: each of them runs on every kind of loop."""

from tests.limits import no_hang
from tests.running import Run, run

__all__ = ["Run", "no_hang", "run"]
