"""The settings of the tests' loops."""

from looprig import loop_config

loops = loop_config(timeout=30.0)  # seconds, so that nothing hangs
