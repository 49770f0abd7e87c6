"""What the tests of the proxy share: each of them runs on every kind of loop."""

from tests.running import Run, run

__all__ = ["Run", "run"]
