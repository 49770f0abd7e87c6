"""Errors of a proxy that fail a test, and what the report of a failed test shows."""

import re

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.proxy_suites import DECLARED, HEAD


def test_an_error_that_nobody_takes_fails_the_test_that_runs_and_no_other(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    def boom(chunk): raise ValueError("boom")

    async def provoke(proxy):
        with proxy.apply(Transform(boom, direction="upstream")):
            assert await ask(proxy.address) == "" if False else True
            with pytest.raises(ConnectionResetError):
                await ask(proxy.address)

    async def test_fails(slow_db): await provoke(slow_db)
    async def test_passes(slow_db): assert await ask(slow_db.address) == "row"
    async def test_takes_it(slow_db):
        await provoke(slow_db)
        assert len(slow_db.take_errors()) == 1
    async def test_fails_anyhow(slow_db):
        await provoke(slow_db)
        assert 0
    async def test_own_proxy_fails_too(own: Annotated[Proxy[Db], Fixture("slow_db")], slow_db): await provoke(slow_db)
    """,
    )
    result.assert_outcomes(passed=2, failed=3)
    text = output(result)
    assert len(re.findall(r"^E +looprig\.ProxyError: Transform raised on connection #", text, re.MULTILINE)) == 2
    assert "Besides: Transform raised on connection #" in text
    assert re.search(r"test_it\.py:\d+: boom\n", text)


def test_the_report_of_a_failed_test_has_its_events_the_seed_and_how_to_run_it_again(pytester: pytest.Pytester) -> None:
    tests = (
        HEAD
        + """
    async def test_earlier(proxy: Proxy[Db]): assert await ask(proxy.address) == "row"

    async def test_fails(proxy: Proxy[Db]):
        with proxy.apply(Limit(0, probability=0.5)) as applied:
            answers = [await ask(proxy.address) for _ in range(20)]
        print("struck", applied.struck)
        assert answers == []
    """
    )
    result = run(pytester, tests)
    result.assert_outcomes(passed=1, failed=1)
    text = output(result)
    seed = re.search(r"The same faults again: pytest 'test_it\.py::test_fails' --proxy-seed=(\d+)", text)
    assert seed is not None
    assert text.count("- Network faults -") == 1
    assert f"Proxy[Db], seed {seed[1]}:" in text
    assert re.search(r"\d\.\d{4} s +#0  accepted from 127\.0\.0\.1:\d+", text)
    struck = re.search(r"struck \(.*\)", text)
    assert struck is not None
    again = output(run(pytester, tests, f"--proxy-seed={seed[1]}"))
    assert struck[0] in again
    assert struck[0] not in output(run(pytester, tests, f"--proxy-seed={int(seed[1]) + 1}"))


def test_the_log_has_what_came_since_the_test_began(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + DECLARED
        + """
    async def test_earlier(slow_db): assert await ask(slow_db.address) == "row"
    async def test_fails(slow_db):
        assert await ask(slow_db.address) == "row"
        assert 0
    async def test_fails_without_it(): assert 0
    """,
    )
    result.assert_outcomes(passed=1, failed=2)
    text = output(result)
    assert text.count("- Network faults -") == 1
    assert "#0  accepted" not in text
    assert "#1  accepted" in text
    assert "SlowDb, seed 7:" in text
    assert "--proxy-seed" not in text


def test_a_proxy_made_by_hand_has_the_seed_and_the_log_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    from looprig import TcpProxy

    @pytest.fixture(scope="module")
    async def by_hand(db: Db):
        async with TcpProxy(db.address) as proxy:
            yield proxy

    def boom(chunk): raise ValueError("boom")

    async def test_fails(by_hand):
        assert by_hand.seed == 7
        with by_hand.apply(Transform(boom, direction="upstream")):
            with pytest.raises(ConnectionResetError):
                await ask(by_hand.address)

    async def test_passes(by_hand): assert await ask(by_hand.address) == "row"
    """,
        "--proxy-seed=7",
    )
    result.assert_outcomes(passed=1, failed=1)
    text = output(result)
    assert "TcpProxy, seed 7:" in text
    assert "The same faults again: pytest 'test_it.py::test_fails' --proxy-seed=7" in text


