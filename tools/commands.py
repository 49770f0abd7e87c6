"""The commands of `tools/dev.py`."""

import argparse
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.pythons import find_pythons, missing_pythons
from tools.steps import EXAMPLE_STEP, FAST_SUITE, STATIC_STEPS, wheel_suite
from tools.workshop import ROOT, Environment, Outcome, Workshop, dependency_groups, say

__all__ = ["main"]


def pin(home: Path) -> int:
    """Write constraints.txt anew: the newest versions that go together; 0 if that worked."""
    shutil.rmtree(home / "pins", ignore_errors=True)
    workshop = Workshop(home, versions=("--upgrade",))
    if not workshop.prepare(Environment("pins", tuple(dependency_groups()), wheel=False)):
        return workshop.conclude()
    pip = (str(workshop.pip), "-m", "pip")
    freeze = ("freeze", "--exclude-editable", "--all", "--exclude", "setuptools")  # which old venvs put beside pip
    own = subprocess.run((*pip, *freeze), capture_output=True, text=True, check=True).stdout
    others = (*pip, "--python", f"{workshop.scripts('pins')}/python", *freeze)
    frozen = own + subprocess.run(others, capture_output=True, text=True, check=True).stdout
    pins = sorted({line for line in frozen.splitlines() if re.fullmatch(r"[\w.-]+==\S+", line)}, key=str.lower)
    head = "# The versions that looprig is built and tested with; `python3 tools/dev.py pin` writes this anew."
    (ROOT / "constraints.txt").write_text("\n".join((head, *pins)) + "\n", "utf-8")
    return workshop.conclude()


def tell_missing(workshop: Workshop, *, fails: bool) -> None:
    """Say which Pythons are not here; with `fails` each of them is a step that failed."""
    for version in missing_pythons():
        say(f"Python {version} is not here: nothing is run on it (`tools/bring-python {version}` may bring it)")
        if fails:
            workshop.outcomes.append(Outcome(f"Python {version} (not here)", passed=False))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/dev.py", description="Run the example, pass the tests.")
    parser.add_argument("--venvs", type=Path, default=ROOT / ".venvs", help="where the environments stand")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("example", help="run the example's suite and show its loop plan")
    commands.add_parser("missing", help="print the versions of Python that the suite is for and that are not here")
    commands.add_parser("pin", help="write constraints.txt anew, with the newest versions")
    test = commands.add_parser("test", help="all that CI does")
    test.add_argument("--fast", action="store_true", help="one Python, the sources instead of the wheel")
    test.add_argument("--only", metavar="NAME", default="", help="only the steps with this in their name")
    test.add_argument("--every-python", action="store_true", help="fail if one of the Pythons is not here")
    options = parser.parse_args(arguments)

    workshop = Workshop(options.venvs.resolve())
    if options.command == "example":
        return 0 if workshop.run(EXAMPLE_STEP) else 1
    if options.command == "missing":
        print(*missing_pythons(), sep="\n")
        return 0
    if options.command == "pin":
        return pin(workshop.home)
    if not options.fast:
        tell_missing(workshop, fails=options.every_python)
    suite = FAST_SUITE if options.fast else wheel_suite(find_pythons())
    for step in (*STATIC_STEPS, *suite):
        if options.only in step.name:
            workshop.run(step)
    return workshop.conclude()
