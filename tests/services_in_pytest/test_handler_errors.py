"""Errors of a TcpService's handlers: they fail the test that runs when they happen, and no other."""

import re

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    from contextlib import suppress
    from dataclasses import dataclass

    import pytest
    from looprig import TcpService, rig, service_fixture

    @dataclass(kw_only=True)
    class Lines(TcpService):
        async def handle(self, reader, writer):
            match await reader.readline():
                case b"raise\\n": raise ValueError("a bad line")
                case b"fail\\n": pytest.fail("an unexpected line")

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Wide(Lines): ...

    async def say(lines, line):
        reader, writer = await asyncio.open_connection(*lines.address)
        writer.write(line)
        assert await reader.read() == b""
        writer.close()
"""


def test_an_error_of_a_handler_fails_the_test_that_runs_and_no_other(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_raises(wide: Wide): await say(wide, b"raise\\n")
    async def test_innocent(wide: Wide): await say(wide, b"\\n")
    async def test_fails_in_the_handler(wide: Wide): await say(wide, b"fail\\n")
    async def test_takes_it(wide: Wide):
        await say(wide, b"raise\\n")
        assert [repr(error) for error in wide.take_errors()] == ["ValueError('a bad line')"]
    async def test_last(wide: Wide): ...
    """,
    )
    result.assert_outcomes(passed=3, failed=2)
    text = output(result)
    assert "FAILED test_it.py::test_raises - ValueError: a bad line" in text
    assert "FAILED test_it.py::test_fails_in_the_handler - looprig.LooprigError: A handle" in text
    assert "A handler raised Failed: an unexpected line" in text
    assert re.search(
        r"E +ValueError: a bad line\nE +Raised by a handler, not by the test\.\nE +test_it\.py:\d+: Wide\.handle\n"
        r"E +If the test expects that, let it take the error: Wide\.take_errors\(\)\.\n",
        text,
    )


def test_it_is_a_note_on_a_test_that_fails_anyhow(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_fails(wide: Wide):
        await say(wide, b"raise\\n")
        assert 0
    async def test_last(wide: Wide): ...
    """,
    )
    result.assert_outcomes(passed=1, failed=1)
    assert re.search(r"E +Besides: ValueError: a bad line\nE +Raised by a handler, not by the test\.", output(result))


def test_several_are_one_group(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_fails(wide: Wide):
        for _ in range(2): await say(wide, b"raise\\n")
    """,
    )
    result.assert_outcomes(failed=1)
    assert output(result).count("ValueError: a bad line\n") == 2 + 2  # what it raised, and what it logged


def test_one_at_the_stop_is_raised_by_the_teardown(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    @dataclass(kw_only=True)
    class Late(TcpService):
        async def handle(self, reader, writer):
            writer.write(b".")
            try:
                await reader.read()
            finally:
                raise ValueError("at the end")

    async def test_it(late: Late):
        reader, writer = await asyncio.open_connection(*late.address)
        await reader.readexactly(1)
    """,
        "-Wignore::ResourceWarning",
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "ValueError: at the end" in output(result)


def test_a_rig_raises_them_itself(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def uses():
        async with rig(Wide) as wide:
            await say(wide, b"raise\\n")

    async def test_it():
        with pytest.raises(ExceptionGroup, match="handlers of Wide raised"):
            await uses()
    """,
    )
    result.assert_outcomes(passed=1)
