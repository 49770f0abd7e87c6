"""One service from start to stop, without dependencies."""

import traceback
from collections.abc import AsyncIterator

import pytest

from looprig import service_fixture
from looprig.declare.service import spec_of
from looprig.services.lifecycle import Alive
from tests.services.conftest import Run


@service_fixture
class Passing:
    """A service that sees the errors of its users, and lets them pass."""

    async def run(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            pass


def test_an_error_under_a_service_shows_where_it_was_raised_and_not_the_service(run: Run) -> None:
    """The error passes through the service, whose lines have nothing to do with it."""
    spec = spec_of(Passing)
    assert spec is not None

    async def scenario() -> None:
        with pytest.raises(LookupError) as caught:
            async with Alive(Passing, spec):
                raise LookupError
        assert [frame.name for frame in traceback.extract_tb(caught.tb)] == ["scenario"]

    run(scenario())
