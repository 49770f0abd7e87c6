"""`--explain-loops`: what it shows at each verbosity, and what a node id changes."""

import pytest

from tests.plugin.suite import output, run, run_apart

SUITE = {
    "suite/conftest.py": """
        import pytest

        def pytest_addoption(parser):
            parser.addoption("--of-suite", action="store_true")

        @pytest.fixture(scope="session")
        async def db(): ...
        """,
    "suite/test_users.py": """
        import pytest

        @pytest.fixture(scope="module")
        async def rest(): ...

        async def test_lists(rest): ...
        async def test_stores(rest, db): ...

        class TestPages:
            @pytest.mark.parametrize("page", [1, 2, 3])
            async def test_page(self, rest, page): ...
        """,
    "suite/test_words.py": """
        async def test_own(): ...
        def test_sync(): ...
        """,
}
LINES = [
    "session loop: 5 tests in suite/test_users.py and 2 fixtures, because of db (suite/conftest.py:7)",
    "1 test has a loop of its own; 1 sync test has none",
]
HINT = "-v shows the tests of each loop and why they are on it; --explain-loops=NODEID explains one test"
CHAIN = "    test_lists -> session loop: rest <- suite/test_users.py:4; shared with test_stores, which uses"


def explained(result: pytest.RunResult) -> list[str]:
    """Return the lines between pytest's header and the results of the tests."""
    lines = result.outlines
    begin = next((number for number, line in enumerate(lines) if "collected" in line), -1)
    end = next(number for number, line in enumerate(lines) if number > begin and not line)
    return lines[begin + 1 : end]


def test_a_shared_loop_takes_one_line_and_a_quiet_run_gets_no_hint(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "--explain-loops")
    result.assert_outcomes(passed=7)
    assert explained(result) == [*LINES, HINT]
    assert explained(run(pytester, SUITE, "--explain-loops", "-q")) == LINES


