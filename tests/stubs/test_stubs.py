"""Each stub matches the plugin that it describes. Runs where those plugins are installed: `suite: stubs`."""

import ast
import json
from pathlib import Path

import pytest

from looprig.check.stubs import own_stubs
from tests.check.test_running import put

STUBS = sorted(path.relative_to(own_stubs()).with_suffix("") for path in own_stubs().rglob("*.pyi"))
MODULES = [".".join(path.parts) for path in STUBS]
DUMP = """
import json
from looprig.pytest_plugin._compat import all_definitions

def pytest_collection_finish(session):
    facts = [[each.func.__module__, each.argname, each.scope] for each in all_definitions(session)]
    open("fixtures.json", "w").write(json.dumps(facts))
"""
APP = """import flask, pytest
from flask.testing import FlaskClient
@pytest.fixture
def app() -> flask.Flask: ..."""
USES = {
    "respx.plugin": ("respx_mock", "respx.MockRouter", "import respx"),
    "pytest_benchmark.plugin": ("benchmark", "fixture.BenchmarkFixture", "from pytest_benchmark import fixture"),
    "pytest_cov.plugin": ("cov", "coverage.Coverage | None", "import coverage"),
    "anyio.pytest_plugin": ("anyio_backend", "str", "import anyio"),
    "celery.contrib.pytest": ("celery_app", "Celery", "from celery import Celery"),
    "faker.contrib.pytest.plugin": ("faker", "Faker", "from faker import Faker"),
    "pyfakefs.pytest_plugin": ("fs", "FakeFilesystem", "from pyfakefs.fake_filesystem import FakeFilesystem"),
    "pytest_aioresponses": ("aioresponses", "aio.aioresponses", "import aioresponses as aio"),
    "pytest_flask.fixtures": ("client", "FlaskClient", APP),
    "pytest_localserver.plugin": ("httpserver", "ContentServer", "from pytest_localserver.http import ContentServer"),
    "requests_mock.contrib._pytest_plugin": ("requests_mock", "mock.Mocker", "import requests_mock as mock"),
    "pytest_freezer": ("freezer", "FrozenDateTimeFactory", "from freezegun.api import FrozenDateTimeFactory"),
}
# Where the plugin's module is not the one that defines the fixtures.
PLUGINS = {"pytest_flask.fixtures": "pytest_flask.plugin"}
# Packages that mypy does not read, since they have no `py.typed`.
UNTYPED = {"celery.contrib.pytest", "pytest_localserver.plugin"}


def plugins() -> list[str]:
    modules = [PLUGINS.get(module, module) for module in MODULES]
    named = [option for module in ("looprig.pytest_plugin", "no:cacheprovider", *modules) for option in ("-p", module)]
    return ["--disable-plugin-autoload", *named]


def declared(module: str) -> set[tuple[str, str]]:
    tree = ast.parse(own_stubs().joinpath(*module.split(".")).with_suffix(".pyi").read_text("utf-8"))
    found: set[tuple[str, str]] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            keywords = [word for each in node.decorator_list if isinstance(each, ast.Call) for word in each.keywords]
            scopes = [ast.literal_eval(word.value) for word in keywords if word.arg == "scope"]
            found.add((node.name, scopes[0] if scopes else "function"))
    return found


def test_there_are_stubs_with_a_use_for_each() -> None:
    assert sorted(USES) == sorted(MODULES)


# One run with all of the plugins: to start one for each takes minutes.
def test_a_stub_has_the_fixtures_of_its_plugin_with_their_scopes(pytester: pytest.Pytester) -> None:
    put(pytester.path, {"conftest.py": DUMP, "test_it.py": "def test_it(): ...\n"})
    pytester.runpytest_subprocess(*plugins(), "--collect-only")
    facts = json.loads((pytester.path / "fixtures.json").read_text("utf-8"))
    live = {module: {(name, scope) for where, name, scope in facts if where == module} for module in MODULES}
    assert live == {module: declared(module) for module in MODULES}


@pytest.mark.parametrize("checker", ["mypy", "pyright", "ty", "pyrefly"])
def test_its_types_are_known_to_each_checker(pytester: pytest.Pytester, checker: str) -> None:
    suites: dict[str, str] = {}
    expected: dict[str, list[tuple[str, int]]] = {}
    for index, (module, (fixture, right, imports)) in enumerate(USES.items()):
        path = f"test_{index}_{module.replace('.', '_')}.py"
        suites[path] = (
            f"{imports}\ndef test_right({fixture}: {right}) -> None: ...\ndef test_wrong({fixture}: int) -> None: ...\n"
        )
        last = suites[path].count("\n")
        unread = checker == "mypy" and module in UNTYPED
        # If the checker can't read a class, only the same class on both sides is right.
        expected[path] = [("fixture-unchecked" if unread else "fixture-type", last)]
    put(pytester.path, suites)
    result = pytester.runpytest_subprocess(*plugins(), f"--check-fixtures={checker}", "--check-format=json")
    found: dict[str, list[tuple[str, int]]] = {path: [] for path in suites}
    for each in json.loads(result.stdout.str()):
        found[each["path"]].append((each["code"], each["line"]))
    assert found == expected


def test_the_stubs_are_found_where_looprig_is_installed() -> None:
    assert own_stubs().is_dir()
    assert Path("README.md") not in {path for path in STUBS if path.suffix}
