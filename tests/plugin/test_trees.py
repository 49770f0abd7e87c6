"""Random trees of fixtures: every test is on the loop of all it reaches, and meets no other test's task.

One run in CI is a sample; `benchmarks/run_trees.py` runs hundreds.
"""

from importlib.util import find_spec

import pytest

from benchmarks.trees import make_tree
from tests.plugin.suite import run_apart

SEEDS = range(9000, 9006)


@pytest.mark.parametrize("factory", ["asyncio", "uvloop"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_tree_has_no_failure(pytester: pytest.Pytester, seed: int, factory: str) -> None:
    if find_spec(factory) is None:
        pytest.skip(f"{factory} is not installed")
    result = run_apart(pytester, make_tree(seed, "looprig"), f"--loop-factory={factory}")
    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed") > 5
    assert outcomes == {}
