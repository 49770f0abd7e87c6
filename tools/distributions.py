"""The checks of the wheel and the source distribution, and the small suite that runs against both when installed.

Doesn't build them (`workshop` does), and publishes nothing.
"""

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from tools.pythons import Python
from tools.workshop import BUILD, Environment, Source, Step, Workshop

__all__ = ["check_distributions", "try_on"]

WHEEL: Final = (("LOOPRIG_TESTED", "wheel"),)


SUITES: Final = {"bare": ("", "tests/smoke/test_bare.py"), "smoke": ("aiohttp", "tests/smoke")}
"""The extras that a suite needs, and its path, by name."""

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


def try_on(
    workshop: Workshop,
    pythons: Iterable[Python],
    kinds: Sequence[Source],
    *,
    suites: Sequence[str] = tuple(SUITES),
    only: str = "",
) -> None:
    """Install distributions of these kinds into new environments of each Python, and run small suites there."""
    for step in (_step(python, kind, suite) for python in pythons for kind in kinds for suite in suites):
        if only in step.name:
            workshop.run(step)


def _step(python: Python, kind: Source, suite: str) -> Step:
    extras, path = SUITES[suite]
    name = f"{suite}-{kind}-{python.version}"
    environment = Environment(name, (), python=python.path, extras=extras, source=kind)
    return Step(f"distribution: {name}", environment, f"pytest -q {path}", WHEEL)
