"""Requests that an earlier test gave up: reports about a later test don't blame them, nor what only serves."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    from dataclasses import dataclass

    import pytest
    from looprig import AsgiService, TestClient, service_fixture, timeout

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AsgiService):
        async def create_app(self):
            async def app(scope, receive, send):
                if scope["type"] == "http" and scope["path"] == "/hang":
                    await hang()
                await send({"type": "http.response.start", "status": 204, "headers": []})
                await send({"type": "http.response.body"})
            return app

    async def hang():
        await asyncio.Event().wait()
"""


def told(result: pytest.RunResult) -> list[str]:
    """Return the lines below "Beside it", up to the first that is empty."""
    _, _, text = output(result).partition("Beside it, on the same loop:\n")
    return [line.lstrip("E").strip() for line in text.partition("\n\n")[0].splitlines()]


def test_what_an_earlier_test_left_says_so_and_comes_last(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_gives_up(api: TestClient[Rest]):
        with pytest.raises(TimeoutError):
            await api.get("/hang", timeout=0.2)

    @timeout(0.5)
    async def test_hangs(api: TestClient[Rest]):
        await api.get("/hang")
    """,
    )
    result.assert_outcomes(passed=1, failed=1)
    lines = told(result)
    assert "left over" not in lines[0]
    waits = [line for line in lines if line.endswith(" waits for Event.wait at")]
    assert len(waits) == 2
    assert ", started by Rest (test_it.py:" in waits[0]
    assert waits[1].endswith(", left over from test_gives_up, waits for Event.wait at")
    assert [line.partition(" in ")[2] for line in lines if " in " in line] == ["app", "hang"] * 2


def test_the_server_of_a_service_is_not_shown(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @timeout(0.2)
    async def test_hangs(rest: Rest):
        await asyncio.Event().wait()
    """,
    )
    result.assert_outcomes(failed=1)
    assert "Beside it" not in output(result)


def test_code_that_cancels_all_tasks_leaves_the_server_alone(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_cancels(rest: Rest):
        assert asyncio.all_tasks() == {asyncio.current_task()}
    async def test_asks(api: TestClient[Rest]):
        await api.get("/", status=204)
    """,
    )
    result.assert_outcomes(passed=2)
