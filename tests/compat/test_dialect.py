"""Where aiomisc's fixtures act: there `services` and the like affect tests that don't request them."""

import sys
from collections.abc import Mapping
from textwrap import dedent
from typing import Final

import pytest

from tests.plugin.suite import output, run, run_apart

pytest.importorskip("aiomisc", reason="needs aiomisc")

LIFE: Final = """
import pytest

class Life:
    started = 0
    async def start(self): self.started += 1
    async def stop(self): ...

@pytest.fixture
def services(): return [Life()]
"""
RUNS: Final = """
    async def test_runs_them(services):
        assert services[0].started == 1
"""
DOES_NOT: Final = """
    async def test_does_not_run_them(services):
        assert services[0].started == 0
"""


def _module(*parts: str) -> str:
    return "\n".join(dedent(part) for part in parts)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"test_it.py": _module(LIFE, RUNS, 'pytest_plugins = ["looprig.aiomisc"]')}, id="asked for"),
        pytest.param({"test_it.py": _module(LIFE, RUNS, 'pytest_plugins = "looprig.aiomisc"')}, id="in one word"),
        pytest.param(
            {"test_it.py": _module("from looprig.services.context import current_context", LIFE, RUNS)},
            id="by looprig's own word, from the module that defines it",
        ),
        pytest.param(
            {"conftest.py": 'pytest_plugins = ["looprig.aiomisc"]', "test_it.py": _module(LIFE, RUNS)},
            id="by a conftest",
        ),
        pytest.param(
            {"conftest.py": LIFE, "test_it.py": _module("import aiomisc", RUNS)}, id="services above, aiomisc below"
        ),
        pytest.param(
            {"conftest.py": _module("import aiomisc", LIFE), "test_it.py": RUNS.replace("    ", "", 1)},
            id="by a conftest that imports aiomisc",
        ),
        pytest.param(
            {"test_it.py": _module("from aiomisc.service import TCPServer", LIFE, RUNS)}, id="by a class of its"
        ),
        pytest.param(
            {
                "app.py": "from aiomisc import Service\nclass Rest(Service):\n    async def start(self): ...\n",
                "test_it.py": _module("from app import Rest", LIFE, RUNS),
            },
            id="by a class derived from one of its",
        ),
        pytest.param(
            {
                "app.py": "import aiomisc\ndef main(): ...\n",
                "shop.py": "from app import main\ndef order(): ...\n",
                "test_it.py": _module("import shop", LIFE, RUNS),
            },
            id="by an application that uses it",
        ),
        pytest.param(
            {"test_it.py": _module(LIFE, RUNS, "async def test_context():\n    import aiomisc")}, id="inside a test"
        ),
        pytest.param({"test_it.py": _module("from looprig import current_context", LIFE, RUNS)}, id="looprig's words"),
        pytest.param(
            {
                "mine.py": "import aiomisc\n",
                "conftest.py": "pytest_plugins = ['mine']",
                "test_it.py": _module(LIFE, RUNS),
            },
            id="by a plugin of the suite",
        ),
        pytest.param(
            {
                "conftest.py": LIFE.replace("def services", "def started"),
                "test_it.py": _module(
                    """
                    import aiomisc
                    import pytest

                    class TestIt:
                        @pytest.fixture
                        def services(self, started): return started
                        async def test_runs_them(self, services): assert services[0].started == 1

                    def test_out_of_it(started): assert started[0].started == 0
                    """
                ),
            },
            id="in a class",
        ),
    ],
)
def test_the_dialect_is_spoken(pytester: pytest.Pytester, files: Mapping[str, str]) -> None:
    result = run_apart(pytester, files, "-o", "pythonpath=.")
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}, output(result)


def test_the_command_line_asks_for_all_of_the_suite(pytester: pytest.Pytester) -> None:
    run_apart(pytester, _module(LIFE, RUNS), "-p", "looprig.aiomisc").assert_outcomes(passed=1)


def test_it_is_not_spoken_where_nobody_asks(pytester: pytest.Pytester) -> None:
    run(pytester, _module("import looprig", "from looprig import service_fixture", LIFE, DOES_NOT)).assert_outcomes(
        passed=1
    )


def test_who_asks_for_the_entrypoint_has_the_services_run(pytester: pytest.Pytester) -> None:
    run(pytester, _module(LIFE, RUNS.replace("services)", "services, entrypoint)"))).assert_outcomes(passed=1)


@pytest.mark.parametrize("order", [["test_a.py", "test_b.py"], ["test_b.py", "test_a.py"], ["test_b.py"]])
def test_what_one_module_imports_changes_nothing_in_another(pytester: pytest.Pytester, order: list[str]) -> None:
    files = {
        "conftest.py": LIFE,
        "test_a.py": _module("import aiomisc", "pytest_plugins = ['looprig.aiomisc']", RUNS),
        "test_b.py": dedent(DOES_NOT),
    }
    result = run_apart(pytester, files, *order)
    result.assert_outcomes(passed=len(order))


def test_what_another_module_of_the_package_imports_does_not_matter(pytester: pytest.Pytester) -> None:
    """A package has its collected modules as attributes."""
    files = {
        "suite/helpers.py": "def helps(): ...\n",
        "suite/test_a.py": "import aiomisc\ndef test_a(): ...\n",
        "suite/test_b.py": _module("import suite", LIFE, DOES_NOT),
    }
    run_apart(pytester, files).assert_outcomes(passed=2)


@pytest.mark.parametrize("given", ["{'db': 1}", "['db', 'web']", "'db'", "5", "None"])
def test_services_of_another_kind_are_left_alone_where_it_is_spoken(pytester: pytest.Pytester, given: str) -> None:
    run(
        pytester,
        f"""
        import pytest
        pytest_plugins = ["looprig.aiomisc"]

        @pytest.fixture
        def services(): return {given}
        @pytest.fixture
        def default_context(): return object()
        def test_sync(services): assert services == {given}
        async def test_async(): ...
        """,
    ).assert_outcomes(passed=2)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="policies are deprecated")
def test_policies_and_pools_that_are_such_need_no_dialect(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import asyncio
        import concurrent.futures
        import pytest

        class Loop(asyncio.SelectorEventLoop): ...
        class Policy(asyncio.DefaultEventLoopPolicy):
            _loop_factory = Loop

        @pytest.fixture(params=[asyncio.DefaultEventLoopPolicy(), Policy()], ids=["asyncio", "mine"])
        def event_loop_policy(request): return request.param

        @pytest.fixture
        def thread_pool_executor(): return concurrent.futures.ThreadPoolExecutor

        async def test_it(request):
            assert isinstance(asyncio.get_running_loop(), Loop) is (request.node.callspec.id == "mine")
        """,
    ).assert_outcomes(passed=2)
