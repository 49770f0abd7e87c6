"""Services of scope "run" without pytest-xdist, or seen by one worker: the same errors, and each cause shown once."""

import os
import re
from pathlib import Path

import pytest

from tests.plugin.suite import output, run_apart
from tests.services_in_pytest.sharing import SERVICES, XDIST, folders

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="sharing needs POSIX"),
    pytest.mark.usefixtures(folders.__name__),
]
pytest.importorskip("xdist", reason="needs pytest-xdist")

WAYS = pytest.mark.parametrize("options", [(), (*XDIST, "-n1")], ids=["alone", "one worker"])


@WAYS
@pytest.mark.parametrize("method", ["kill", "restart", "start", "stop"])
def test_a_process_that_others_may_use_cannot_be_ended(
    pytester: pytest.Pytester, options: tuple[str, ...], method: str
) -> None:
    suite = f"{SERVICES}\n    async def test_it(server: Server):\n        await server.{method}()\n"
    suite += "\n    async def test_next(server: Server): assert server.port\n"
    result = run_apart(pytester, suite, *options)
    result.assert_outcomes(failed=1, passed=1)
    assert re.search(
        rf"LooprigError: Server\.{method}\(\) isn't shared by the workers, which have Server in common "
        r'\(scope "run"\): other workers may be using it\.',
        output(result),
    )


def test_the_host_does_not_print_again_what_a_process_printed_that_crashed(
    pytester: pytest.Pytester, folders: Path
) -> None:
    """The test's report would show it twice."""
    suite = f"""{SERVICES}
    def test_it(server: Server):
        os.kill(server.pid, 9)
        [folder] = Path({str(folders)!r}).glob("looprig-*")
        while "crashed" not in (folder / "log").read_text(): ...
        assert False
    """
    result = run_apart(pytester, suite, *XDIST, "-n1")
    failure = output(result).partition("= FAILURES =")[2]
    assert len(re.findall(r"^up \d+$", failure, re.MULTILINE)) == 1, failure
    assert "Server crashed: LooprigError: Server ended with signal SIGKILL while it was in use\n" in failure
    assert "It printed" not in failure
