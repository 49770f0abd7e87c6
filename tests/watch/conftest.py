"""Shared by the tests of the watchers: loops of each kind."""

from tests.running import Run, run

__all__ = ["Run", "run"]
