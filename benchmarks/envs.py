"""One virtual environment per contender, created once and kept until a pin, a requirement or the source changes.

Environments are in a git-ignored folder beside this file, or in `--cache`. Each has a stamp of everything that it was
created from; if the stamp differs, it is created again. looprig is installed as a wheel built from the checkout, as
users have it. If only its source has changed, only the wheel is installed again.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contenders import Contender

HERE: Final = Path(__file__).resolve().parent
CHECKOUT: Final = HERE.parent
CONSTRAINTS: Final = HERE / "constraints.txt"


class EnvError(Exception):
    """An environment couldn't be created; the text is the installer's output."""


@dataclass(frozen=True, slots=True)
class Envs:
    """The environments of one interpreter under one cache folder."""

    cache: Path
    interpreter: Path

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--cache", type=Path, default=HERE / ".benchmarks", help="environments and results")
        parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter for all")

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Envs:
        cache: Path = options.cache.resolve()
        cache.mkdir(parents=True, exist_ok=True)
        # So that a cache folder inside a repository needs no entry in .gitignore.
        (cache / ".gitignore").write_text("*\n")
        return cls(cache, options.python)

    @property
    def results(self) -> Path:
        folder = self.cache / "results"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def python(self, contender: Contender) -> Path:
        """Create or update this contender's environment, and return its interpreter.

        Call it once per run: the checkout may change meanwhile, and all figures of a run should be of one state.
        """
        told = self._run([str(self.interpreter), "-c", "import sys; print(*sys.version_info[:2], sep='.')"])
        version = told.strip()
        folder = self.cache / "envs" / f"{contender.name}-{version}"
        python = folder / "bin" / "python"
        stamp = _digest([version, CONSTRAINTS.read_text(), *contender.requirements])
        source = _digest_of_source() if contender.from_checkout else ""
        stamped = _read(folder / "stamp")
        if stamped == [stamp, source]:
            return python
        if stamped[:1] != [stamp]:
            _say(f"making the environment of {contender.name}")
            shutil.rmtree(folder, ignore_errors=True)
            self._run([str(self.interpreter), "-m", "venv", str(folder)])
            if not contender.from_checkout:
                self._install(python, *contender.requirements)
        if contender.from_checkout:
            _say(f"building {contender.name} from the checkout")
            with tempfile.TemporaryDirectory(prefix="looprig-wheel-") as build:
                self._run([str(python), "-m", "pip", "wheel", "-q", "--no-deps", "-w", build, str(CHECKOUT)])
                (wheel,) = Path(build).glob("*.whl")
                if stamped[:1] == [stamp]:
                    # The version is the same for every state of the checkout.
                    self._install(python, "--force-reinstall", "--no-deps", str(wheel))
                name, _, extras = contender.requirements[0].partition("[")
                self._install(python, f"{name}[{extras} @ {wheel.as_uri()}", *contender.requirements[1:])
        (folder / "stamp").write_text(f"{stamp}\n{source}\n")
        return python

    def versions(self, python: Path) -> dict[str, str]:
        """Return the installed packages and versions, as the installer lists them."""
        lines = self._run([str(python), "-m", "pip", "freeze"]).splitlines()
        pairs = (line.replace(" @ ", "==", 1).split("==", 1) for line in lines)
        return {pair[0]: pair[1] if "://" not in pair[1] else "checkout" for pair in pairs if len(pair) == 2}

    def _install(self, python: Path, *what: str) -> None:
        self._run([str(python), "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS), *what])

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EnvError(f"{' '.join(command)} gave {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _digest_of_source() -> str:
    files = [CHECKOUT / "pyproject.toml", *sorted((CHECKOUT / "src").rglob("*"))]
    kept = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    return _digest([f"{file.relative_to(CHECKOUT)}\0{file.read_bytes().hex()}" for file in kept])


def _read(stamp: Path) -> list[str]:
    return [*stamp.read_text().split("\n")[:2]] if stamp.exists() else []


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
