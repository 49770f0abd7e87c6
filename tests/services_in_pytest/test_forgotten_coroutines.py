"""Coroutines that a sync test forgets: the error doesn't advise to await them there."""

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.in_thread_suite import HEAD

FIX = "isn't async, so it can't await it: write `async def`. A method of a service with in_thread=True can be called by"


def test_the_error_mentions_call_service(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    def test_method(rest: Rest): rest.add_user("Ada")

    def test_client(rest: Rest, api: TestClient[Rest]): api.get("/users")

    async def test_async(rest: Rest): rest.add_user("Ada")

    def test_returns(rest: Rest): return rest.add_user("Ada")
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(failed=4)
    shown = output(result)
    assert "The coroutine Rest.add_user was never awaited." in shown
    assert f"test_method {FIX} `looprig.call_service(...)`." in shown
    assert f"test_client {FIX} `looprig.call_service(...)`." in shown
    assert shown.count("Await it where it is called.") == 1
    assert "In a sync test, `looprig.call_service(...)` calls a method of a service with in_thread=True." in shown
