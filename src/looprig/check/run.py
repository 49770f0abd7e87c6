"""The run of a type checker over all edges, and the findings in its answers.

Invariants:
1. Nothing is written in the project but the checker's cache, which is in pytest's cache folder, or in a temporary one
   if that can't be written.
2. A checker that did not finish is an error, never "nothing found".
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from looprig.check.checkers import CHECKERS
from looprig.check.checkers.base import Checker, Command, Job
from looprig.check.edges import Edge, Finding
from looprig.check.layout import copies_of, file_of, search_path_of
from looprig.check.module import MODULE, SANE, Generated, Unread, generate
from looprig.check.source import Sources
from looprig.check.typetext import Writer
from looprig.check.values import Value
from looprig.exceptions import CheckerError, ExtraMissingError

__all__ = ["Judged", "choose", "judge"]


@final
@dataclass(slots=True)
class Judged:
    """The result of a check. `unread` are the edges that could not be checked, `complaints` the checker's own."""

    findings: list[Finding] = field(default_factory=list[Finding])
    unread: list[Unread] = field(default_factory=list[Unread])
    checked: int = 0
    complaints: str = ""


def choose(name: str | None, root: Path) -> Checker:
    """Return the checker of this name, or else the one that the project configures, or else one that is installed.

    Raises:
        ExtraMissingError: there is none.
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
    """Ask `checker`, whose cache is the folder `cache`, about all edges.

    Raises:
        CheckerError: it is not installed, or did not finish.
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
    judged = _judged(made, said)
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
    """Keep the first of many wrong values of one parameter, and say how many there are."""
    by_place: dict[object, list[Finding]] = {}
    for finding in findings:
        place = finding.spot, finding.message.partition(" passes ")[0]
        by_place.setdefault(place if finding.code == "parametrize-type" else finding, []).append(finding)
    return [
        first if not rest else replace(first, message=f"{first.message} (and {len(rest)} more)")
        for first, *rest in by_place.values()
    ]


def _judged(made: Generated, said: Mapping[int, set[str]]) -> Judged:
    wrong = {line for line, kinds in said.items() if "mismatch" in kinds}
    # A class with an unknown base can be judged as a declared type, but provided it fits everything.
    taking = {code for code, lines in made.probes.items() if not wrong.isdisjoint(lines)}
    giving = {code for code, (line, _) in made.probes.items() if line in wrong}
    judged = Judged()
    for line, edges in made.edges.items():
        declared, provided = made.declared[line], made.provided[line]
        unknown = [name for code, name in declared if code not in taking]
        if declared != provided:
            unknown += [name for code, name in provided if code not in giving]
        kinds = said.get(line, set())
        for edge in edges:
            judged.findings += _of_edge(edge, unknown, kinds)
            judged.checked += not unknown
    for unread in made.unread:
        if unread.name:
            judged.findings.append(Finding(unread.edge.spot, "fixture-unchecked", unread.edge.unchecked(unread.name)))
        else:
            judged.unread.append(unread)
    judged.findings = _once_a_parameter(judged.findings)
    return judged


def _of_edge(edge: Edge, unknown: list[str], kinds: set[str]) -> Iterator[Finding]:
    if unknown:
        yield Finding(edge.spot, "fixture-unchecked", edge.unchecked(unknown[0]))
    elif "mismatch" in kinds:
        yield Finding(edge.spot, edge.code, edge.mismatch())
    elif "invalid" in kinds and not isinstance(edge.provided, Value):
        yield Finding(edge.spot, "fixture-unchecked", edge.unchecked(edge.declared.shown()))
