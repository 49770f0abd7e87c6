"""Build CHANGELOG.md from fragments, so that two branches never change the same line of it.

A fragment is a file `changelog.d/<issue>.<kind>.md` that describes one change to users. `check` reports invalid
fragments; `draft` prints the section for the next release; `release` adds it to CHANGELOG.md and deletes the fragments.
Requires only the standard library, and doesn't judge version numbers.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

ROOT: Final = Path(__file__).resolve().parent.parent
KINDS: Final = ("added", "changed", "deprecated", "removed", "fixed")
NAME: Final = re.compile(rf"(?P<issue>\d+)(-[a-z0-9-]+)?\.(?P<kind>{'|'.join(KINDS)})\.md")
HERE: Final = "<!-- releases -->"


@final
@dataclass(frozen=True, slots=True, order=True)
class Fragment:
    """One change: the issue it belongs to, one of `KINDS`, and its text."""

    issue: int
    kind: str
    text: str


def read_fragments(folder: Path) -> tuple[list[Fragment], list[str]]:
    """Return the fragments in a folder, and complaints about the files that aren't valid ones."""
    fragments: list[Fragment] = []
    complaints: list[str] = []
    for path in sorted(folder.glob("*")):
        if path.name == "README.md":
            continue
        match = NAME.fullmatch(path.name)
        text = path.read_text("utf-8").strip()
        if match is None:
            complaints.append(f"{path.name}: must be named <issue>.<kind>.md, where kind is one of {', '.join(KINDS)}")
        elif not text:
            complaints.append(f"{path.name}: is empty; tell users what has changed for them")
        elif text.startswith(("#", "-", "*")):
            complaints.append(f"{path.name}: write plain sentences; the heading and the list mark are added for you")
        else:
            fragments.append(Fragment(int(match["issue"]), match["kind"], text))
    return sorted(fragments), complaints


def render(title: str, fragments: Sequence[Fragment]) -> str:
    """Return the section of CHANGELOG.md for these fragments."""
    blocks = [f"## {title}"]
    for kind in KINDS:
        entries = [fragment for fragment in fragments if fragment.kind == kind]
        if entries:
            lines = (f"- {entry.text.replace(chr(10), chr(10) + '  ')} (#{entry.issue})" for entry in entries)
            blocks.append(f"### {kind.capitalize()}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def insert_section(changelog: str, section: str) -> str:
    """Return the changelog with a section inserted above those of earlier releases."""
    if HERE not in changelog:
        raise SystemExit(f"CHANGELOG.md has no line {HERE}: add it above the newest release")
    head, _, tail = changelog.partition(HERE)
    return "\n\n".join(part.strip("\n") for part in (f"{head}{HERE}", section, tail)).rstrip() + "\n"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/changelog.py", description="CHANGELOG.md from fragments.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="report invalid fragments")
    commands.add_parser("draft", help="print the section for the next release")
    release = commands.add_parser("release", help="add that section to CHANGELOG.md and delete the fragments")
    release.add_argument("version")
    options = parser.parse_args(arguments)

    fragments, complaints = read_fragments(root / "changelog.d")
    if complaints:
        print(*complaints, sep="\n", file=sys.stderr)
        return 1
    if options.command == "draft":
        print(render("Unreleased", fragments), end="")
    elif options.command == "release":
        section = render(f"{options.version} ({datetime.now(UTC).date()})", fragments)
        changelog = root / "CHANGELOG.md"
        changelog.write_text(insert_section(changelog.read_text("utf-8"), section), "utf-8")
        for path in (root / "changelog.d").glob("*.*.md"):
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
