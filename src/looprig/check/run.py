"""The run of a type checker over all edges, and the findings in its answers.

Invariants:
1. Nothing is written in the project except the checker's cache, which is in pytest's cache folder, or in a temporary
   folder if that isn't writable.
2. A checker that did not finish is an error, never "nothing found".
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, final

from looprig.check.checkers import CHECKERS
from looprig.check.checkers.base import Checker, Command, Job
from looprig.check.edges import Edge, Finding
from looprig.check.layout import copies_of, file_of, search_path_of
from looprig.check.module import MODULE, SANE, Generated, Unread, generate
from looprig.check.source import Sources
from looprig.check.typetext import Writer
from looprig.check.values import Value
from looprig.exceptions import CheckerError, ExtraMissingError
from looprig.location import is_foreign

__all__ = ["Judged", "choose", "judge"]

_SKIPPED: Final = "its configuration skips the module (follow_imports)"


@final
@dataclass(slots=True)
class Judged:
    """The result of a check. `unread` are the edges that could not be checked, `complaints` the checker's warnings."""

    findings: list[Finding] = field(default_factory=list[Finding])
    unread: list[Unread] = field(default_factory=list[Unread])
    checked: int = 0
    complaints: str = ""


def choose(name: str | None, root: Path) -> Checker:
    """Return the checker with this name, or else the one that the project configures, or else one that is installed.

    Raises:
        ExtraMissingError: no checker is installed.
    """
    if name is not None:
        return next(each for each in CHECKERS if each.name == name)
    probe = Job(root, Path(tempfile.gettempdir()), MODULE, (), Path(tempfile.gettempdir()))
    for each in (*(each for each in CHECKERS if each.is_configured(root)), *CHECKERS):
        if each.is_configured(root) or _is_installed(each, probe):
            return each
    raise ExtraMissingError(
        "--check-fixtures needs a type checker, and none is installed.", (), "pip install 'looprig[check]'"
    )


def _is_installed(checker: Checker, probe: Job) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return checker.command(Job(probe.root, Path(folder), MODULE, (), probe.cache)) is not None


def judge(checker: Checker, edges: Iterable[Edge], sources: Sources, root: Path, cache: Path) -> Judged:
    """Check all edges with `checker`, which uses the folder `cache` as its cache.

    Raises:
        CheckerError: the checker is not installed, or did not finish.
    """
    search_path = search_path_of(root, [(source.path, source.module) for source in sources])
    writer = Writer(sources, file_of=lambda module: file_of(module, search_path))
    draft = generate(edges, writer)
    copies = copies_of(writer.names.paths(), search_path)
    made = draft.finish(copies)
    with tempfile.TemporaryDirectory(prefix="looprig-") as name:
        folder = Path(name).resolve()
        job = Job(root, folder, MODULE, (folder, *search_path), cache)
        job.file.write_text(made.text, "utf-8")
        for path, module in copies.items():
            (folder / f"{module}.py").write_bytes(Path(path).read_bytes())
        said, complaints = _asked(checker, job) if made.edges else ({}, "")
    judged = _judged(made, said, checker)
    judged.complaints = complaints
    return judged


def _asked(checker: Checker, job: Job) -> tuple[dict[int, set[str]], str]:
    command = checker.command(job)
    if command is None:
        raise CheckerError(
            f"--check-fixtures={checker.name}: {checker.name} is not installed.", (), f"pip install {checker.name}"
        )
    ran = _run(command, job.root)
    try:
        return _read(checker, ran, job), checker.complaints(ran.stderr)
    except (ValueError, KeyError) as error:
        words = "\n".join(filter(None, (ran.stdout.strip(), ran.stderr.strip()))) or "nothing"
        raise CheckerError(
            f"{checker.name} ended with status {ran.returncode} and did not check the fixtures. It said:\n{words}",
            (),
            f"See that `{checker.name}` runs in this project by itself, and that its configuration doesn't ignore "
            "errors. If it complains about its cache, run pytest --cache-clear.",
        ) from error


def _read(checker: Checker, ran: "subprocess.CompletedProcess[str]", job: Job) -> dict[int, set[str]]:
    if ran.returncode not in {0, 1}:
        raise ValueError(ran.returncode)
    said: dict[int, set[str]] = {}
    for diagnostic in checker.read(ran.stdout, job):
        said.setdefault(diagnostic.line, set()).add(diagnostic.kind)
    if "mismatch" not in said.get(SANE, ()):
        raise ValueError("it accepted a line that is wrong")
    return said


