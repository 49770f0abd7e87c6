"""Keep CHANGELOG.md from fragments, so that two changes never meet on the same line.

A fragment is a file `changelog.d/<issue>.<kind>.md`: one user-visible change, told to users. `check` says what
is wrong with them; `draft` prints the section that they make; `release` writes it into CHANGELOG.md and
deletes them. Standard library alone, and no opinion on version numbers.
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
    """The fragments in a folder, and what is wrong with those that are none."""
    fragments: list[Fragment] = []
    complaints: list[str] = []
    for path in sorted(folder.glob("*")):
        if path.name == "README.md":
            continue
        match = NAME.fullmatch(path.name)
        text = path.read_text("utf-8").strip()
        if match is None:
            complaints.append(f"{path.name}: name it <issue>.<kind>.md, its kind one of {', '.join(KINDS)}")
        elif not text:
            complaints.append(f"{path.name}: empty; tell users what is new to them")
        elif text.startswith(("#", "-", "*")):
            complaints.append(f"{path.name}: write plain sentences; heading and list mark are added for you")
        else:
            fragments.append(Fragment(int(match["issue"]), match["kind"], text))
    return sorted(fragments), complaints


def render(title: str, fragments: Sequence[Fragment]) -> str:
    """The section of CHANGELOG.md that the fragments make."""
    blocks = [f"## {title}"]
    for kind in KINDS:
        entries = [fragment for fragment in fragments if fragment.kind == kind]
        if entries:
            lines = (f"- {entry.text.replace(chr(10), chr(10) + '  ')} (#{entry.issue})" for entry in entries)
            blocks.append(f"### {kind.capitalize()}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def insert_section(changelog: str, section: str) -> str:
    """The changelog with a section put above those of earlier releases."""
    if HERE not in changelog:
        raise SystemExit(f"CHANGELOG.md has no line {HERE}: put it above the newest release")
    head, _, tail = changelog.partition(HERE)
    return "\n\n".join(part.strip("\n") for part in (f"{head}{HERE}", section, tail)).rstrip() + "\n"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/changelog.py", description="CHANGELOG.md from fragments.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say what is wrong with the fragments")
    commands.add_parser("draft", help="print the section that the fragments make")
    release = commands.add_parser("release", help="write that section into CHANGELOG.md, delete the fragments")
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
