"""Skips, expected failures, exits and broken fixtures work as in sync suites."""

import pytest

from tests.plugin.suite import output, run, run_apart


def test_skip_and_xfail_in_tests_and_fixtures(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        async def skipping():
            await asyncio.sleep(0)
            pytest.skip("by a fixture")

        @pytest.fixture
        async def skipping_yield():
            pytest.skip("by a generator")
            yield

        @pytest.fixture
        async def expected():
            pytest.xfail("expected of a fixture")

        async def test_skips():
            await asyncio.sleep(0)
            pytest.skip("by a test")

        async def test_expects():
            pytest.xfail("expected of a test")

        async def test_1(skipping): pass
        async def test_2(skipping_yield): pass
        async def test_3(expected): pass

        @pytest.mark.xfail(raises=LookupError, strict=True)
        async def test_marked():
            raise LookupError

        @pytest.mark.skip
        async def test_never():
            raise LookupError

        async def test_fails():
            pytest.fail("by a test")

        async def test_imports():
            pytest.importorskip("no_such_module")
        """,
    )
    result.assert_outcomes(skipped=5, xfailed=3, failed=1)


def test_a_wide_fixture_that_skips_skips_each_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import pytest

        @pytest.fixture(scope="module")
        async def skipping():
            pytest.skip("by a fixture")
            yield

        async def test_1(skipping): pass
        async def test_2(skipping): pass
        def test_3(skipping): pass
        """,
    ).assert_outcomes(skipped=3)


@pytest.mark.parametrize("where", ["test", "set-up", "teardown"])
@pytest.mark.parametrize(
    ("statement", "status"),
    [("pytest.exit('enough', 7)", 7), ("raise KeyboardInterrupt", 2)],
)
def test_an_exit_ends_the_run_and_runs_teardown(
    pytester: pytest.Pytester, where: str, statement: str, status: int
) -> None:
    result = run_apart(
        pytester,
        f"""
        import pytest

        @pytest.fixture(scope="session")
        async def wide():
            yield
            print("down wide")

        @pytest.fixture
        async def narrow(wide):
            if {where!r} == "set-up":
                {statement}
            yield
            if {where!r} == "teardown":
                {statement}

        async def test_it(narrow):
            if {where!r} == "test":
                {statement}

        async def test_never(wide):
            print("never")
        """,
        "-s",
    )
    assert result.ret == status
    text = output(result)
    assert "never" not in text
    assert "down wide" in text
    assert "was never retrieved" not in text


@pytest.mark.parametrize("where", ["test", "fixture"])
def test_system_exit_fails_the_test(pytester: pytest.Pytester, where: str) -> None:
    run(
        pytester,
        f"""
        import pytest

        @pytest.fixture
        async def maybe():
            if {where!r} == "fixture":
                raise SystemExit(3)
            yield

        async def test_it(maybe):
            raise SystemExit(3)

        async def test_after():
            pass
        """,
    ).assert_outcomes(passed=1, **({"failed": 1} if where == "test" else {"errors": 1}))


def test_async_fixtures_that_yield_twice_or_never(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture
        async def never():
            if False:
                yield

        @pytest.fixture
        async def twice():
            yield
            yield

        async def test_never(never): pass
        async def test_twice(twice): pass
        """,
    )
    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(
        ["*FixtureError: Fixture never ended without a yield.", "*test_it.py:4: never", "*Yield a value on every way*"]
    )
    result.stdout.fnmatch_lines(
        ["*FixtureError: Fixture twice yielded twice.", "*test_it.py:9: twice", "*A fixture yields once;*"]
    )


def test_sync_fixtures_that_yield_twice_or_never_get_pytests_own_words(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture
        def never():
            if False:
                yield

        @pytest.fixture
        def twice():
            yield
            yield

        async def test_never(never): pass
        async def test_twice(twice): pass
        """,
    )
    result.assert_outcomes(errors=2, passed=1)
    text = output(result)
    assert "ValueError: never did not yield a value" in text
    assert "fixture function has more than one 'yield'" in text
    assert "def twice():" in text


def test_a_missing_fixture_shows_the_source_of_who_asked(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture
        async def asker(request):
            yield  # my own source

        @pytest.fixture
        def sync_asker(request):
            request.getfixturevalue("missing")

        async def test_it(asker): pass
        async def test_sync(sync_asker): pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    text = output(result)
    assert text.count("fixture 'missing' not found") == 1
    assert "def sync_asker(request):" in text
    assert "looprig/pytest_plugin" not in text


def test_a_test_that_returns_something_is_warned_of(pytester: pytest.Pytester) -> None:
    result = run(pytester, "async def test_it(): return 1", "-Wdefault")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*PytestReturnNotNoneWarning*test_it*"])


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        (
            "async def test_it():\n    yield\n",
            "test_it is an async generator: pytest would never run it.\n"
            "  test_it.py:1: test_it\n"
            "Remove the yield from the test. Code that runs after a test belongs in a fixture.",
        ),
        (
            "class TestIt:\n    async def setup_method(self):\n        pass\n    def test_it(self):\n        pass\n",
            "TestIt.setup_method is async: pytest calls it and never awaits it.\n"
            "  test_it.py:2: TestIt.setup_method\n"
            'Make it a fixture: @pytest.fixture(scope="function", autouse=True), with a yield between set-up and '
            "teardown.",
        ),
        (
            "async def teardown_module():\n    pass\ndef test_it():\n    pass\n",
            "teardown_module is async: pytest calls it and never awaits it.\n"
            "  test_it.py:1: teardown_module\n"
            'Make it a fixture: @pytest.fixture(scope="module", autouse=True), with a yield between set-up and '
            "teardown.",
        ),
        (
            "class TestIt:\n    @classmethod\n    async def setup_class(cls):\n        pass\n"
            "    def test_it(self):\n        pass\n",
            "TestIt.setup_class is async: pytest calls it and never awaits it.\n"
            "  test_it.py:2: TestIt.setup_class\n"
            'Make it a fixture: @pytest.fixture(scope="class", autouse=True), with a yield between set-up and '
            "teardown.",
        ),
    ],
)
def test_what_pytest_would_never_await_is_told_at_collection(pytester: pytest.Pytester, suite: str, told: str) -> None:
    result = run(pytester, suite)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert told in output(result).replace("ERROR: ", "")
