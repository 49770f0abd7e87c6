"""A suite's own `loop` fixture provides the loop. If it is too narrow, that is reported."""

from textwrap import dedent

import pytest

from tests.plugin.suite import output, run

LOOP = """
import asyncio
import pytest

made = []

@pytest.fixture(scope="{scope}")
def {name}():
    made.append("open")
    loop = asyncio.new_event_loop()
    loop.mine = True
    yield loop
    loop.close()
    made.append("closed")

def here():
    loop = asyncio.get_running_loop()
    assert loop.mine
    return loop
"""


@pytest.mark.parametrize("name", ["loop", "event_loop"])
@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_it_provides_the_loop_at_every_scope(pytester: pytest.Pytester, scope: str, name: str) -> None:
    opened = 3 if scope in {"function", "class"} else 1
    run(
        pytester,
        LOOP.format(scope=scope, name=name)
        + f"""
@pytest.fixture
async def narrow():
    yield here()

async def test_one(narrow):
    assert narrow is here()

async def test_two(narrow, {name}):
    assert narrow is here() is {name}

def test_three({name}):
    assert {name}.run_until_complete(asyncio.sleep(0, 1)) == 1

def test_last():
    assert made.count("open") == {opened}
    assert made.count("closed") == {opened if opened == 3 else 0}
""",
    ).assert_outcomes(passed=4)


@pytest.mark.parametrize("scope", ["module", "session"])
def test_fixtures_as_wide_as_it_live_on_it(pytester: pytest.Pytester, scope: str) -> None:
    run(
        pytester,
        LOOP.format(scope=scope, name="loop")
        + """
@pytest.fixture(scope="module")
async def wide():
    task = asyncio.create_task(asyncio.sleep(3600))
    yield here()
    assert not task.done()
    made.append("down wide")

async def test_one(wide):
    assert wide is here()

async def test_two(wide, loop):
    assert wide is here() is loop

async def test_three():
    here()
    assert made == ["open"]
""",
    ).assert_outcomes(passed=3)


def test_what_runs_on_it_between_tests_is_not_ended_with_the_first(pytester: pytest.Pytester) -> None:
    """Its scope is kept even if no async fixture is as wide."""
    run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture(scope="module")
        def loop():
            loop = asyncio.new_event_loop()
            loop.server = loop.create_task(asyncio.sleep(3600))
            yield loop
            assert not loop.server.done()
            loop.server.cancel()
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(loop.server)
            loop.close()

        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number):
            await asyncio.sleep(0)
            assert not asyncio.get_running_loop().server.done()
        """,
    ).assert_outcomes(passed=2)


def test_each_module_may_override_it(pytester: pytest.Pytester) -> None:
    def files(name: str, test: str) -> str:
        return f"""
            import asyncio
            import pytest

            @pytest.fixture(scope="module")
            def loop():
                loop = asyncio.new_event_loop()
                loop.mine = {name!r}
                yield loop
                loop.close()

            {test}
            """

    test = """
            async def test_it(wide):
                assert wide == asyncio.get_running_loop().mine == "{}"
            """
    wide = """
            @pytest.fixture(scope="module")
            async def wide():
                return asyncio.get_running_loop().mine
            """
    suite = {
        "conftest.py": files("conftest", wide),
        "test_a.py": files("a", test.format("a")),
        "test_b.py": files("b", test.format("b")),
        "test_c.py": "import asyncio\n" + dedent(test.format("conftest")),
    }
    run(pytester, suite).assert_outcomes(passed=3)


def test_it_may_be_parametrized_with_ids(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        made = []

        @pytest.fixture(scope="module", params=["red", "blue"], ids=["one", "other"])
        def loop(request):
            made.append(f"open {request.param}")
            loop = asyncio.new_event_loop()
            loop.mine = request.param
            yield loop
            loop.close()
            made.append(f"closed {request.param}")

        @pytest.fixture(scope="module")
        async def wide():
            made.append(f"up {asyncio.get_running_loop().mine}")
            yield asyncio.get_running_loop()
            made.append(f"down {asyncio.get_running_loop().mine}")

        async def test_one(wide):
            assert wide is asyncio.get_running_loop()

        async def test_two(wide):
            assert wide is asyncio.get_running_loop()

        def test_last():
            assert made == ["open red", "up red", "down red", "closed red", "open blue", "up blue"]
        """,
        "-v",
    )
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["*test_one?one? PASSED*", "*test_two?one? PASSED*", "*test_one?other? PASSED*"])


