"""Random trees of fixtures: every test runs on the loop of everything it reaches, and meets no other test's task.

`benchmarks/trees.py` describes the trees. These seeds are a sample, run in parallel; `benchmarks/run_trees.py` runs
hundreds.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from benchmarks.trees import make_tree
from tests.plugin.suite import OPTIONS

SEEDS: Final = {"asyncio": range(7000, 7020), "uvloop": range(7020, 7026)}


def complaints(root: Path, seed: int, factory: str) -> str:
    """Return what the run of one tree printed, or nothing if every test passed."""
    for name, source in make_tree(seed).items():
        path = root / str(seed) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    command = [sys.executable, "-m", "pytest", *OPTIONS, "--tb=short", f"--loop-factory={factory}"]
    run = subprocess.run(command, cwd=root / str(seed), capture_output=True, text=True, timeout=100, check=False)
    return f"seed {seed}:\n{run.stdout[-4000:]}{run.stderr[-1000:]}" if run.returncode else ""


@pytest.mark.parametrize("factory", SEEDS)
def test_no_tree_has_a_failure(tmp_path: Path, factory: str) -> None:
    if find_spec(factory) is None:
        pytest.skip(f"needs {factory}")
    with ThreadPoolExecutor(4) as pool:
        told = pool.map(lambda seed: complaints(tmp_path, seed, factory), SEEDS[factory])  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
        assert "".join(told) == ""
