"""What the tests of the watchers share: loops of each kind."""

from tests.running import Run, run

__all__ = ["Run", "run"]
