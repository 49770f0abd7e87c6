"""Services of scope "run" that don't start, crash, or don't stop; and what isn't shared, each by name."""

import os
import re
from pathlib import Path

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.sharing import HEAD, SERVICES, folders, notes, run_shared

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="sharing needs POSIX"),
    pytest.mark.usefixtures(folders.__name__),
]
pytest.importorskip("xdist", reason="needs pytest-xdist")


def test_each_test_reports_the_cause_of_a_failed_start_which_is_tried_once(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Broken(ProcessService):
        def command(self) -> Sequence[str]:
            note("start broken")
            return [sys.executable, "-c", "import sys; sys.exit('no configuration')"]

        async def ready(self) -> bool:
            return False

    @service_fixture(scope="run")
    class Raises:
        async def start(self):
            note("start raises")
            print("so far so good")
            raise RuntimeError("no luck")
        async def stop(self): ...

    @pytest.mark.parametrize("number", range(3))
    async def test_broken(broken: Broken, number): ...
    @pytest.mark.parametrize("number", range(3))
    async def test_raises(raises: Raises, number): ...
    """,
    )
    result.assert_outcomes(errors=6)
    text = output(result)
    broken = r"E +looprig\.ServiceStartError: Broken ended with exit status 1 before it was ready\.\n"
    assert len(re.findall(broken + r"(?s:.{,200}?)It printed:\n +(?:E +)?no configuration", text)) == 3
    raised = r"E +looprig\.ServiceStartError: Service Raises did not start: RuntimeError: no luck\.\n"
    assert len(re.findall(raised, text)) == 3
    assert len(re.findall(r'test_it\.py", line \d+, in start\n(?s:.{,200}?)RuntimeError: no luck', text)) == 3
    assert sorted(notes(pytester)) == ["start broken", "start raises"]


def test_a_crash_reaches_the_running_tests_of_all_workers_and_those_that_come_later(
    pytester: pytest.Pytester,
) -> None:
    result = run_shared(
        pytester,
        SERVICES
        + """
    @pytest.mark.parametrize("number", range(6))
    async def test_it(server: Server, number):
        note("worker", os.getpid())
        while len(set(NOTES.read_text().split("worker "))) < 3:
            await asyncio.sleep(0.01)
        if number == 0:
            os.kill(server.pid, 9)
        await asyncio.sleep(60)
    """,
    )
    text = output(result)
    assert re.search(r"\b2 failed, 4 errors\b", text)
    assert (
        len(re.findall(r"E +looprig\.LooprigError: Server ended with signal SIGKILL while it was in use\.", text)) == 6
    )
    assert re.search(r"It printed:\n.*up \d+", text)
    assert notes(pytester, "start") == ["server"]


def test_a_service_whose_task_is_cancelled_has_crashed(pytester: pytest.Pytester) -> None:
    """An overridden `run` that loops over the inherited one gets the cancellation that was meant for the latter."""
    result = run_shared(
        pytester,
        SERVICES.replace(
            '        async def ready(self) -> bool:\n            if "up"',
            """
        async def run(self) -> AsyncIterator[None]:
            async for _ in super().run():
                yield

        async def ready(self) -> bool:
            if "up\"""",
        )
        + """
    async def test_it(server: Server):
        os.kill(server.pid, 9)
        await asyncio.sleep(60)
    """,
        workers=1,
    )
    result.assert_outcomes(failed=1)
    assert re.search(
        r"E +looprig\.LooprigError: Server ended while it was in use: its task was cancelled\.", output(result)
    )