@pytest.mark.parametrize("name", ["loop", "event_loop"])
def test_one_that_is_too_narrow_is_told_at_collection(pytester: pytest.Pytester, name: str) -> None:
    files = {
        "conftest.py": f"""
            import asyncio
            import pytest

            @pytest.fixture
            def {name}():
                loop = asyncio.new_event_loop()
                yield loop
                loop.close()
            """,
        "test_it.py": """
            import pytest

            @pytest.fixture(scope="module")
            async def rest():
                yield

            async def test_it(rest):
                pass
            """,
    }
    result = run(pytester, files)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    expected = f"""\
{name} has scope "function", but rest shares its loop and lives longer, on test_it.py.
  conftest.py:5: {name}
  test_it.py:4: rest (scope "module")
Give {name} scope="module", or narrow rest to scope="function".
"""
    assert expected in output(result).replace("ERROR: ", "")


def test_one_that_only_some_of_the_tests_can_see_is_told(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": """
            import pytest

            @pytest.fixture(scope="session")
            async def shared():
                yield
            """,
        "test_a.py": """
            import asyncio
            import pytest

            @pytest.fixture(scope="session")
            def loop():
                loop = asyncio.new_event_loop()
                yield loop
                loop.close()

            async def test_a(shared):
                pass
            """,
        "test_b.py": "async def test_b(shared):\n    pass\n",
    }
    result = run(pytester, files)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = output(result).replace("ERROR: ", "")
    assert "test_b is on that loop too and cannot see loop." in text
    for place in ("test_a.py:5: loop", "conftest.py:4: shared", "test_b.py:1: test_b"):
        assert place in text


@pytest.mark.parametrize("loop", ['return "a loop"', "return request.config", "return made_elsewhere()"])
def test_one_that_gives_no_loop_is_a_fixture_of_that_name(pytester: pytest.Pytester, loop: str) -> None:
    """The test runs on looprig's own loop, and requests for `loop` get the fixture's value."""
    run(
        pytester,
        f"""
        import asyncio
        import pytest

        def made_elsewhere():
            return "a loop"

        @pytest.fixture
        def loop(request):
            {loop}

        async def test_it():
            assert isinstance(asyncio.get_running_loop(), asyncio.AbstractEventLoop)

        async def test_asks(loop):
            await asyncio.sleep(0)
            assert loop != asyncio.get_running_loop()
        """,
    ).assert_outcomes(passed=2)


def test_one_that_gives_a_closed_loop_is_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        def loop():
            loop = asyncio.new_event_loop()
            loop.close()
            return loop

        async def test_it():
            pass
        """,
    )
    assert "passed" not in result.parseoutcomes()
    assert "Fixture loop should return an open event loop, but it returned a closed one." in output(result)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
@pytest.mark.parametrize("prefix", ["", "async "])
def test_looprigs_own_can_be_asked_for_at_every_scope(pytester: pytest.Pytester, scope: str, prefix: str) -> None:
    run(
        pytester,
        f"""
        import asyncio
        import pytest

        @pytest.fixture(scope="{scope}")
        {prefix}def asks(loop, event_loop):
            assert loop is event_loop
            return loop

        async def test_async(asks, loop):
            assert asks is loop is asyncio.get_running_loop()

        def test_sync(asks, event_loop):
            assert asks is event_loop
            assert event_loop.run_until_complete(asyncio.sleep(0, 1)) == 1

        def test_sync_alone(loop):
            assert loop.run_until_complete(asyncio.sleep(0, 1)) == 1
        """,
    ).assert_outcomes(passed=3)


def test_sync_tests_alone_may_ask_for_it(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import asyncio

        def test_sync(loop):
            assert loop.run_until_complete(asyncio.sleep(0, 1)) == 1
        """,
    ).assert_outcomes(passed=1)


def test_a_fixture_that_wraps_looprigs_own(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        def loop(loop):
            loop.set_debug(True)
            return loop

        async def test_it():
            pass

        async def test_asks(loop):
            assert loop is asyncio.get_running_loop()
            assert loop.get_debug()
        """,
    ).assert_outcomes(passed=2)


def test_debug_mode_holds_for_a_loop_of_the_suites_own(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        def loop():
            loop = asyncio.new_event_loop()
            yield loop
            loop.close()

        async def test_it(loop):
            assert asyncio.get_running_loop() is loop
            assert loop.get_debug()
        """,
        "--loop-debug",
    ).assert_outcomes(passed=1)