def test_a_proxy_that_began_before_the_test_needs_the_tests_before_it(pytester: pytest.Pytester) -> None:
    """Its connections are counted from its start, and random numbers depend on their index."""
    result = run(
        pytester,
        HEAD
        + """
    @proxy_fixture(scope="module")
    class Link(Proxy[Db]): ...

    async def test_warm(link: Link): await ask(link.address)

    async def test_fails(link: Link):
        with link.apply(Latency(0.001)):
            await ask(link.address)
        raise ValueError
    """,
        "--proxy-seed=7",
    )
    result.assert_outcomes(passed=1, failed=1)
    told = "again: run 'test_it.py::test_fails', and the tests before it that use the proxy, with --proxy-seed=7"
    assert told in output(result)


@pytest.mark.parametrize("call", ["apply(Reset())", "down()", "unreachable()", "accept_paused()"])
def test_a_block_that_is_never_entered_fails_the_test(pytester: pytest.Pytester, call: str) -> None:
    result = run(pytester, HEAD + f"\n    async def test_forgets(proxy: Proxy[Db]):\n        proxy.{call}\n")
    result.assert_outcomes(failed=1)
    text = output(result)
    assert f"Proxy[Db].{call} was never entered, so it did nothing." in text
    assert "test_it.py:36: " in text
    assert f"Write `with ...{call}:`." in text


def test_a_connection_that_fails_late_concerns_the_test_that_it_came_in(pytester: pytest.Pytester) -> None:
    """The service refuses only after the test has ended: the next test has nothing to do with that."""
    result = run(
        pytester,
        HEAD
        + """
    import socket
    from looprig import TcpProxy
    from looprig.net.ports import hold_port

    @pytest.fixture(scope="module")
    async def nowhere():
        with hold_port() as held:
            async with TcpProxy((held.host, held.port)) as proxy:
                yield proxy

    async def connect(proxy):
        _, writer = await asyncio.open_connection(*proxy.address)
        while not any(event.kind == "accepted" for event in proxy.events):
            await asyncio.sleep(0)
        return writer

    async def test_takes_it(nowhere):
        writer = await connect(nowhere)
        nowhere.take_errors()
        writer.transport.abort()

    async def test_innocent(nowhere):
        while not any(event.kind == "refused" for event in nowhere.events):
            await asyncio.sleep(0.001)
    """,
    )
    result.assert_outcomes(passed=2)


def test_a_connection_of_an_earlier_test_blames_no_later_one(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    from looprig import TcpProxy

    @pytest.fixture(scope="module")
    async def silent():
        async with TcpProxy(("127.0.0.1", 1)) as proxy:
            yield proxy

    async def test_earlier(silent):
        silent._last.log.accepted(0, "")

    async def test_innocent(silent):
        silent._last.log.report("too late", None, connection=0)

    async def test_own(silent):
        silent._last.log.accepted(1, "")
        silent._last.log.report("in time", None, connection=1)
    """,
    )
    result.assert_outcomes(passed=2, failed=1)
    assert "in time" in output(result)
    assert "too late" not in output(result)


@pytest.mark.parametrize(
    ("body", "is_shown"),
    [
        ("pass", False),
        ("with proxy.apply(Latency(0)): await ask(proxy.address)", False),
        ("with proxy.apply(Latency(0.01)): await ask(proxy.address)", True),
        ("with proxy.apply(Transform(lambda data: data)): await ask(proxy.address)", False),
        ("with proxy.apply(Transform(bytes.upper)): await ask(proxy.address)", True),
        ("with proxy.apply(Reset(first=0)): await ask(proxy.address)", False),
        ("await proxy.reset_all()", True),
        ("with proxy.down(): pass", True),
    ],
)
def test_faults_are_shown_only_where_something_was_done(
    pytester: pytest.Pytester, body: str, *, is_shown: bool
) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    async def test_fails(proxy: Proxy[Db]):
        {body}
        await ask(proxy.address)
        assert 0
    """,
    )
    result.assert_outcomes(failed=1)
    assert ("- Network faults -" in output(result)) is is_shown
