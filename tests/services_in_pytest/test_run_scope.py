"""Services of scope "run": one instance for all workers of pytest-xdist, and what each worker sees of it."""

import os

import pytest

from tests.plugin.suite import run, run_apart
from tests.services_in_pytest.sharing import SERVICES, XDIST, folders, is_there, notes, run_shared, until

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="sharing needs POSIX"),
    pytest.mark.usefixtures(folders.__name__),
]
pytest.importorskip("xdist", reason="needs pytest-xdist")

SUITE = (
    SERVICES
    + """
    @pytest.mark.parametrize("number", range(12))
    async def test_it(api: TestClient[Rest], server: Server, number):
        token, pid = await api.get("/", into=list)
        assert pid != os.getpid()
        assert type(api.service).__qualname__ == "Rest"
        assert isinstance(api.service, Rest)
        assert (api.service.token, api.service.page_size) == (token, 20)
        assert api.service.server is server
        assert f"up {server.pid}\\n" == server.output
        note("state", os.getpid(), token, api.service.address, server.address, server.pid)
"""
)


def test_it_starts_once_for_all_workers_and_stops_after_the_last(pytester: pytest.Pytester) -> None:
    result = run_shared(pytester, SUITE, workers=4)
    result.assert_outcomes(passed=12)
    noted = notes(pytester)
    assert noted[:2] == ["start server", f"server {notes(pytester, 'server')[0]}"]
    assert [line for line in noted if line.startswith("start")] == ["start server", "start rest"]
    assert noted[-2:] == ["stop rest", "stop server"]
    states = [line.split(maxsplit=1) for line in notes(pytester, "state")]
    assert len({worker for worker, _ in states}) > 1
    assert len({state for _, state in states}) == 1
    pids = [int(pid) for pid in (*notes(pytester, "host"), *notes(pytester, "server"))]
    until(lambda: not any(map(is_there, pids)), within=10)


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n0")])
def test_without_workers_it_is_of_the_session(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = run(pytester, SUITE.replace("pid != os", "pid == os"), *options)
    result.assert_outcomes(passed=12)
    assert [line for line in notes(pytester) if line.startswith("start")] == ["start server", "start rest"]


def test_a_controller_whose_workers_share_nothing_loads_nothing_of_it(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": """
            import atexit
            import sys

            def pytest_configure(config):
                if not hasattr(config, "workerinput"):
                    atexit.register(lambda: print("loaded", [name for name in sys.modules if "sharing" in name]))
            """,
        "test_it.py": "async def test_it(): ...",
    }
    result = run_apart(pytester, files, *XDIST, "-n1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded []"])