def _run(command: Command, root: Path) -> "subprocess.CompletedProcess[str]":
    # The output to parse must not depend on the terminal.
    environment = {key: value for key, value in os.environ.items() if key not in {"FORCE_COLOR", "PY_COLORS"}}
    return subprocess.run(
        command.arguments,
        cwd=root,
        env=environment | {"NO_COLOR": "1", **command.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _once_a_parameter(findings: Iterable[Finding]) -> list[Finding]:
    """Keep only the first of many findings about values of one parameter, and add their number."""
    by_place: dict[object, list[Finding]] = {}
    for finding in findings:
        place = finding.spot, finding.message.partition(" passes ")[0]
        by_place.setdefault(place if finding.code == "parametrize-type" else finding, []).append(finding)
    return [
        first if not rest else replace(first, message=f"{first.message} (and {len(rest)} more)")
        for first, *rest in by_place.values()
    ]


@final
class _Answers:
    """The checker's diagnostics, by line."""

    def __init__(self, made: Generated, said: Mapping[int, set[str]], checker: Checker) -> None:
        self._checker = checker
        self._made = made
        self._said = said
        wrong = {line for line, kinds in said.items() if "mismatch" in kinds}
        # A class with an unknown base can be checked as a declared type, but as a provided type it matches everything.
        self._taking = {code for code, lines in made.probes.items() if not wrong.isdisjoint(lines)}
        self._giving = {code for code, (line, _) in made.probes.items() if line in wrong}

    def unknown(self, line: int) -> tuple[str, str] | None:
        """Return the first name in a line that the checker treats as `Any`, as in the module and as in the suite."""
        declared, provided = self._made.declared[line], self._made.provided[line]
        found = [name for name in declared if name[0] not in self._taking]
        if declared != provided:
            found += [name for name in provided if name[0] not in self._giving]
        if line in self._made.same:
            found = [name for name in found if self._installed(name[0]) is None]
        return found[0] if found else None

    def of(self, line: int) -> set[str]:
        """Return the diagnostics of a line's edge, or none if one of its alternative lines has none."""
        kinds = [self._said.get(each, set()) for each in range(self._made.first[line], line + 1)]
        return set[str]().union(*kinds) if all(kinds) else set()

    def is_no_type(self, line: int, edge: Edge) -> bool:
        """Return whether the declared type isn't a type. In a line with a value, the error may be about the value."""
        of_type = self._made.types.get(line)
        said = self._said.get(line if of_type is None else of_type, ())
        return "invalid" in said and (of_type is not None or not isinstance(edge.provided, Value))

    def why_unknown(self, code: str, name: str) -> str:
        """Return a reason why the checker treats a name as `Any`."""
        module = self._installed(code)
        if module is None:
            return f'"{name}" cannot be resolved'
        reason = _SKIPPED if _is_typed(module) else self._checker.untyped
        return f'the checker takes "{name}" for Any, though {module} is installed: {reason}'

    def _installed(self, code: str) -> str | None:
        """Return the module of an installed package in which a name exists, or `None` if there is none."""
        head, *rest = code.split(".")
        origin = self._made.origins.get(head)
        module = None if origin is None else sys.modules.get(origin.module)
        path: str | None = getattr(module, "__file__", None)
        value: Any = module
        for part in [*([origin.name] if origin is not None and origin.name else []), *rest]:
            value = getattr(value, part, None)
        if origin is None or path is None or not is_foreign(path) or value is None:
            return None
        return origin.module


def _is_typed(module: str) -> bool:
    """Return whether an installed package says that it has types."""
    folders: Iterable[str] = getattr(sys.modules.get(module.partition(".")[0]), "__path__", ())
    return any((Path(folder) / "py.typed").is_file() for folder in folders)


def _judged(made: Generated, said: Mapping[int, set[str]], checker: Checker) -> Judged:
    answers = _Answers(made, said, checker)
    judged = Judged()
    for line, edges in made.edges.items():
        unknown = answers.unknown(line)
        for edge in edges:
            if unknown is not None:
                reason = answers.why_unknown(*unknown)
                judged.findings.append(_unchecked(edge, reason, unknown[0]))
            elif answers.is_no_type(line, edge):
                name = edge.declared.shown()
                judged.findings.append(_unchecked(edge, f'"{name}" isn\'t a type', f"{edge.spot.path}: {name}"))
            elif "mismatch" in answers.of(line):
                judged.findings.append(Finding(edge.spot, edge.code, edge.mismatch(), edge.cause()))
            judged.checked += unknown is None
    for unread in made.unread:
        if unread.name:
            judged.findings.append(_unchecked(unread.edge, unread.reason, f"{unread.edge.spot.path}: {unread.name}"))
        else:
            judged.unread.append(unread)
    judged.findings = _once_a_parameter(judged.findings)
    return judged


def _unchecked(edge: Edge, reason: str, cause: str) -> Finding:
    return Finding(edge.spot, "fixture-unchecked", edge.unchecked(reason), f"unchecked {cause}")
