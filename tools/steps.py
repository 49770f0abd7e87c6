"""The steps of `tools/dev.py`, each with its environment. To add a check, add a line."""

import os
from collections.abc import Sequence
from typing import Final

from tools.examples import EXAMPLES
from tools.pythons import PYTHONS, Python
from tools.workshop import CHECK, Environment, Step

__all__ = ["FAST_SUITE", "STATIC_STEPS", "wheel_suite"]

# The folders left out declare services for a `rig` to run with values of its own, which no fixture answers.
OWN_FIXTURES: Final = "pytest -q --check-fixtures=mypy --check-overrides" + "".join(
    f" --ignore=tests/{folder}" for folder in ("declare", "peers", "services", "typing")
)
SCHEMAS: Final = {
    "github-workflows": ".github/workflows/ci.yml .github/workflows/release.yml",
    "dependabot": ".github/dependabot.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml",
}
"""The schemas of files for GitHub. They come with check-jsonschema, which downloads nothing."""
STATIC_STEPS: Final = (
    Step("ruff check", CHECK, "ruff check"),
    Step("ruff format", CHECK, "ruff format --check"),
    Step("layers", CHECK, "lint-imports --no-logo --no-cache"),
    Step("changelog", CHECK, "python tools/changelog.py check"),
    *(
        Step(f"files for GitHub: {schema}", CHECK, f"check-jsonschema --builtin-schema vendor.{schema} {files}")
        for schema, files in SCHEMAS.items()
    ),
    Step("files for GitHub: zizmor", CHECK, "zizmor --offline --no-progress --quiet --pedantic .github"),
    Step("mypy", CHECK, "mypy"),
    # Each separately, because its imports start at its own folder.
    *(Step(f"mypy: {name}", CHECK, f"mypy examples/{name}", (("MYPYPATH", f"examples/{name}"),)) for name in EXAMPLES),
    Step("mypy: benchmarks", CHECK, "mypy benchmarks", (("MYPYPATH", "benchmarks"),)),
    Step("pyright", CHECK, "pyright"),
    Step("pyright: public types", CHECK, "pyright --verifytypes looprig --ignoreexternal"),
    Step("stubtest", CHECK, "stubtest looprig --concise --allowlist tests/typing/stubtest.allow"),
    Step("looprig: its own fixtures", CHECK, OWN_FIXTURES),
)
# One worker more than processors, since many tests wait. Tests of one file share what is expensive to create.
SPREAD: Final = f"-n {min(os.cpu_count() or 1, 4) + 1} --dist=loadfile --max-worker-restart=0"
SUITE: Final = f"pytest {SPREAD} --ignore=tests/peers --ignore=tests/stubs --ignore=tests/site"
FAST_SUITE: Final = (
    *(Step(f"suite: {name}", CHECK, f"pytest -q examples/{name}") for name in EXAMPLES),
    Step("suite", CHECK, SUITE, closes=True),
)


# What depends most on the Python version: its tasks, contexts, signals and frames. These run on the Pythons in between.
_OF_PLUGIN = "around_yield closed_loops contexts ends left_over_tasks loop_factories"
PARTS: Final = ("runtime", *(f"plugin/test_{name}.py" for name in _OF_PLUGIN.split()))
PART: Final = f"pytest {SPREAD} {' '.join(f'tests/{part}' for part in PARTS)}"
# What hardly depends on the Python version, since it starts other programs or transforms text, runs on the newest.
_FOLDERS_OF_NEWEST = "check compat docs golden kits migrate plan platforms services_in_pytest smoke trees typing"
OF_NEWEST: Final = tuple(_FOLDERS_OF_NEWEST.split())
MOST: Final = SUITE + "".join(f" --ignore=tests/{folder}" for folder in OF_NEWEST)
# The peers are for the pytest runs that the tests start, not for the one that runs the tests.
NO_PEERS: Final = "-p no:asyncio -p no:anyio -p no:aiohttp -p no:aiomisc"
MEASURED: Final = "coverage run -m "
WHEEL: Final = (("LOOPRIG_TESTED", "wheel"),)


def wheel_suite(pythons: Sequence[Python]) -> tuple[Step, ...]:
    """Return the steps that run the suite against the built wheel on each of these Pythons.

    The newest runs all of it, the oldest most of it, those in between a part. The newest comes last, with coverage,
    which costs little there: from 3.14 on, it counts branches without a trace function.
    """
    oldest, *others = sorted(pythons, key=lambda python: python.age)
    newest = others.pop() if others else oldest
    main = _environment("wheel", newest, "test", "checkers", "example", "drivers")
    return (
        *(_most(oldest) if oldest is not newest else ()),
        *(step for other in others for step in _part(other)),
        *(Step(f"suite: {name}", main, f"pytest -q examples/{name}", WHEEL) for name in EXAMPLES),
        Step("coverage: erase", main, "coverage erase"),
        _peers(newest),
        _stubs(newest),
        Step(f"suite: {main.name}", main, f"{MEASURED}{SUITE}", WHEEL, closes=True),
        Step("coverage: combine", main, "coverage combine --quiet"),
        Step("coverage: gate", main, "coverage report"),
    )


def _most(python: Python) -> tuple[Step, ...]:
    environment = _environment("wheel", python, "test", "checkers", "example", "drivers")
    return (Step(f"suite: {environment.name}", environment, f"{MOST} -q", WHEEL),)


def _part(python: Python) -> tuple[Step, ...]:
    environment = _environment("wheel", python, "test")
    return (Step(f"suite: {environment.name} (a part)", environment, f"{PART} -q", WHEEL),)


def _peers(python: Python) -> Step:
    """Return the step for the tests with the peers installed, which load in every pytest run there."""
    environment = _environment("peers", python, "test", "peers")
    command = f"{MEASURED}pytest -q {SPREAD} {NO_PEERS} tests/peers"
    return Step(f"suite: {environment.name}", environment, command, WHEEL)


def _stubs(python: Python) -> Step:
    """Return the step for the tests with the plugins installed that `stubs/` describes."""
    environment = _environment("stubs", python, "test", "checkers", "stubs")
    return Step(f"suite: {environment.name}", environment, f"{MEASURED}pytest -q tests/stubs", WHEEL)


def _environment(name: str, python: Python, *groups: str) -> Environment:
    # Some packages may not support the newest Python yet.
    lenient = python.version == PYTHONS[-1]
    return Environment(f"{name}-{python.version}", groups, python=python.path, lenient=lenient)
