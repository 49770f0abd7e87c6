"""A suite allows failures in the background, or has watchdogs warn: by markers, options and the ini file."""

from typing import Final

import pytest

from tests.plugin.suite import output, run, run_apart

ALLOWED: Final = """
    import asyncio
    import looprig
    import pytest

    {marker}
    async def test_it():
        async def fail():
            raise ConnectionResetError("connection lost")

        asyncio.create_task(fail())
        await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("marker", "outcome"),
    [
        ("@looprig.allow_background(ConnectionResetError)", "passed"),
        ("@looprig.allow_background(OSError, LookupError)", "passed"),
        ("@looprig.allow_background(match='lost$')", "passed"),
        ("@looprig.allow_background(OSError, match='^connection')", "passed"),
        ("@looprig.watchdogs(background='off')", "passed"),
        ("@looprig.watchdogs('off')", "passed"),
        ("@looprig.watchdogs('error', background='off')", "passed"),
        ('@pytest.mark.loop_allow_background("OSError")', "passed"),
        ('@pytest.mark.loop_allow_background("test_it.<locals>.Gone", "OSError")', "passed"),
        ("@looprig.allow_background(LookupError)", "failed"),
        ("@looprig.allow_background(match='found')", "failed"),
        ("@looprig.allow_background(LookupError, match='lost')", "failed"),
        ("@looprig.watchdogs('off', background='error')", "failed"),
    ],
)
def test_a_marker_allows_what_it_names(pytester: pytest.Pytester, marker: str, outcome: str) -> None:
    run(pytester, {"test_it.py": ALLOWED.format(marker=marker)}).assert_outcomes(**{outcome: 1})


@pytest.mark.parametrize("mark", ['loop_watchdogs("off")', 'loop_allow_background("OSError")'])
def test_a_module_sets_them_for_all_its_tests(pytester: pytest.Pytester, mark: str) -> None:
    suite = ALLOWED.format(marker="") + f"\n    pytestmark = pytest.mark.{mark}\n"
    run(pytester, {"test_it.py": suite}).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "ini",
    [
        "loop_allow_background = ConnectionResetError",
        "loop_allow_background = builtins.OSError: lost",
        "loop_allow_background = socket.error",  # which is OSError
        "loop_allow_background =\n  LookupError\n  : connection",
        "loop_watchdogs = off",
        "loop_watchdogs = error background=off",
    ],
)
def test_the_ini_file_allows_it(pytester: pytest.Pytester, ini: str) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    run(pytester, {"test_it.py": ALLOWED.format(marker="")}).assert_outcomes(passed=1)


def test_the_ini_file_and_a_mark_name_a_class_of_the_suite(pytester: pytest.Pytester) -> None:
    """It may be defined below the mark, in the same file."""
    suite = ALLOWED.replace("ConnectionResetError", "Gone")
    later = "\n    class Gone(Exception): ...\n"
    files = {
        "test_it.py": suite.format(marker="@pytest.mark.loop_allow_background('test_it.Gone')") + later,
        "test_other.py": suite.format(marker="") + later,
    }
    pytester.makeini("[pytest]\nloop_allow_background = test_other.Gone\n")
    run(pytester, files).assert_outcomes(passed=2)


def test_the_command_line_wins_over_the_ini_file_and_a_marker_over_both(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nloop_watchdogs = off\n")
    files = {
        "test_it.py": ALLOWED.format(marker=""),
        "test_marked.py": ALLOWED.format(marker="@looprig.watchdogs('off')"),
    }
    run(pytester, files, "--loop-watchdogs=error").assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("loop_watchdogs", "Give one policy for all kinds"),
        ("loop_watchdogs('never')", "Give one policy for all kinds"),
        ("loop_watchdogs(backgrounds='off')", "Give one policy for all kinds"),
        ("loop_watchdogs('off', 'off')", "Give one policy for all kinds"),
        ("loop_allow_background", "Give classes of exceptions"),
        ("loop_allow_background(3)", "Give classes of exceptions"),
        ("loop_allow_background(match='(')", "Give classes of exceptions"),
        ("loop_allow_background('nowhere.Gone')", "'nowhere.Gone' can't be imported: No module named 'nowhere'. Give"),
        ("loop_allow_background(OSError, matches='x')", "Give classes of exceptions"),
    ],
)
def test_a_marker_that_is_written_wrong_fails_its_test(pytester: pytest.Pytester, marker: str, told: str) -> None:
    suite = ALLOWED.format(marker=f"@pytest.mark.{marker}") + "\n    async def test_other(): ...\n"
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(passed=1, errors=1)
    assert told in output(result)


@pytest.mark.parametrize(
    "call",
    [
        "watchdogs()",
        "watchdogs('never')",
        "watchdogs(leak='off')",
        "watchdogs('off')(3)",
        "allow_background()",
        "allow_background('OSError', match=3)",
        "allow_background(match='(')",
        "allow_background(OSError)(None)",
    ],
)
def test_a_typed_marker_that_is_written_wrong_is_told_at_its_line(pytester: pytest.Pytester, call: str) -> None:
    suite = f"""
        import looprig

        looprig.{call}

        async def test_it(): ...
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(errors=1)
    assert "test_it.py:4: " in output(result)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["-o", "loop_watchdogs=never"], "loop_watchdogs = never: Give one policy"),
        (["--loop-watchdogs=background=never"], "--loop-watchdogs=background=never: Give one policy"),
        (["-o", "loop_allow_background=OSError: ("], "loop_allow_background = OSError: (: match='('"),
        (
            ["-o", "loop_allow_background=nowhere.Gone: lost"],
            "loop_allow_background = nowhere.Gone: lost: 'nowhere.Gone' can't be imported: No module named 'nowhere'. ",
        ),
        (["-o", "loop_allow_background=asyncio.Gone"], "'asyncio.Gone' can't be imported: "),
        (["-o", "loop_allow_background=asyncio.sleep"], "isn't a class of exceptions"),
    ],
)
def test_an_option_that_is_written_wrong_is_a_usage_error(
    pytester: pytest.Pytester, option: list[str], told: str
) -> None:
    result = run(pytester, {"test_it.py": "async def test_it(): ..."}, *option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in output(result)


# Noting


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_warning_is_one_line_at_the_end_of_the_run(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    files = {"test_it.py": ALLOWED.format(marker="")}
    plugins = ("-p", "xdist") if workers else ()
    result = run_apart(pytester, files, "--loop-watchdogs=warn", *plugins, *workers)
    result.assert_outcomes(passed=1)
    assert "looprig: watchdogs noted 1 finding in 1 test: -v shows them" in output(result)
    assert "connection lost" not in output(result)
    shown = output(run_apart(pytester, files, "--loop-watchdogs=warn", "-v", *plugins, *workers))
    assert "A task failed, and nothing retrieved its exception: ConnectionResetError: connection lost." in shown
    assert "(test_it.py::test_it)" in shown
