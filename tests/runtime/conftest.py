"""A host on each kind of loop."""

from collections.abc import Iterator

import pytest

from looprig.runtime.host import Host


@pytest.fixture(params=["asyncio", "uvloop"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    factory = getattr(pytest.importorskip(request.param), "new_event_loop")  # noqa: B009 - of either module
    host = Host.open(factory)
    yield host
    host.close()
