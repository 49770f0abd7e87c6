"""anyio's pytest plugin: a test is its own by the fixture `anyio_backend`, which its mark adds."""

from typing import ClassVar, Final, final

import pytest

from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin.peers import setting
from looprig.pytest_plugin.peers.peer import Peer

__all__ = ["PEER"]


@final
class AnyIO(Peer):
    """It gives every async test its fixture in auto mode, and would run it once with each backend."""

    name = "anyio"
    mark = "@pytest.mark.anyio"
    fixture = "anyio_backend"
    put_on_functions: ClassVar[tuple[str, tuple[str, ...]] | None] = ("usefixtures", ("anyio_backend",))

    def claims_everything(self, config: pytest.Config) -> str | None:
        return "set anyio_mode = strict" if setting(config, "anyio_mode") == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames or item.get_closest_marker("anyio") is not None

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames


PEER: Final = AnyIO()