@pytest.mark.parametrize(("verbose", "shown"), [("-v", "test_page[3 cases]"), ("-vv", "test_page[1], test_page[2], ")])
def test_verbose_shows_the_chain_of_each_test_and_more_so_its_cases(
    pytester: pytest.Pytester, verbose: str, shown: str
) -> None:
    text = output(run(pytester, SUITE, "--explain-loops", verbose))
    assert LINES[0] in text
    assert "    db (scope session) <- suite/conftest.py:7" in text
    assert "    test_lists, test_page[" in text
    assert shown in text
    assert "loops of their own: 1 test with no wider async fixture\n    test_own\n" in text
    assert "1 sync test has no loop" in text
    assert ("test_page[3 cases]" in text) is (verbose == "-v")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--explain-loops", "suite/test_words.py"),
        ("suite/test_words.py", "--explain-loops"),
        ("--explain-loops=", "suite/test_words.py"),
        ("--explain-loops", "--", "suite/test_words.py"),
        ("--explain-loops", "suite/test_words.py", "--of-suite"),
    ],
    ids=" ".join,
)
def test_a_path_after_the_option_is_not_its_value(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """The conftest beside the path is loaded in time to add an option."""
    result = run_apart(pytester, SUITE, *arguments)
    result.assert_outcomes(passed=2)
    assert explained(result)[0] == LINES[1]


@pytest.mark.parametrize(
    "nodeid", ["suite/test_users.py::test_lists", "./suite/../suite/test_users.py::test_lists"], ids=str
)
def test_a_node_id_explains_a_test_and_runs_all(pytester: pytest.Pytester, nodeid: str) -> None:
    result = run(pytester, SUITE, f"--explain-loops={nodeid}")
    result.assert_outcomes(passed=7)
    lines = explained(result)
    assert lines[0] == LINES[0]
    assert lines[1].startswith(CHAIN)
    assert lines[3:] == [
        "    rest (scope module) <- suite/test_users.py:4",
        "    db (scope session) <- suite/conftest.py:7",
        "    other tests: test_stores, test_page[3 cases]",
    ]


@pytest.mark.parametrize(
    ("nodeid", "lines"),
    [
        ("suite/test_users.py::TestPages", ["    test_page[3 cases] -> session loop: rest <-"]),
        ("suite/test_users.py::TestPages::test_page[2]", ["    test_page -> session loop: rest <-"]),
        ("suite/test_words.py::test_own", ["test_own -> a loop of its own: "]),
        ("suite/test_words.py", ["test_own -> a loop of its own: ", "test_sync -> no loop: "]),
        ("suite/", ["    test_lists, test_page[3 cases] -> session loop: rest", "test_own -> ", "test_sync -> "]),
        (".", ["    test_stores -> session loop: db <- ", "test_sync -> "]),
    ],
)
def test_a_node_id_may_be_that_of_a_case_a_class_a_file_or_a_folder(
    pytester: pytest.Pytester, nodeid: str, lines: list[str]
) -> None:
    shown = output(run(pytester, SUITE, f"--explain-loops={nodeid}", "-q")).splitlines()
    assert [line for line in lines if not any(each.startswith(line) for each in shown)] == []


def test_a_deselected_test_is_explained(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "--explain-loops=suite/test_words.py::test_own", "-k", "sync")
    result.assert_outcomes(passed=1, deselected=6)
    assert explained(result) == ["test_own -> a loop of its own: it uses no async fixture of a wider scope"]


def test_a_path_is_relative_to_the_working_directory_as_for_pytest(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(pytester, {**SUITE, "pytest.ini": "[pytest]"}, "--collect-only")
    monkeypatch.chdir(pytester.path / "suite")
    result = run(pytester, {}, "--explain-loops=test_words.py::test_sync")
    assert explained(result) == ["test_sync -> no loop: it is sync, and so is all that it uses"]


@pytest.mark.parametrize(
    ("nodeid", "near"),
    [
        ("test_lists", ["suite/test_users.py::test_lists"]),
        ("suite/test_users.py::test_list", ["suite/test_users.py::test_lists"]),
        ("suite/test_user.py", ["suite/test_users.py"]),
        ("suite/test_words.py::test_lists", ["suite/test_users.py::test_lists"]),
        ("suite/test_users.py::TestPages::test_page[4]", ["suite/test_users.py::TestPages::test_page[3]"]),
    ],
)
def test_an_unknown_node_id_is_a_usage_error_that_suggests_others(
    pytester: pytest.Pytester, nodeid: str, near: list[str]
) -> None:
    result = run(pytester, SUITE, f"--explain-loops={nodeid}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = result.errlines
    assert lines[0] == (
        f"ERROR: --explain-loops={nodeid}: no test with this id was collected. Did you mean one of these?"
    )
    assert lines[1 : 1 + len(near)] == [f"  {each}" for each in near]


def test_a_node_id_like_no_other_gets_the_way_to_all_ids(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "--explain-loops=nonsense")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0].endswith("was collected. `pytest --collect-only -q` shows the ids.")


@pytest.mark.parametrize("distribution", ["load", "loadgroup"])
def test_the_controller_of_workers_explains_once(pytester: pytest.Pytester, distribution: str) -> None:
    workers = ("-p", "xdist", "-n", "2", "--dist", distribution)
    result = run_apart(pytester, SUITE, "--explain-loops", "suite", *workers)
    result.assert_outcomes(passed=7)
    assert [line for line in result.outlines if line in {*LINES, HINT}] == [*LINES, HINT]
    result = run_apart(pytester, SUITE, "--explain-loops=suite/test_words.py::test_own", *workers)
    result.assert_outcomes(passed=7)
    assert len([line for line in result.outlines if line.startswith("test_own -> a loop of its own")]) == 1


def test_an_unknown_node_id_fails_a_run_on_workers(pytester: pytest.Pytester) -> None:
    """Workers collect only after the run has begun, so the tests have run when the controller knows."""
    result = run_apart(pytester, SUITE, "--explain-loops=test_lists", "-p", "xdist", "-n", "2")
    result.assert_outcomes(passed=7)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        [
            "ERROR: --explain-loops=test_lists: no test with this id was collected. Did you mean one of these?",
            "  suite/test_users.py::test_lists",
        ]
    )
