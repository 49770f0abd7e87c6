"""Build CHANGELOG.md from fragments, so that two branches never change the same line of it.

A fragment is a file `changelog.d/<issue>.<kind>.md` that describes one change to users. `check` reports invalid
fragments; `draft` prints the section for the next release; `release` adds it to CHANGELOG.md and deletes the fragments;
`ready` reports what is left to do before a version is published. A section that was written by hand, as that of the
first release, is kept by `release --written`. Requires only the standard library, and doesn't judge version numbers.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

ROOT: Final = Path(__file__).resolve().parent.parent
KINDS: Final = ("added", "changed", "deprecated", "removed", "fixed")
NAME: Final = re.compile(rf"(?P<issue>\d+)(-[a-z0-9-]+)?\.(?P<kind>{'|'.join(KINDS)})\.md")
HERE: Final = "<!-- releases -->"
VERSION: Final = re.compile(r'__version__: Final = "(.+)"')


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


def heading_of(changelog: str, version: str) -> str | None:
    """Return the heading of a version's section, or None if there is none."""
    found = re.search(rf"^## {re.escape(version)}(?: \(\S+\))?$", changelog, re.MULTILINE)
    return None if found is None else found[0]


def release(root: Path, version: str, fragments: Sequence[Fragment], *, written: bool) -> None:
    """Write the section of a release, or date the one that was written by hand, and delete the fragments."""
    path = root / "CHANGELOG.md"
    changelog = path.read_text("utf-8")
    heading, title = heading_of(changelog, version), f"{version} ({datetime.now(UTC).date()})"
    if written:
        if heading is None:
            raise SystemExit(f"CHANGELOG.md has no section {version}: write it first, or leave out --written")
        changelog = changelog.replace(heading, f"## {title}")
    elif heading is not None:
        raise SystemExit(f"CHANGELOG.md already has a section {version}: to keep its text, add --written")
    else:
        changelog = insert_section(changelog, render(title, fragments))
    path.write_text(changelog, "utf-8")
    for fragment in (root / "changelog.d").glob("*.*.md"):
        fragment.unlink()


def unready(root: Path, version: str, fragments: Sequence[Fragment]) -> Iterator[str]:
    """Yield what is left to do before this version can be published."""
    found = VERSION.search((root / "src/looprig/_version.py").read_text("utf-8"))
    if found is None or found[1] != version:
        yield f"_version.py says {found[1] if found else 'nothing'}, not {version}"
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    heading, newest = heading_of(changelog, version), re.search(r"^## .*$", changelog, re.MULTILINE)
    if heading is None or not heading.endswith(")"):
        yield f"CHANGELOG.md has no section {version} with a date: run `python3 tools/changelog.py release {version}`"
    elif newest is not None and newest[0] != heading:
        yield f"{version} isn't the newest section of CHANGELOG.md, which is {newest[0].removeprefix('## ')}"
    if fragments:
        yield f"{len(fragments)} fragments are left in changelog.d"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 tools/changelog.py", description="CHANGELOG.md from fragments.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="report invalid fragments")
    commands.add_parser("draft", help="print the section for the next release")
    releasing = commands.add_parser("release", help="add that section to CHANGELOG.md and delete the fragments")
    releasing.add_argument("version")
    releasing.add_argument("--written", action="store_true", help="keep the section as it was written by hand")
    commands.add_parser("ready", help="report what is left to do before a version is published").add_argument("version")
    options = parser.parse_args(arguments)

    fragments, complaints = read_fragments(root / "changelog.d")
    if complaints:
        print(*complaints, sep="\n", file=sys.stderr)
        return 1
    if options.command == "draft":
        print(render("Unreleased", fragments), end="")
    elif options.command == "release":
        release(root, options.version, fragments, written=options.written)
    elif options.command == "ready":
        left = [*unready(root, options.version, fragments)]
        print(*left, sep="\n", end="\n" if left else "", file=sys.stderr)
        return 1 if left else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
