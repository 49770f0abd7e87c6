"""aiomisc's pytest plugin: it has no mode, and puts its entrypoint and loop around every test."""

from typing import Final

from looprig.pytest_plugin.peers.peer import Everything

__all__ = ["PEER"]

PEER: Final = Everything("aiomisc-pytest", plugin="aiomisc", module="aiomisc")
