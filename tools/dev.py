"""One command each for what a person, and CI, does with this repository: run the example, pass the tests.

Needs Python 3.11 and its standard library, nothing installed: the virtual environments it makes for itself
stand in `.venvs/`, with the versions that `constraints.txt` pins. It is no task runner: what is to be run
is a tuple of `Step`, at the top, and a new check is a new line there.

Invariants: every step runs, whatever became of the ones before it. The last line printed by `test` is the
closing line of pytest's main run. The exit status is 0 only when each step passed.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Final, final

ROOT: Final = Path(__file__).resolve().parent.parent
OLDEST: Final = (3, 11)
PYTHONS: Final = ("3.11", "3.12", "3.13")
STEP_LIMIT: Final = 600.0  # seconds: a hung suite is to end as a failed step, not as CI's time-out
GRACE: Final = 15.0  # seconds that a command has to end by itself once it is stopped


@final
@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment: looprig with all its extras, and dependency groups of pyproject.toml."""

    name: str
    groups: tuple[str, ...]
    _: KW_ONLY
    python: str = sys.executable
    wheel: bool = True  # else the source folder, as an editable install


@final
@dataclass(frozen=True, slots=True)
class Step:
    """A command that must exit with 0; its first word is one of the environment's scripts."""

    name: str
    environment: Environment
    command: str
    variables: tuple[tuple[str, str], ...] = ()
    _: KW_ONLY
    closes: bool = False  # its closing line is to be the last line of all


EXAMPLE: Final = Environment("example", ("build", "example"), wheel=False)
CHECK: Final = Environment("check", ("build", "lint", "typing", "checkers", "test", "example"), wheel=False)
PEERS: Final = Environment("peers", ("test", "peers"))
STUBS: Final = Environment("stubs", ("test", "checkers", "stubs"))

STATIC_STEPS: Final = (
    Step("ruff check", CHECK, "ruff check"),
    Step("ruff format", CHECK, "ruff format --check"),
    Step("layers", CHECK, "lint-imports --no-logo --no-cache"),
    Step("changelog", CHECK, "python tools/changelog.py check"),
    Step("mypy", CHECK, "mypy"),
    # Each by itself, since its folder is where its own imports begin.
    Step("mypy: example", CHECK, "mypy examples/notes", (("MYPYPATH", "examples/notes"),)),
    Step("mypy: benchmarks", CHECK, "mypy benchmarks", (("MYPYPATH", "benchmarks"),)),
    Step("pyright", CHECK, "pyright"),
    Step("pyright: public types", CHECK, "pyright --verifytypes looprig --ignoreexternal"),
    Step("stubtest", CHECK, "stubtest looprig --concise --allowlist tests/typing/stubtest.allow"),
    Step("looprig: its own fixtures", CHECK, "pytest -q --check-fixtures=mypy --check-overrides --ignore=tests/peers"),
)
EXAMPLE_STEP: Final = Step("example: notes", EXAMPLE, "pytest examples/notes --explain-loops")
SUITE: Final = "pytest --ignore=tests/peers --ignore=tests/stubs"
FAST_SUITE: Final = (
    Step("suite: example", CHECK, "pytest -q examples/notes"),
    Step("suite", CHECK, SUITE, closes=True),
)


def wheel_suite(pythons: Sequence[tuple[str, str]]) -> tuple[Step, ...]:
    """The suite against the built wheel on each Python: the main one, which is measured too, comes last."""
    main, *others = (
        Environment(f"wheel-{version}", ("test", "checkers", "example"), python=path) for version, path in pythons
    )
    wheel = (("LOOPRIG_TESTED", "wheel"),)
    # The peers are for the pytest that the tests start, not for the one that runs the tests.
    no_peers = "-p no:asyncio -p no:anyio -p no:aiohttp -p no:aiomisc"
    return (
        *(Step(f"suite: {other.name}", other, f"{SUITE} -q", wheel) for other in others),
        Step("suite: example", main, "pytest -q examples/notes", wheel),
        Step("coverage: from nothing", main, "coverage erase"),
        Step("suite: peers", PEERS, f"coverage run -m pytest -q {no_peers} tests/peers", wheel),
        Step("suite: stubs", STUBS, "coverage run -m pytest -q tests/stubs", wheel),
        Step(f"suite: {main.name}", main, f"coverage run -m {SUITE}", wheel, closes=True),
        Step("coverage: combine", main, "coverage combine --quiet"),
        Step("coverage: gate", main, "coverage report"),
    )


