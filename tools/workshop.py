"""Virtual environments, created on first use, and the outcomes of the steps that run in them.

Requires only the standard library. Doesn't know the steps; `steps` does.

Invariants: every step runs, even if others before it failed. A command starts with a clean environment and default
signal handlers, and every process that it started ends with it.
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
from typing import IO, Any, Final, Literal, TypeAlias, final

from tools.surroundings import default_signals, own_environment

__all__ = [
    "BUILD",
    "CHECK",
    "ROOT",
    "Environment",
    "Outcome",
    "Source",
    "Step",
    "Workshop",
    "dependency_groups",
    "extras",
    "say",
]

ROOT: Final = Path(__file__).resolve().parent.parent
STEP_LIMIT: Final = 1800.0  # seconds: a hung suite should end as a failed step, before CI's own timeout
GRACE: Final = 15.0  # seconds that a stopped command has to end by itself
CLOSING_LINE: Final = re.compile(r"=+ .*\bin [\d.]+s.* =+")


Source: TypeAlias = Literal["wheel", "sdist", "folder", "nothing"]


@final
@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with looprig, some of its extras, and dependency groups of pyproject.toml.

    `source` says where looprig comes from: a distribution that is built, or the source folder, as an editable install.
    With "nothing", it is left out, so that it can be built. `lenient` leaves out what can't be installed, except for
    the first group: some packages don't support the newest Python yet.
    """

    name: str
    groups: tuple[str, ...]
    _: KW_ONLY
    python: str = sys.executable
    extras: str = "all"
    source: Source = "wheel"
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
    closes: bool = False  # whether to print its closing line at the very end


CHECK: Final = Environment(
    "check", ("build", "lint", "typing", "checkers", "test", "example", "drivers"), source="folder"
)
"""The environment of the checks."""

