"""pytest-trio: it owns the tests with its mark, which it puts on every async test in trio mode."""

from typing import Final, final

import pytest

from looprig.pytest_plugin.peers import setting
from looprig.pytest_plugin.peers.peer import Peer, is_declared

__all__ = ["PEER"]


@final
class PytestTrio(Peer):
    """pytest-trio, whose tests run on trio, so that looprig can never run them."""

    name = "pytest-trio"
    mark = "@pytest.mark.trio"
    put_on_items = "trio"

    def claims_everything(self, config: pytest.Config) -> str | None:
        return "set trio_mode = false" if setting(config, "trio_mode") else None

    def claims_test(self, item: pytest.Function) -> bool:
        if item.get_closest_marker("trio") is None:
            return False
        return self.claims_everything(item.config) is None or is_declared("trio", item)


PEER: Final = PytestTrio()
