"""Virtual environments that are made when a step first needs them, and what came of each step.

Standard library alone. Does not know what is run (`steps` does).

Invariants: every step runs, whatever became of the ones before it. A command begins with an environment and signal
handlers of its own, and ends with all that it started.
"""

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
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, final

from tools.surroundings import default_signals, own_environment

__all__ = ["ROOT", "Environment", "Outcome", "Step", "Workshop", "dependency_groups", "extras", "say"]

ROOT: Final = Path(__file__).resolve().parent.parent
STEP_LIMIT: Final = 900.0  # seconds: a hung suite is to end as a failed step, not as CI's time-out
GRACE: Final = 15.0  # seconds that a command has to end by itself once it is stopped
CLOSING_LINE: Final = re.compile(r"=+ .*\bin [\d.]+s.* =+")


@final
@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment: looprig with all its extras, and dependency groups of pyproject.toml.

    `lenient` leaves out what cannot be installed, but for the first of the groups: for a Python that is so new that
    some packages are not there for it yet.
    """

    name: str
    groups: tuple[str, ...]
    _: KW_ONLY
    python: str = sys.executable
    wheel: bool = True  # else the source folder, as an editable install
    lenient: bool = False


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


CHECK: Final = Environment("check", ("build", "lint", "typing", "checkers", "test", "example"), wheel=False)
"""The one that also builds the wheel."""


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command, and how many seconds it took."""

    name: str
    passed: bool
    seconds: float = 0.0
    closing_line: str = ""
    _: KW_ONLY
    matters: bool = True
    """Whether the whole fails if it failed."""


@final
@dataclass
class Workshop:
    """The environments in one folder, made ready when a step first needs them, and what came of each step."""

    home: Path
    versions: tuple[str, ...] = ("-c", "constraints.txt")
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    ready: dict[str, bool] = field(default_factory=dict[str, bool])
    left_out: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What could not be installed, by the name of the environment."""

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
        groups = [dependency_groups()[group] for group in environment.groups]
        make = (environment.python, "-m", "venv", "--without-pip", str(folder))
        if not usable and not self.execute(f"environment {environment.name}", make):
            return False
        if environment.lenient:
            return self._install_what_there_is(environment.name, str(self.wheel), *groups)
        return self.install(environment.name, "packages", [*chain(*groups)]) and self.install(
            environment.name, "looprig", project
        )

    def _install_what_there_is(self, name: str, wheel: str, needed: list[str], *others: list[str]) -> bool:
        """Install all, or else each package by itself that is not needed; True if there is what is needed."""
        everything = [f"{wheel}[all]", *needed, *chain(*others)]
        if self.install(name, "packages", everything, matters=False):
            return True
        if not self.install(name, "needed packages", [wheel, *needed]):
            return False
        for what in (*(f"{wheel}[{extra}]" for extra in extras()), *chain(*others)):
            shown = what.replace(wheel, "looprig")
            if not self.install(name, shown, [what], matters=False):
                self.left_out.setdefault(name, []).append(shown)
        return True

    def install(self, environment: str, what: str, arguments: Sequence[str], *, matters: bool = True) -> bool:
        """Install into an environment, which needs no pip of its own; True if that worked."""
        if self.pip is None:
            return False
        scripts = self.scripts(environment)
        # -qq: warnings about places where pip looks in vain drown the step's own words.
        pip = (self.pip, "-m", "pip", "--python", f"{scripts}/python", "install", "-qq", "--no-input", *self.versions)
        return self.execute(f"{what} of {environment}", (*pip, *arguments), scripts, matters=matters)

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
        matters: bool = True,
    ) -> bool:
        """Run a command, its output shown as it comes, and note what became of it; True if it passed."""
        say(f"-- {name} ".ljust(80, "-"))
        env = own_environment()
        env["PATH"] = os.pathsep.join(filter(None, (scripts, env.get("PATH", os.defpath))))
        env["COVERAGE_FILE"] = str(self.home / "coverage")
        begun = time.monotonic()
        passed, closing_line = run_in_group(command, env | (variables or {}))
        seconds = time.monotonic() - begun
        self.outcomes.append(Outcome(name, passed, seconds, closing_line if closes else "", matters=matters))
        say(f"   {'ok' if passed else 'FAILED'} in {self.outcomes[-1].seconds:.1f} s")
        return passed

    def conclude(self) -> int:
        """Print the summary, and below it the closing line of pytest's main run; 0 if every step passed."""
        say("-- summary ".ljust(80, "-"))
        for outcome in self.outcomes:
            state = "ok    " if outcome.passed else "FAILED" if outcome.matters else "failed"
            say(f"{state} {outcome.seconds:7.1f} s  {outcome.name}")
        for name, what in self.left_out.items():
            say(f"{name} is without {', '.join(what)}: pip could not install them there")
        failed = [outcome.name for outcome in self.outcomes if not outcome.passed and outcome.matters]
        seconds = sum(outcome.seconds for outcome in self.outcomes)
        say(f"{len(self.outcomes)} steps in {seconds:.0f} s; failed: {', '.join(failed) or 'none'}")
        for closing_line in filter(None, (outcome.closing_line for outcome in self.outcomes)):
            say(closing_line)
        return 1 if failed else 0


def run_in_group(command: Sequence[str], env: dict[str, str]) -> tuple[bool, str]:
    """Run a command in a process group of its own, which ends with it; (passed, pytest's closing line)."""
    try:
        with default_signals():
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
    table: dict[str, list[str]] = _pyproject()["dependency-groups"]
    return table


def extras() -> list[str]:
    """The extras of looprig, without the one that has them all."""
    return [extra for extra in _pyproject()["project"]["optional-dependencies"] if extra != "all"]


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
