"""Compare the distributions with the repository: `python tools/contents.py WHEEL SDIST`.

The source distribution must contain every file of the repository, so that the tests can be run from it, and nothing
else. The wheel must contain all of the package with its stubs, and nothing else. A wheel that is built from the source
distribution must be the same. No link in its description may be relative, since the package index has no other pages.
Requires hatchling and git, and the standard library otherwise.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
ADDED: Final = {"PKG-INFO"}  # by the build
RELATIVE: Final = re.compile(r"\]\((?!https?:|#)[^)]+\)")


def repository_files(root: Path) -> set[str]:
    """Return the files that git tracks or would track."""
    listing = ("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    output = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=True).stdout
    return {name for name in output.split("\0") if name and (root / name).is_file()}


def sdist_files(sdist: Path) -> set[str]:
    """Return the files of a source distribution, without its folder."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def wheel_files(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel, except for its list of files."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def package_files(files: set[str]) -> set[str]:
    """Return the paths in the wheel of those files of the repository that belong there."""
    own = {name.removeprefix("src/") for name in files if name.startswith("src/looprig/")}
    return own | {f"looprig/{name}" for name in files if name.startswith("stubs/")}


def rebuilt(sdist: Path, folder: Path) -> dict[str, bytes]:
    """Return the files of the wheel that is built from a source distribution."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = next(folder.iterdir())
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist"))
    subprocess.run(build, cwd=source, capture_output=True, check=True)
    return wheel_files(next((folder / "dist").glob("*.whl")))


def complaints(wheel: Path, sdist: Path) -> Iterator[str]:
    """Yield what is wrong with the distributions."""
    files = repository_files(ROOT)
    yield from _differences("the source distribution", files, sdist_files(sdist) - ADDED)
    found = wheel_files(wheel)
    package = {name for name in found if not name.partition("/")[0].endswith(".dist-info")}
    yield from _differences("the wheel", package_files(files), package)
    description = next(text for name, text in found.items() if name.endswith(".dist-info/METADATA")).decode()
    yield from (f"the description has a relative link: {link}" for link in RELATIVE.findall(description))
    with tempfile.TemporaryDirectory() as folder:
        yield from _changes(found, rebuilt(sdist, Path(folder)))


def _differences(what: str, expected: set[str], found: set[str]) -> Iterator[str]:
    yield from (f"{what} lacks {name}" for name in sorted(expected - found))
    yield from (f"{what} should not contain {name}" for name in sorted(found - expected))


def _changes(found: Mapping[str, bytes], again: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted({*found, *again}):
        if found.get(name) != again.get(name):
            yield f"a wheel built from the source distribution has another {name}"


def main(arguments: list[str]) -> int:
    """Print what is wrong, and return the exit status."""
    wheel, sdist = map(Path, arguments)
    found = [*complaints(wheel, sdist)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