# What a shell may hold that changes what is installed, imported or measured. Not here, and so in force:
# where pip finds packages and which certificates it trusts.
UNWANTED: Final = re.compile(
    r"PYTHON(PATH|HOME|DONTWRITEBYTECODE|WARNINGS|STARTUP|OPTIMIZE|ASYNCIODEBUG|DEVMODE|SAFEPATH)"
    r"|PIP_(USER|TARGET|PREFIX|ROOT|NO_DEPS|DRY_RUN|CONSTRAINT|REQUIRE_\w+|EDITABLE|REQUIREMENT|PYTHON)"
    r"|(PYTEST|COVERAGE|COV|MYPY|RUFF|PYRIGHT_PYTHON)_\w+|MYPYPATH|VIRTUAL_ENV|FORCE_COLOR|PY_COLORS"
)
CLOSING_LINE: Final = re.compile(r"=+ .*\bin [\d.]+s.* =+")


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command, and how many seconds it took."""

    name: str
    passed: bool
    seconds: float = 0.0
    closing_line: str = ""


@final
@dataclass
class Workshop:
    """The environments in one folder, made ready when a step first needs them, and what came of each step."""

    home: Path
    versions: tuple[str, ...] = ("-c", "constraints.txt")
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    ready: dict[str, bool] = field(default_factory=dict[str, bool])

    def run(self, step: Step) -> bool:
        """Run a step in its environment; True if it passed."""
        if not self.prepare(step.environment):
            self.outcomes.append(Outcome(f"{step.name} (not run, as its environment failed)", passed=False))
            return False
        scripts = self.scripts(step.environment.name)
        program, *arguments = shlex.split(step.command)
        found = shutil.which(program, path=scripts) or program
        return self.execute(step.name, (found, *arguments), scripts, dict(step.variables), closes=step.closes)

    def prepare(self, environment: Environment) -> bool:
        """Make an environment ready, once a run; True if that worked."""
        if environment.name not in self.ready:
            self.ready[environment.name] = self._prepare(environment)
        return self.ready[environment.name]

    def _prepare(self, environment: Environment) -> bool:
        folder = self.home / environment.name
        project = ["--no-build-isolation", "--editable", ".[all]"]
        python = Path(self.scripts(environment.name), "python")
        usable = python.resolve() == Path(environment.python).resolve()
        if environment.wheel:
            if self.wheel is None:
                return False
            project = [f"{self.wheel}[all]"]
            usable = False  # since pip takes a rebuilt wheel of the same version for the one it installed before
        if not usable:
            shutil.rmtree(folder, ignore_errors=True)
        groups = dependency_groups()
        requirements = [requirement for group in environment.groups for requirement in groups[group]]
        make = (environment.python, "-m", "venv", "--without-pip", str(folder))
        return (
            (usable or self.execute(f"environment {environment.name}", make))
            and self.install(environment.name, "packages", requirements)
            and self.install(environment.name, "looprig", project)
        )

    def install(self, environment: str, what: str, arguments: Sequence[str]) -> bool:
        """Install into an environment, which needs no pip of its own; True if that worked."""
        scripts = self.scripts(environment)
        # -qq: warnings about places where pip looks in vain drown the step's own words.
        pip = ("-m", "pip", "--python", f"{scripts}/python", "install", "-qq", "--no-input", *self.versions)
        return self.pip is not None and self.execute(f"{what} of {environment}", (self.pip, *pip, *arguments), scripts)

    @cached_property
    def pip(self) -> str | None:
        """A Python with a pip that is new enough for every Python of ours; None if it can't be had."""
        scripts = self.scripts("pip")
        python = f"{scripts}/python"
        make = (sys.executable, "-m", "venv", str(self.home / "pip"))
        update = (python, "-m", "pip", "install", "-qq", "--no-input", "pip", *self.versions)
        made = shutil.which("pip", path=scripts) is not None or self.execute("environment pip", make)
        return python if made and self.execute("packages of pip", update) else None

    @cached_property
    def wheel(self) -> Path | None:
        """The wheel, built of the sources as they are; None if that failed."""
        folder = self.home / "dist"
        shutil.rmtree(folder, ignore_errors=True)
        built = self.run(Step("wheel", CHECK, f"hatchling build -t wheel -d {shlex.quote(str(folder))}"))
        return next(folder.glob("*.whl")) if built else None

    def scripts(self, environment: str) -> str:
        """The folder of an environment's scripts."""
        return str(self.home / environment / ("Scripts" if os.name == "nt" else "bin"))

    def execute(
        self,
        name: str,
        command: Sequence[str],
        scripts: str = "",
        variables: dict[str, str] | None = None,
        *,
        closes: bool = False,
    ) -> bool:
        """Run a command, its output shown as it comes, and note what became of it; True if it passed."""
        say(f"-- {name} ".ljust(80, "-"))
        env = {key: value for key, value in os.environ.items() if not UNWANTED.fullmatch(key)}
        env["PATH"] = os.pathsep.join(filter(None, (scripts, env.get("PATH", os.defpath))))
        env["COVERAGE_FILE"] = str(self.home / "coverage")
        begun = time.monotonic()
        passed, closing_line = run_in_group(command, env | (variables or {}))
        self.outcomes.append(Outcome(name, passed, time.monotonic() - begun, closing_line if closes else ""))
        say(f"   {'ok' if passed else 'FAILED'} in {self.outcomes[-1].seconds:.1f} s")
        return passed

    def conclude(self) -> int:
        """Print the summary, and below it the closing line of pytest's main run; 0 if every step passed."""
        say("-- summary ".ljust(80, "-"))
        for outcome in self.outcomes:
            say(f"{'ok    ' if outcome.passed else 'FAILED'} {outcome.seconds:7.1f} s  {outcome.name}")
        failed = [outcome.name for outcome in self.outcomes if not outcome.passed]
        seconds = sum(outcome.seconds for outcome in self.outcomes)
        say(f"{len(self.outcomes)} steps in {seconds:.0f} s; failed: {', '.join(failed) or 'none'}")
        for closing_line in filter(None, (outcome.closing_line for outcome in self.outcomes)):
            say(closing_line)
        return 1 if failed else 0


