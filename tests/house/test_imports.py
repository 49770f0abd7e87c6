"""Loading looprig is cheap: heavy modules are imported on first use."""

import functools
import json
import subprocess
import sys

import pytest

HEAVY = ("asyncio", "aiohttp", "aiomisc", "anyio", "hypothesis", "msgspec", "mypy", "pydantic", "uvloop")

PROGRAM = """
import importlib, json, sys
before, loaded = sys.argv[1:]
if before:
    importlib.import_module(before)
there = set(sys.modules)
importlib.import_module(loaded)
json.dump(sorted(set(sys.modules) - there), sys.stdout)
"""


@functools.cache
def loaded_by(module: str, *, after: str = "") -> frozenset[str]:
    """Return the modules that importing one loads in a new process."""
    command = (sys.executable, "-c", PROGRAM, after, module)
    loaded: list[str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return frozenset(loaded)


@pytest.mark.parametrize("module", HEAVY)
def test_the_plugin_loads_nothing_heavy(module: str) -> None:
    assert module not in loaded_by("looprig.pytest_plugin", after="pytest")


@pytest.mark.parametrize("module", [*HEAVY, "pytest", "_pytest"])
def test_the_public_face_loads_nothing_heavy(module: str) -> None:
    assert module not in loaded_by("looprig")


def test_the_public_face_loads_no_other_module() -> None:
    assert {name for name in loaded_by("looprig") if name.startswith("looprig")} == {"looprig"}


@pytest.mark.parametrize("module", ["looprig.kits", "looprig.net", "looprig.toxics", "looprig.toxics.udp"])
def test_a_package_of_names_loads_none_of_them(module: str) -> None:
    packages = {"looprig", "looprig.toxics", module} if module.startswith("looprig.toxics") else {"looprig", module}
    assert {name for name in loaded_by(module) if name.startswith("looprig")} == packages
