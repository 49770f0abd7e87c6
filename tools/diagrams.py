"""The script that draws the diagrams of the docs site: mermaid, fetched with npm once for each version.

    python tools/diagrams.py

Requires only the standard library. Without npm or a network it fetches nothing and says so, which is no error: readers'
browsers then load the script from a CDN.

Invariant: `build/mermaid-VERSION` is there only if it is complete.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["main"]

ROOT: Final = Path(__file__).resolve().parent.parent
VERSION: Final = re.compile(r'^mermaid_version = "(.+)"$', re.MULTILINE)
LIMIT: Final = 120.0  # seconds
# An ES module, and what it loads for each kind of diagram.
MODULES: Final = re.compile(r"package/dist/(?P<path>mermaid\.esm\.min\.mjs|chunks/mermaid\.esm\.min/[^/]+\.mjs)")


def main() -> int:
    """Fetch the version that docs/conf.py names, and return the exit status."""
    found = VERSION.search((ROOT / "docs" / "conf.py").read_text("utf-8"))
    if found is None:
        print("docs/conf.py names no version of mermaid", file=sys.stderr)
        return 1
    folder = ROOT / "build" / f"mermaid-{found[1]}"
    if folder.is_dir():
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print("npm isn't installed, so browsers will load the diagrams' script from a CDN")
        return 0
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        try:
            pack = (npm, "pack", "--silent", "--pack-destination", name, f"mermaid@{found[1]}")
            subprocess.run(pack, stdin=subprocess.DEVNULL, check=True, timeout=LIMIT, cwd=name)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"npm can't fetch mermaid, so browsers will load the diagrams' script from a CDN: {error}")
            return 0
        unpacked = Path(name, "unpacked")
        unpack(next(Path(name).glob("*.tgz")), unpacked)
        unpacked.rename(folder)
    return 0


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the script's modules into the folder `mermaid` of this folder."""
    with tarfile.open(archive) as packed:
        for member in packed:
            if (module := MODULES.fullmatch(member.name)) is not None:
                member.name = f"mermaid/{module['path']}"
                packed.extract(member, folder, filter="data")


if __name__ == "__main__":
    sys.exit(main())
