"""The commands of `tools/dev.py`."""

import argparse
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.distributions import check_distributions, try_on
from tools.examples import EXAMPLES, run_example
from tools.pythons import find_pythons, missing_pythons
from tools.servers import EVERYTHING, VENV, bring
from tools.site import BUILD_STEPS, SITE_STEPS, serve
from tools.steps import FAST_SUITE, STATIC_STEPS, wheel_suite
from tools.workshop import ROOT, Environment, Outcome, Workshop, dependency_groups, say

__all__ = ["main"]


def pin(home: Path) -> int:
    """Rewrite constraints.txt with the newest versions that fit together, and return the exit status."""
    shutil.rmtree(home / "pins", ignore_errors=True)
    workshop = Workshop(home, versions=("--upgrade",))
    if not workshop.prepare(Environment("pins", tuple(dependency_groups()), source="folder")):
        return workshop.conclude()
    pip = (str(workshop.pip), "-m", "pip")
    freeze = ("freeze", "--exclude-editable", "--all", "--exclude", "setuptools")  # which old venvs put beside pip
    own = subprocess.run((*pip, *freeze), capture_output=True, text=True, check=True).stdout
    others = (*pip, "--python", str(workshop.python("pins")), *freeze)
    frozen = own + subprocess.run(others, capture_output=True, text=True, check=True).stdout
    pins = sorted({line for line in frozen.splitlines() if re.fullmatch(r"[\w.-]+==\S+", line)}, key=str.lower)
    head = "# The versions that looprig is built and tested with; `python3 tools/dev.py pin` rewrites this file."
    (ROOT / "constraints.txt").write_text("\n".join((head, *pins)) + "\n", "utf-8")
    return workshop.conclude()


def report_missing(workshop: Workshop, *, fails: bool) -> None:
    """Report the Pythons that are missing; with `fails`, each counts as a failed step."""
    for version in missing_pythons():
        say(f"Python {version} isn't installed, so nothing runs on it (`tools/bring-python {version}` may install it)")
        if fails:
            workshop.outcomes.append(Outcome(f"Python {version} (not installed)", passed=False))


def show_docs(workshop: Workshop, port: int | None) -> int:
    """Build the docs site, serve it unless `port` is None, and return the exit status."""
    if not bring((VENV,)) or not all(workshop.run(step) for step in BUILD_STEPS):
        return 1
    if port is not None:
        serve(port)
    return 0


def test_all(workshop: Workshop, only: str, *, fast: bool, every_python: bool) -> None:
    """Run the steps with `only` in their name: the checks, then the suite and, unless `fast`, the distributions."""
    if not fast:
        report_missing(workshop, fails=every_python)
    pythons = sorted(find_pythons(), key=lambda python: python.age)
    for step in (*STATIC_STEPS, *SITE_STEPS, *(FAST_SUITE if fast else wheel_suite(pythons))):
        if only in step.name:
            workshop.run(step)
    if not fast:
        check_distributions(workshop, only=only)
        # Without extras: with all of them, the suite has run against the wheel.
        try_on(workshop, pythons[-1:], ("sdist",), suites=("bare",), only=only)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/dev.py", description="Run the example, pass the tests.")
    parser.add_argument("--venvs", type=Path, default=ROOT / ".venvs", help="the folder of the environments")
    commands = parser.add_subparsers(dest="command", required=True)
    example = commands.add_parser("example", help="run an example's suite, and show its loops and what it tests")
    example.add_argument("name", nargs="?", default="notes", choices=EXAMPLES, help="which one (notes)")
    docs = commands.add_parser("docs", help="build the docs site and serve it on this machine")
    docs.add_argument("--build-only", action="store_true", help="don't serve it")
    docs.add_argument("--port", type=int, default=0, help="the port to serve it on (a free one)")
    commands.add_parser("missing", help="print the Python versions that the suite supports but that aren't installed")
    commands.add_parser("bring", help="install PostgreSQL, Redis and Chromium with apt-get, unless they are there")
    commands.add_parser("pin", help="rewrite constraints.txt with the newest versions")
    commands.add_parser("dist", help="build and check the distributions, and try both of them on every Python")
    commands.add_parser("smoke", help="build the wheel, and try it on this Python, on any platform")
    test = commands.add_parser("test", help="run everything that CI runs")
    test.add_argument("--fast", action="store_true", help="one Python, the sources instead of the wheel")
    test.add_argument("--only", metavar="NAME", default="", help="only the steps with this in their name")
    test.add_argument("--every-python", action="store_true", help="fail if one of the Pythons is missing")
    options = parser.parse_args(arguments)

    workshop = Workshop(options.venvs.resolve(), brief=options.command == "example")
    if options.command == "example":
        return 0 if run_example(EXAMPLES[options.name], workshop) else 1
    if options.command == "docs":
        return show_docs(workshop, None if options.build_only else options.port)
    if options.command == "bring":
        return 0 if bring(EVERYTHING) else 1
    if options.command == "missing":
        print(*missing_pythons(), sep="\n")
        return 0
    if options.command == "pin":
        return pin(workshop.home)
    if options.command == "smoke":
        try_on(workshop, find_pythons()[:1], ("wheel",))
    elif options.command == "dist":
        report_missing(workshop, fails=False)
        check_distributions(workshop)
        try_on(workshop, find_pythons(), ("wheel", "sdist"))
    else:
        test_all(workshop, options.only, fast=options.fast, every_python=options.every_python)
    return workshop.conclude()
