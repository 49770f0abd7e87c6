"""The checks of the wheel and the source distribution, and the small suite that runs against both when installed.

Doesn't build them (`workshop` does), and publishes nothing.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tools.pythons import Python
from tools.workshop import BUILD, Environment, Source, Step, Workshop

__all__ = ["check_distributions", "smoke_steps", "try_on"]

WHEEL: Final = (("LOOPRIG_TESTED", "wheel"),)


CHECKS: Final = {
    "twine": "twine check --strict {wheel} {sdist}",
    "contents of the wheel": "check-wheel-contents {wheel}",
    "contents of both": "python tools/contents.py {wheel} {sdist}",
}
"""The commands that check them, by name."""


def check_distributions(workshop: Workshop, *, only: str = "") -> None:
    """Check the metadata and contents of both distributions."""
    wanted = {f"distribution: {name}": command for name, command in CHECKS.items() if only in f"distribution: {name}"}
    if wanted and workshop.distributions is not None:
        wheel, sdist = (shlex.quote(str(path)) for path in workshop.distributions)
        for name, command in wanted.items():
            workshop.run(Step(name, BUILD, command.format(wheel=wheel, sdist=sdist)))


def try_on(workshop: Workshop, pythons: Iterable[Python], kinds: Sequence[Source], *, only: str = "") -> None:
    """Install distributions of these kinds into new environments of each Python, and run a small suite there."""
    for step in (step for python in pythons for kind in kinds for step in smoke_steps(python, kind)):
        if only in step.name:
            workshop.run(step)


def smoke_steps(python: Python, kind: Source) -> Iterator[Step]:
    """Yield the steps that try a distribution on a Python: without any extra, and with the one for aiohttp."""
    for name, extras, suite in (("bare", "", "tests/smoke/test_bare.py"), ("smoke", "aiohttp", "tests/smoke")):
        environment = Environment(f"{name}-{kind}-{python.version}", (), python=python.path, extras=extras, source=kind)
        yield Step(f"distribution: {environment.name}", environment, f"pytest -q {suite}", WHEEL)
