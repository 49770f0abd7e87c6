"""Beside a plugin that claims every async test, looprig runs only what uses its services."""

from typing import Final

import pytest

from tests.peers.test_owners import beside
from tests.plugin.suite import output, run_apart

PEERS: Final = {
    "pytest-asyncio": ("asyncio", ("-o", "asyncio_mode=auto"), "run with --adopt"),
    "pytest-asyncio's option": ("asyncio", ("--asyncio-mode=auto",), "run with --adopt"),
    "anyio": ("anyio", ("-o", "anyio_mode=auto"), "run with --adopt"),
    "pytest-trio": ("trio", ("-o", "trio_mode=true"), "set trio_mode = false"),
    "aiomisc-pytest": ("aiomisc", (), "run with --adopt"),
    "alt-pytest-asyncio": ("alt_pytest_asyncio.enable", (), "run with -p no:alt_pytest_asyncio.enable"),
    "aiohttp's own pytest plugin": ("aiohttp.pytest_plugin", (), "run with --adopt"),
}
every_peer: Final = pytest.mark.parametrize("peer", PEERS)


def options_of(peer: str) -> tuple[str, ...]:
    """Return the options that make a plugin claim every async test."""
    name, options, _ = PEERS[peer]
    enabled = ("-p", "alt_pytest_asyncio") if name.startswith("alt_") else ()
    return (*enabled, *beside(name), *options, "-Wdefault")


SUITE: Final = """
    import asyncio
    import contextvars
    import pytest
    from looprig import service_fixture
    from looprig.runtime.context import OWNER

    def is_ours():
        return OWNER.get(None) is not None

    @service_fixture(scope="module")
    class Db:
        async def start(self):
            self.loop = asyncio.get_running_loop()

        async def stop(self):
            assert self.loop is asyncio.get_running_loop()

    @pytest.fixture
    async def either():
        yield is_ours()

    @pytest.fixture
    def around():
        yield contextvars.copy_context().get(OWNER) is not None

    def test_sync(around):
        assert not around
        assert not is_ours()

    async def test_theirs():
        assert not is_ours()

    async def test_ours(db, either, around):
        assert either
        assert around
        assert db.loop is asyncio.get_running_loop()

    @pytest.mark.parametrize("number", [1, 2])
    async def test_numbers(db: Db, number):
        assert db.loop is asyncio.get_running_loop()

    class TestIn:
        async def test_ours(self, db):
            assert db.loop is asyncio.get_running_loop()

        async def test_theirs(self):
            assert not is_ours()

    def test_sync_of_ours(db, either):
        assert either
        assert db.loop.run_until_complete is not None
"""


@every_peer
def test_what_uses_a_service_is_run_by_looprig_and_nothing_else_is(pytester: pytest.Pytester, peer: str) -> None:
    result = run_apart(pytester, SUITE, *options_of(peer))
    outcomes = result.parseoutcomes()
    # anyio runs its tests once with each backend.
    assert outcomes["passed"] in ({8, 10} if peer == "anyio" else {8})
    assert not {"failed", "errors", "error"} & outcomes.keys()
    assert "test_ours[" not in output(result)


@every_peer
def test_the_header_says_so_and_how_to_have_looprig_run_all(pytester: pytest.Pytester, peer: str) -> None:
    result = run_apart(pytester, "def test_it(): pass\n", *options_of(peer))
    remedy = PEERS[peer][2]
    lines = [line for line in result.outlines if line.startswith("looprig:")]
    assert lines == [
        f"looprig: {peer.removesuffix(chr(39) + 's option')} claims every async test, so looprig runs only those that "
        f"use its services; to have it run all, {remedy}"
    ]


def test_a_plugin_is_known_by_its_module_too(pytester: pytest.Pytester) -> None:
    """As it is loaded where plugins aren't loaded automatically."""
    beside("asyncio")
    options = ("-p", "pytest_asyncio.plugin", "--asyncio-mode=auto", "-Wdefault")
    result = run_apart(pytester, "async def test_it(): pass\n", *options)
    result.assert_outcomes(passed=1)
    assert "looprig: pytest-asyncio claims every async test" in output(result)


MIXED: Final = """
    import pytest
    from looprig import service_fixture

    @service_fixture
    class Db:
        async def start(self): ...
        async def stop(self): ...

    @pytest.fixture(scope="session")
    async def wide():
        yield 1

    @pytest.mark.usefixtures("wide")
    async def test_theirs(): ...

    async def test_ours(db, wide): ...
"""


def test_a_fixture_that_both_need_is_an_error_of_looprigs_tests(pytester: pytest.Pytester) -> None:
    options = (*beside("asyncio"), "-o", "asyncio_default_fixture_loop_scope=session", "--asyncio-mode=auto")
    result = run_apart(pytester, MIXED, *options)
    result.assert_outcomes(passed=1, errors=1)
    assert "wide (scope 'session') is shared by test_theirs, where pytest-asyncio runs it, and test_ours" in output(
        result
    )
    assert "have looprig run all tests (set asyncio_mode = strict)" in output(result)
    run_apart(pytester, MIXED, *options[:-1]).assert_outcomes(passed=2)


def test_a_mark_of_the_suite_makes_a_test_theirs_though_it_uses_a_service(pytester: pytest.Pytester) -> None:
    suite = MIXED.replace("async def test_ours(db, wide)", "@pytest.mark.asyncio\n    async def test_ours(db)")
    options = (*beside("asyncio"), "-o", "asyncio_default_fixture_loop_scope=session", "--asyncio-mode=auto")
    result = run_apart(pytester, suite, *options)
    result.assert_outcomes(passed=1, errors=1)
    assert "Let one plugin run both: remove @pytest.mark.asyncio from test_ours." in output(result)
    run_apart(pytester, suite.replace("@pytest.mark.asyncio\n    ", ""), *options).assert_outcomes(passed=2)