def test_a_failure_to_stop_is_an_error_of_the_last_test(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    class Stays:
        async def start(self): ...
        async def stop(self): raise RuntimeError("won't stop")

    @pytest.mark.parametrize("number", range(4))
    async def test_it(stays: Stays, number): ...
    """,
    )
    result.assert_outcomes(passed=4, errors=1)
    text = output(result)
    assert re.search(r"ERROR at teardown of test_it(?s:.*)RuntimeError: won't stop", text)
    assert text.count("It was raised while the service Stays stopped.") == 1


def test_a_failure_to_stop_is_told_if_the_last_worker_has_run_no_test_with_it(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        {
            "conftest.py": HEAD
            + """
    @service_fixture(scope="run")
    class Stays:
        async def start(self): ...
        async def stop(self): raise RuntimeError("won't stop")

    def pytest_unconfigure(config):
        note("left", getattr(config, "workerinput", {}).get("workerid"))

    ran = []

    def pytest_runtest_setup(item):
        ran.append(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(session):
        is_idle = hasattr(session.config, "workerinput") and not ran
        while is_idle and "left gw" not in (NOTES.read_text() if NOTES.exists() else ""):
            pass
    """,
            "test_it.py": "async def test_it(stays): ...",
        },
    )
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    text = output(result)
    assert re.search(
        r'=+ looprig: errors while services of scope "run" were stopped =+\nRuntimeError: won\'t stop\nTraceback', text
    )


def test_errors_of_handlers_are_told_when_the_service_stops(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Fails(TcpService):
        async def handle(self, reader, writer): raise ValueError("oh no")

    async def test_it(fails: Fails):
        reader, writer = await asyncio.open_connection(*fails.address)
        assert await reader.read() == b""
        writer.close()
    """,
        workers=1,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert re.search(r"E +ValueError: oh no\n(?:E)? +Raised by a handler, not by the test\.", output(result))


@pytest.mark.parametrize(
    ("use", "name", "why"),
    [
        ("await server.kill()", r"Server\.kill\(\)", "other workers may be using it"),
        ("server.run()", r"Server\.run\(\)", "it works on objects of the process that runs the service"),
        ("rest.app", r"Rest\.app", "it belongs to the process that runs the service"),
        ("rest.lock", r"Rest\.lock", r"a lock can't be pickled \(TypeError: cannot pickle '_thread.lock' object\)"),
        ("rest.page_size = 2", r"Rest\.page_size", "it can't be set: this process has a copy of the service"),
        ("del rest.page_size", r"Rest\.page_size", "it can't be set: this process has a copy of the service"),
    ],
)
def test_what_is_not_shared_is_an_error_that_names_it(pytester: pytest.Pytester, use: str, name: str, why: str) -> None:
    suite = SERVICES.replace(
        'token: str = field(default="", init=False)',
        'token: str = ""\n        lock: object = field(default=None, init=False)',
    ).replace("self.token = ", "import threading; self.lock = threading.Lock(); self.token = ")
    result = run_shared(
        pytester,
        suite
        + f"""
    async def test_it(rest: Rest, server: Server):
        {use}
    """,
        workers=1,
    )
    result.assert_outcomes(failed=1)
    owner = name.partition("\\")[0]
    assert re.search(
        rf"E +looprig\.LooprigError: {name} isn't shared by the workers, which have {owner} in common "
        rf'\(scope "run"\): {why}\.\nE +test_it\.py:\d+: {owner}\nE +Use what {owner} has once it has started',
        output(result),
    )


def test_a_value_that_cannot_be_sent_is_an_error_that_names_the_field(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Holds:
        handle: object
        async def start(self): ...
        async def stop(self): ...

    @pytest.fixture(scope="session")
    def handle(): return (each for each in ())

    async def test_it(holds: Holds): ...
    """,
        workers=1,
    )
    result.assert_outcomes(errors=1)
    assert re.search(
        r"E +looprig\.DeclarationError: Holds\.handle can't be sent to the process that runs Holds for all workers "
        r'\(scope "run"\): a generator can\'t be pickled',
        output(result),
    )


def test_a_value_that_differs_between_workers_is_an_error(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Holds:
        value: int
        same: list[int]
        async def start(self): ...
        async def stop(self): ...

    @pytest.fixture(scope="session")
    def value(): return os.getpid()

    @pytest.fixture(scope="session")
    def same(): return [1, 2]

    @pytest.mark.parametrize("number", range(2))
    async def test_it(holds: Holds, number):
        assert holds.same == [1, 2]
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert re.search(
        r"E +looprig\.LooprigError: Holds\.value has another value than in the worker that started it\.", output(result)
    )


def test_it_depends_on_services_of_the_run_only(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="session")
    class Narrow:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Wide:
        narrow: Narrow
        async def start(self): ...
        async def stop(self): ...

    async def test_it(wide: Wide): ...
    """,
    )
    result.assert_outcomes(errors=1)
    assert re.search(
        r'^Wide \(scope "run"\) needs Narrow \(scope "session"\), which ends first\.\n'
        r" +test_it\.py:\d+: Wide\n +test_it\.py:\d+: Narrow\n"
        r'Widen Narrow to scope="run", or narrow Wide to scope="session"\.',
        output(result),
        re.MULTILINE,
    )


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (
            """
    def make():
        @service_fixture(scope="run")
        class Local:
            async def start(self): ...
            async def stop(self): ...
    make()
    """,
            'make.<locals>.Local has scope "run", but is declared in a function, where another process can\'t find it.',
        ),
        (
            """
    from looprig import proxy_fixture
    @proxy_fixture(scope="run")
    class Slow(Proxy[Server]): ...
    """,
            "Slow has scope 'run', which only services can have.",
        ),
        (
            """
    from looprig import loop_config
    loops = loop_config(scope="run")
    """,
            "loop_config has scope 'run', which only services can have.",
        ),
    ],
)
def test_a_wrong_declaration_is_an_error_at_import(pytester: pytest.Pytester, declared: str, told: str) -> None:
    result = run(pytester, SERVICES + declared)
    result.assert_outcomes(errors=1)
    assert f"DeclarationError: {told}" in output(result)


def test_a_system_without_it_is_told_so(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        SERVICES
        + """
    import looprig.services.sharing.user
    looprig.services.sharing.user.is_posix = lambda: False
    async def test_it(server: Server): ...
    """,
        workers=1,
    )
    result.assert_outcomes(errors=1)
    assert 'Sharing a service of scope "run" with other workers requires a POSIX system such as' in output(result)


def test_a_folder_that_others_may_look_into_is_refused(pytester: pytest.Pytester, folders: Path) -> None:
    result = run_shared(
        pytester,
        SERVICES
        + """
    import looprig.services.sharing.folder as folder
    folder.RunFolder._make.__globals__["os"].umask(0)
    make = Path.mkdir
    Path.mkdir = lambda self, mode=0o777: make(self, 0o755 if "looprig-" in self.name else mode)
    async def test_it(server: Server): ...
    """,
        workers=1,
    )
    result.assert_outcomes(errors=1)
    for folder in folders.iterdir():
        folder.rmdir()
    assert re.search(r"E +looprig\.LooprigError: .* isn't a folder that belongs to this user alone", output(result))