def run_in_group(command: Sequence[str], env: dict[str, str]) -> tuple[bool, str]:
    """Run a command in a process group of its own, which ends with it; (passed, pytest's closing line)."""
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        say(f"   cannot run {command[0]}: {error}")
        return False, ""
    lines: list[str] = []
    # A thread, since a process that outlives the command would hold the pipe open and us with it.
    reader = threading.Thread(target=echo, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        passed = process.wait(STEP_LIMIT) == 0
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as stop:
        os.killpg(process.pid, signal.SIGINT)  # first, so that it tears down what it started
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        if isinstance(stop, KeyboardInterrupt):
            raise
        say(f"   took longer than {STEP_LIMIT:.0f} s")
        passed = False
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(5.0)
    return passed, next((line for line in reversed(lines) if CLOSING_LINE.fullmatch(line)), "")


def echo(stream: IO[bytes], lines: list[str]) -> None:
    """Show each line as it comes, and keep it."""
    with stream:
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\r\n")
            say(line)
            lines.append(line)


def say(line: str) -> None:
    """Print a line at once, so that it stands in order with the output of others."""
    print(line, flush=True)


def dependency_groups() -> dict[str, list[str]]:
    """The dependency groups of pyproject.toml."""
    table: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return table


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


def find_pythons() -> list[tuple[str, str]]:
    """(version, path) of the Python that runs this, then of each other one of ours that is found and works."""
    main = ".".join(map(str, sys.version_info[:2]))
    found = {main: sys.executable}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in PYTHONS:
        on_path = [f"{folder}/python{version}" for folder in os.get_exec_path()]
        in_pyenv = [str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))]
        for candidate in (*on_path, *in_pyenv):
            if version not in found and is_python(candidate, version):
                found[version] = candidate
    return list(found.items())


def is_python(candidate: str, version: str) -> bool:
    """Whether this really is that Python: pyenv puts a script in its place that may only say it is not there."""
    program = "import sys, venv; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run((candidate, "-c", program), capture_output=True, text=True, timeout=30.0, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.stdout.strip() == version


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/dev.py", description="Run the example, pass the tests.")
    parser.add_argument("--venvs", type=Path, default=ROOT / ".venvs", help="where the environments stand")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("example", help="run the example's suite and show its loop plan")
    commands.add_parser("pin", help="write constraints.txt anew, with the newest versions")
    test = commands.add_parser("test", help="all that CI does")
    test.add_argument("--fast", action="store_true", help="one Python, the sources instead of the wheel")
    test.add_argument("--only", metavar="NAME", default="", help="only the steps with this in their name")
    options = parser.parse_args(arguments)

    if sys.version_info < OLDEST:
        parser.error(f"Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version.split()[0]}")
    workshop = Workshop(options.venvs.resolve())
    if options.command == "example":
        return 0 if workshop.run(EXAMPLE_STEP) else 1
    if options.command == "pin":
        return pin(workshop.home)
    suite = FAST_SUITE if options.fast else wheel_suite(find_pythons())
    for step in (*STATIC_STEPS, *suite):
        if options.only in step.name:
            workshop.run(step)
    return workshop.conclude()


if __name__ == "__main__":
    sys.exit(main())