BUILD: Final = Environment("build", ("build", "dist"), source="nothing")
"""The environment that builds and checks distributions, on any platform."""


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a command, and the seconds that it took."""

    name: str
    passed: bool
    seconds: float = 0.0
    closing_line: str = ""
    _: KW_ONLY
    matters: bool = True
    """Whether its failure fails the whole run."""


@final
@dataclass
class Workshop:
    """The environments in one folder, prepared when a step first needs them, and the outcomes of the steps."""

    home: Path
    versions: tuple[str, ...] = ("-c", "constraints.txt")
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    ready: dict[str, bool] = field(default_factory=dict[str, bool])
    left_out: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What couldn't be installed, by the name of the environment."""
    _: KW_ONLY
    brief: bool = False
    """Whether the commands that prepare an environment are shown only if they fail."""
    hushed: bool = field(default=False, init=False)
    """Whether such a command runs."""

    def run(self, step: Step) -> bool:
        """Run a step in its environment, and return whether it passed."""
        if not self.prepare(step.environment):
            self.outcomes.append(Outcome(f"{step.name} (not run, as its environment failed)", passed=False))
            return False
        scripts = self.scripts(step.environment.name)
        program, *arguments = shlex.split(step.command)
        found = shutil.which(program, path=scripts) or program
        return self.execute(step.name, (found, *arguments), scripts, dict(step.variables), closes=step.closes)

    def prepare(self, environment: Environment) -> bool:
        """Prepare an environment, once per run, and return whether that worked."""
        if environment.name not in self.ready:
            if self.brief:
                where = f"{self.home.name}/{environment.name}"
                say(f"-- packages, in {where} (the first time takes longest) ".ljust(80, "-"))
            begun = time.monotonic()
            self.hushed = self.brief
            self.ready[environment.name] = self._prepare(environment)
            self.hushed = False
            if self.brief and self.ready[environment.name]:
                say(f"   ok in {time.monotonic() - begun:.1f} s")
        return self.ready[environment.name]

    def _prepare(self, environment: Environment) -> bool:
        folder = self.home / environment.name
        project = ["--no-build-isolation", "--editable", ".[all]"]
        python = self.python(environment.name)
        usable = python.resolve() == Path(environment.python).resolve()
        archive = ""
        if environment.source in {"wheel", "sdist"}:
            if self.distributions is None:
                return False
            archive = str(self.distributions[environment.source == "sdist"])
            project = [f"{archive}[{environment.extras}]" if environment.extras else archive]
            usable = False  # pip mistakes a rebuilt wheel of the same version for the one already installed
        if not usable:
            shutil.rmtree(folder, ignore_errors=True)
        groups = [dependency_groups()[group] for group in environment.groups]
        make = (environment.python, "-m", "venv", "--without-pip", str(folder))
        if not usable and not self.execute(f"environment {environment.name}", make):
            return False
        if environment.lenient:
            return self._install_what_there_is(environment.name, archive, *groups)
        if archive:
            return self.install(environment.name, "packages", [*project, *chain(*groups)])
        # The packages that build it first.
        return self.install(environment.name, "packages", [*chain(*groups)]) and (
            environment.source == "nothing" or self.install(environment.name, "looprig", project)
        )

    def _install_what_there_is(self, name: str, wheel: str, needed: list[str], *others: list[str]) -> bool:
        """Install everything, or else the needed packages and as many others as possible.

        Return whether the needed packages are there.
        """
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
        """Install into an environment, which needs no pip of its own, and return whether that worked."""
        if self.pip is None:
            return False
        scripts = self.scripts(environment)
        # -qq: pip's warnings about indexes that it can't reach would drown the step's own output. --no-compile: Python
        # compiles what is imported, which is a small part of what is installed.
        python = str(self.python(environment))
        pip = (self.pip, "-m", "pip", "--python", python, "install", "-qq", "--no-input", "--no-compile")
        return self.execute(f"{what} of {environment}", (*pip, *self.versions, *arguments), scripts, matters=matters)

    @cached_property
    def pip(self) -> str | None:
        """A Python with a pip that is new enough for every Python of ours; None if it can't be had."""
        scripts = self.scripts("pip")
        python = str(self.python("pip"))
        make = (sys.executable, "-m", "venv", str(self.home / "pip"))
        update = (python, "-m", "pip", "install", "-qq", "--no-input", "pip", *self.versions)
        made = shutil.which("pip", path=scripts) is not None or self.execute("environment pip", make)
        return python if made and self.execute("packages of pip", update) else None

    @cached_property
    def distributions(self) -> tuple[Path, Path] | None:
        """The wheel and the source distribution built from the current sources, or None if that failed."""
        folder = self.home / "dist"
        shutil.rmtree(folder, ignore_errors=True)
        built = self.run(Step("distributions", BUILD, f"hatchling build -d {shlex.quote(str(folder))}"))
        return (next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))) if built else None

    def scripts(self, environment: str) -> str:
        """The folder of an environment's scripts."""
        return str(self.home / environment / ("Scripts" if os.name == "nt" else "bin"))

    def python(self, environment: str) -> Path:
        """Return the path of an environment's interpreter."""
        return Path(self.scripts(environment), "python.exe" if os.name == "nt" else "python")

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
        """Run a command, show its output as it comes, record the outcome, and return whether it passed."""
        hushed = self.hushed
        if not hushed:
            say(f"-- {name} ".ljust(80, "-"))
        env = own_environment()
        env["PATH"] = os.pathsep.join(filter(None, (scripts, env.get("PATH", os.defpath))))
        env["COVERAGE_FILE"] = str(self.home / "coverage")
        begun = time.monotonic()
        passed, lines = run_in_group(command, env | (variables or {}), shows=not hushed)
        seconds = time.monotonic() - begun
        closing_line = next((line for line in reversed(lines) if CLOSING_LINE.fullmatch(line)), "")
        self.outcomes.append(Outcome(name, passed, seconds, closing_line if closes else "", matters=matters))
        if hushed and not passed:
            for line in (f"-- {name} ".ljust(80, "-"), *lines):
                say(line)
        if not (hushed and passed):
            say(f"   {'ok' if passed else 'FAILED'} in {seconds:.1f} s")
        return passed

    def conclude(self) -> int:
        """Print the summary and then the closing line of pytest's main run, and return the exit status."""
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


def run_in_group(command: Sequence[str], env: dict[str, str], *, shows: bool) -> tuple[bool, list[str]]:
    """Run a command in its own process group, which ends with it.

    Return whether it passed, and the lines that it printed. With `shows`, show each of them as it comes.
    """
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
        return False, []
    lines: list[str] = []
    # In a thread, because a process that outlives the command would keep the pipe open.
    reader = threading.Thread(target=echo, args=(process.stdout, lines, shows), daemon=True)
    reader.start()
    try:
        passed = process.wait(STEP_LIMIT) == 0
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as stop:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGINT)  # first, so that the command can tear down what it started
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
        if isinstance(stop, KeyboardInterrupt):
            raise
        say(f"   took longer than {STEP_LIMIT:.0f} s")
        passed = False
    finally:
        kill_group(process)
        process.wait()
        reader.join(5.0)
    return passed, lines


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill all that is left of a process group. Windows has none, so there only its leader is killed."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def echo(stream: IO[bytes], lines: list[str], shows: bool) -> None:  # noqa: FBT001 - the argument of a thread
    """Keep each line as it comes, and show it if asked to."""
    with stream:
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\r\n")
            if shows:
                say(line)
            lines.append(line)


def say(line: str) -> None:
    """Print a line and flush it, so that it keeps its place in the output of other processes."""
    print(line, flush=True)


def dependency_groups() -> dict[str, list[str]]:
    """Return the dependency groups of pyproject.toml."""
    table: dict[str, list[str]] = _pyproject()["dependency-groups"]
    return table


def extras() -> list[str]:
    """Return the extras of looprig, except the one that includes all of them."""
    return [extra for extra in _pyproject()["project"]["optional-dependencies"] if extra != "all"]


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
