"""A watcher follows the events of the tests that it watches, and fails them for what it finds."""

from typing import Final

import pytest

from tests.plugin.suite import output, run

WATCHER: Final = """
    from looprig.pytest_plugin.watch.hooks import watchers_of
    from looprig.watch.watcher import Watcher

    class Recorder(Watcher):
        prefix = "Besides: "

        def __init__(self):
            self.events, self.errors = [], []

        def begin_test(self, test):
            self.events.append(f"begin {test.name}:{test.location.line}")

        def add_loop(self, loop):
            self.events.append("loop")

        def take_errors(self):
            self.events.append("errors")
            found, self.errors = self.errors, []
            return found

        def end_test(self):
            self.events.append("end")

        def sections(self, test_id):
            return [("Recorded", test_id)]

        def close(self):
            print("closed after:", *self.events)

    RECORDER = Recorder()

    def pytest_collection_finish(session):
        watchers = watchers_of(session.config)
        watchers.connect(session.config.pluginmanager.get_plugin("looprig.runner").hosts)
        watchers.add(RECORDER, lambda item: "watched" in item.name)
    """


def test_it_sees_the_events_of_watched_tests_in_order(pytester: pytest.Pytester) -> None:
    suite = """
        async def test_watched(): ...

        async def test_other(): ...
    """
    result = run(pytester, {"conftest.py": WATCHER, "test_it.py": suite}, "-s")
    result.assert_outcomes(passed=2)
    assert "closed after: begin test_watched:2 loop errors errors end\n" in output(result)


def test_it_sees_a_loop_that_was_open_before_the_test(pytester: pytest.Pytester) -> None:
    suite = """
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        async def joined():
            yield

        async def test_first(): ...

        async def test_watched(): ...
    """
    result = run(pytester, {"conftest.py": WATCHER, "test_it.py": suite}, "-s")
    result.assert_outcomes(passed=2)
    assert "closed after: begin test_watched:10 loop errors errors end\n" in output(result)


@pytest.mark.parametrize(
    ("ending", "shown"),
    [
        ("pass", ["E * LookupError: found"]),
        ("pytest.skip('not today')", ["E * LookupError: found"]),
        ("raise OSError('its own')", ["E * OSError: its own", "E * Besides: LookupError: found"]),
        ("conftest.RECORDER.errors.append(ValueError('too'))", ["*ExceptionGroup: unhandled errors*"]),
    ],
)
def test_what_it_finds_fails_the_test_or_is_a_note_on_its_failure(
    pytester: pytest.Pytester, ending: str, shown: list[str]
) -> None:
    suite = f"""
        import conftest
        import pytest

        async def test_watched():
            conftest.RECORDER.errors.append(LookupError("found"))
            {ending}
    """
    result = run(pytester, {"conftest.py": WATCHER, "test_it.py": suite})
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([*(line.replace("E * ", "*E*") for line in shown), "*Recorded*", "*::test_watched"])


def test_what_it_finds_after_the_call_is_an_error_of_the_teardown(pytester: pytest.Pytester) -> None:
    suite = """
        import conftest
        import pytest

        @pytest.fixture
        async def late():
            yield
            conftest.RECORDER.errors.append(LookupError("found late"))

        async def test_watched(late): ...
    """
    result = run(pytester, {"conftest.py": WATCHER, "test_it.py": suite})
    result.assert_outcomes(passed=1, errors=1)
    assert "LookupError: found late" in output(result)
