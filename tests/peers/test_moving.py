"""Suites of pytest-asyncio that move to looprig folder by folder."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from textwrap import dedent
from typing import Final

import pytest

from tests.peers.test_adoption import ASYNCIO, OURS, POLICY
from tests.peers.test_owners import beside
from tests.plugin.suite import run_apart

FOLDERS: Final[Mapping[str, str]] = {
    "conftest.py": "",
    "new/conftest.py": "from looprig import loop_config\nloop_config(adopt=True)\n",
    "new/test_it.py": OURS + "async def test_it():\n    assert is_ours()\n",
    "old/test_it.py": OURS + "async def test_it():\n    assert not is_ours()\n",
}


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_suite_moves_folder_by_folder(pytester: pytest.Pytester, mode: str) -> None:
    marked = {path: text.replace("async def", "@pytest.mark.asyncio\nasync def") for path, text in FOLDERS.items()}
    suite = FOLDERS if mode == "auto" else marked
    result = run_apart(pytester, suite, *beside("asyncio"), "-o", f"asyncio_mode={mode}", *POLICY)
    result.assert_outcomes(passed=2)


STEPS: Final[Sequence[tuple[Sequence[str], str]]] = (
    ([], ""),
    (["tools"], "tools"),
    # The broker has one loop for both, so both are run by looprig as soon as one has moved.
    (["tools", "api"], "tools api jobs"),
    (["tools", "api", "jobs"], "tools api jobs"),
    (["."], "tools api jobs"),
)


def test_a_suite_is_green_after_every_step_of_its_move(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = OURS + "import os\n\n"
    folders = {
        "conftest.py": """
            @pytest.fixture(scope="session")
            async def broker():
                asked = asyncio.Queue()

                async def answer():
                    while True:
                        (await asked.get()).set_result(here())

                task = asyncio.create_task(answer())
                yield asked
                task.cancel()
        """,
        "api/conftest.py": """
            @pytest.fixture(scope="package")
            async def server(broker):
                broker.put_nowait(answer := here().create_future())
                yield await answer
                assert here() is await answer
        """,
        "api/test_api.py": """
            class TestApi:
                @pytest.mark.parametrize("number", [1, 2])
                async def test_asks(self, server, broker, number):
                    broker.put_nowait(answer := here().create_future())
                    assert await answer is server is here()
                    assert is_ours() == ("api" in os.environ["MOVED"])

            def test_sync(server):
                assert not server.is_closed()
        """,
        "jobs/test_jobs.py": """
            @pytest.fixture
            async def job(broker):
                broker.put_nowait(answer := here().create_future())
                return await answer

            async def test_runs(job):
                assert job is here()
                assert is_ours() == ("jobs" in os.environ["MOVED"])
        """,
        "tools/test_tools.py": """
            @pytest.fixture(scope="module")
            async def tool():
                yield here()

            @pytest.fixture
            def sharp(tool):
                return tool

            async def test_cuts(sharp):
                assert sharp is here()
                assert is_ours() == ("tools" in os.environ["MOVED"])
        """,
    }
    suite = {name: head + dedent(text) for name, text in folders.items()}
    settings = [f"asyncio_default_{of}_loop_scope=session" for of in ("fixture", "test")]
    options = [word for setting in ("asyncio_mode=auto", *settings) for word in ("-o", setting)]
    seen: list[list[str]] = []
    for moved, ours in STEPS:
        monkeypatch.setenv("MOVED", ours)
        said = "\nfrom looprig import loop_config\nloop_config(adopt=True)\n"
        names = [str(PurePosixPath(folder, "conftest.py")) for folder in moved]
        step = suite | {name: suite.get(name, "") + said for name in names}
        result = run_apart(pytester, step, "-v", *beside("asyncio"), *options, *POLICY)
        result.assert_outcomes(passed=5)
        seen.append([line.partition(" ")[0] for line in result.outlines if " PASSED " in line])
    assert len(seen[0]) == 5
    assert all(ids == seen[0] for ids in seen)


def test_a_folder_that_shares_a_fixture_with_an_adopted_one_is_adopted_with_it(pytester: pytest.Pytester) -> None:
    shared = ASYNCIO.replace('"session"', '"session", autouse=True', 1)
    suite = {**FOLDERS, "conftest.py": shared, "old/test_it.py": FOLDERS["new/test_it.py"]}
    result = run_apart(pytester, suite, *beside("asyncio"), "-o", "asyncio_mode=auto", *POLICY)
    result.assert_outcomes(passed=2)


def test_a_folder_may_stay_behind(pytester: pytest.Pytester) -> None:
    suite = {**FOLDERS, "new/conftest.py": "", "old/conftest.py": FOLDERS["new/conftest.py"].replace("True", "False")}
    result = run_apart(pytester, suite, "--adopt", *beside("asyncio"), "-o", "asyncio_mode=auto", *POLICY)
    result.assert_outcomes(passed=2)
