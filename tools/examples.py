"""The examples, as `tools/dev.py example` runs and shows them: what runs, which loops, what was tested.

Requires only the standard library, as the rest of the tools do.
"""

import shlex
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from tools.servers import POSTGRES, REDIS, VENV, Needed, bring
from tools.workshop import Environment, Step, Workshop, say

__all__ = ["EXAMPLES", "Example", "run_example", "tested"]

ENVIRONMENT: Final = Environment("example", ("build", "example"), source="folder")
WIDTH: Final = 100
TIE: Final = "\N{NO-BREAK SPACE}"  # between words that stay on one line


@final
@dataclass(frozen=True, slots=True)
class Example:
    """A folder of `examples/`. `needed` are the servers without which its suite can't run."""

    name: str
    about: str
    needed: Sequence[Needed] = ()

    def step(self, results: Path) -> Step:
        """Return the step that runs the suite, and writes its results as JUnit XML."""
        options = f"-q --explain-loops --junit-xml={shlex.quote(results.as_posix())}"
        return Step(
            f"pytest examples/{self.name} --explain-loops", ENVIRONMENT, f"pytest examples/{self.name} {options}"
        )


EXAMPLES: Final[Mapping[str, Example]] = {
    example.name: example
    for example in (
        Example(
            "notes",
            "A REST service for notes, on aiohttp, and a worker that deletes notes when they expire. The tests use "
            "both over real sockets, with SQLite and with PostgreSQL (where it's installed), on asyncio and on uvloop.",
        ),
        Example(
            "orders",
            "A FastAPI app that stores orders in PostgreSQL and queues them in Redis, and a worker in a process of its "
            "own that ships them. The tests run all four for real, each test on a clean database.",
            (POSTGRES, REDIS),
        ),
    )
}


def run_example(example: Example, workshop: Workshop) -> bool:
    """Run the suite of an example, say what it tested, and return whether it passed."""
    say(f"The example: {example.name}")
    for line in textwrap.wrap(example.about, WIDTH):
        say(line)
    say("")
    if not bring((VENV, *example.needed)):
        return False
    results = workshop.home / f"example-{example.name}.xml"
    results.unlink(missing_ok=True)
    passed = workshop.run(example.step(results))
    if results.exists():
        say("")
        for line in tested(results):
            say(line)
        say("")
        say("Why is a test on its loop? Ask for the tests of a file, or for one of them:")
        script = Path(workshop.scripts(ENVIRONMENT.name), "pytest")
        shown = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
        say(f"  {shown} examples/{example.name} --explain-loops=examples/{example.name}/tests/test_api.py")
    return passed


def tested(results: Path) -> Iterator[str]:
    """Yield what a suite tested: the names of its tests by file, with their outcomes."""
    outcomes: dict[str, dict[str, Counter[str]]] = {}
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        file = case.get("classname", "").rpartition(".")[2] + ".py"
        name = case.get("name", "").partition("[")[0].removeprefix("test_").replace("_", " ")
        outcomes.setdefault(file, {}).setdefault(name, Counter())[_outcome(case)] += 1
    for file, tests in sorted(outcomes.items()):
        total = sum(tests.values(), Counter[str]())
        yield f"{file}: {', '.join(f'{number} {outcome}' for outcome, number in total.items())}"
        shown = ", ".join(name + _cases(found) for name, found in tests.items())
        lines = textwrap.wrap(shown, WIDTH, initial_indent="    ", subsequent_indent="    ")
        yield from (line.replace(TIE, " ") for line in lines)


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def _cases(found: Counter[str]) -> str:
    number = found.total()
    notes = [f"{number} cases"] if number > 1 else []
    notes += [f"{found[outcome]} {outcome}" for outcome in ("failed", "skipped") if found[outcome]]
    return f" ({', '.join(notes)})".replace(" ", TIE) if notes else ""
