"""Try what the README's table claims of looprig and its peers, and print for each claim which plugins fulfil it.

    python3 benchmarks/run_claims.py [--only looprig,anyio]

Each claim is a small suite (`claims.py`), which each plugin runs in a process of its own, without other plugins. A run
that doesn't end within 75 s is killed: looprig's own limit for a test is 60 s.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from claims import CLAIMS, MODES, Claim
from contenders import CONTENDERS, Contender
from envs import Envs
from measure import ChildError, clean_environment, spawn

LIMIT: Final = 75.0
PLUGINS: Final = (
    Contender("claims-looprig", ("looprig[check]",), from_checkout=True),
    *(CONTENDERS[name] for name in ("pytest-asyncio", "anyio", "pytest-aiohttp", "aiomisc")),
)


def holds(claim: Claim, contender: Contender, python: Path) -> bool:
    """Run the suite of a claim, and return whether it did what the claim says."""
    with tempfile.TemporaryDirectory(prefix="looprig-claim-") as name:
        root = Path(name)
        root.joinpath("test_it.py").write_text(claim.suite)
        lines = (MODES.get(contender.name, ""), claim.settings.get(contender.name, ""))
        root.joinpath("pytest.ini").write_text("\n".join(("[pytest]", *lines)))
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *contender.arguments]
        if contender.from_checkout:
            command += claim.options
        try:
            output, _, _ = spawn(command, root, environment=clean_environment(), timeout=LIMIT)
        except ChildError:
            return False
    counted = re.findall(r"(\d+) (passed|failed|error|skipped)", output.rstrip().rpartition("\n")[2])
    return claim.says in output and {outcome: int(number) for number, outcome in counted} == dict(claim.outcomes)


def _title(contender: Contender) -> str:
    return contender.name.removeprefix("claims-")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated contenders, e.g. looprig,anyio")
    Envs.add_options(parser)
    options = parser.parse_args(arguments)
    only = set(filter(None, options.only.split(",")))
    envs = Envs.from_options(options)
    pythons = {each: envs.python(each) for each in PLUGINS if not only or _title(each) in only}
    print(f"| | {' | '.join(map(_title, pythons))} |")
    print(f"|---|{'---|' * len(pythons)}")
    fails = False
    for claim in CLAIMS:
        answers = [holds(claim, each, python) for each, python in pythons.items()]
        print(f"| {claim.title} | {' | '.join('yes' if answer else 'no' for answer in answers)} |", flush=True)
        fails |= any(each.from_checkout and not answer for each, answer in zip(pythons, answers, strict=True))
    return int(fails)


if __name__ == "__main__":
    raise SystemExit(main())
