"""The command `looprig migrate PATH`.

Does not rewrite (`whole` does, in memory), so that a mistake in one file leaves all files unchanged.

Invariants:
1. The difference is shown before anything is written, and nothing is written without `--write`.
2. The difference is written to the standard output, so that it can be saved or applied. Everything else is written to
   the standard error.
"""

import argparse
import difflib
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from looprig._extras import import_extra
from looprig.exceptions import ExtraMissingError
from looprig.migrate.files import read, root_of

if TYPE_CHECKING:
    from looprig.migrate.left import Left

__all__ = ["configure"]

_DESCRIPTION: Final = """\
Rewrite a suite of pytest-asyncio, anyio's plugin, pytest-aiohttp or aiomisc to looprig's idiom.
Prints the difference and changes nothing, unless --write is given. Lists what is left to do by hand.

Exit status: 0 if there was nothing to rewrite or it was written, 1 if there is a difference that was not
written, 2 if the suite could not be read."""

NOTHING_TO_WRITE: Final = 0
NOT_WRITTEN: Final = 1
WRONG: Final = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser, and the function that runs it."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a folder or file of the suite")
    parser.add_argument("--write", action="store_true", help="write the changes")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    paths: list[Path] = options.paths
    missing = [path for path in paths if not path.exists()]
    if missing:
        return _fail(f"{missing[0]} does not exist.")
    try:
        import_extra("libcst", extra="migrate", needed_for="looprig migrate")
        return _migrate([path.resolve() for path in paths], write=options.write)
    except (ExtraMissingError, OSError) as error:
        return _fail(str(error))


def _fail(what: str) -> int:
    sys.stderr.write(f"{what}\n")
    return WRONG


def _migrate(paths: Sequence[Path], *, write: bool) -> int:
    from looprig.migrate.whole import moved, rewrite  # noqa: PLC0415 - libcst

    files = read({root_of(path) for path in paths}, paths)

    def is_ours(path: PurePath) -> bool:
        return any(path.is_relative_to(each) for each in paths)

    done = rewrite(files, is_ours)
    for path, text in sorted(done.files.items()):
        sys.stdout.writelines(_difference(_shown(path), files.get(path, b""), text))
    sys.stdout.flush()
    left: Mapping[PurePath, Iterable[Left]] = done.left
    if write:
        for path, text in done.files.items():
            Path(path).write_bytes(text)
    else:
        left = {
            path: [*moved(its, files.get(path, b""), done.files[path])] if path in done.files else its
            for path, its in done.left.items()
        }
    for line in (*_left(left), _conclusion(len(done.files), write=write)):
        sys.stderr.write(f"{line}\n")
    return NOT_WRITTEN if done.files and not write else NOTHING_TO_WRITE


def _difference(name: str, before: bytes, after: bytes) -> Iterator[str]:
    for line in difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: bytes) -> list[str]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(text).readline)
        return _split(text.decode(encoding))
    except (SyntaxError, UnicodeDecodeError):
        return _split(text.decode("utf-8", "replace"))


def _split(text: str) -> list[str]:
    """Return the lines of a text. `splitlines` would also split at form feeds."""
    return list(io.StringIO(text, newline=""))


def _left(left: Mapping[PurePath, Iterable["Left"]]) -> Iterator[str]:
    lines = [
        f"{_shown(path)}:{each.line}:{each.column}: {each.reason}" for path, its in sorted(left.items()) for each in its
    ]
    if lines:
        yield "Left to do by hand:"
        yield from (f"  {line}" for line in lines)


def _conclusion(count: int, *, write: bool) -> str:
    files = f"{count} file" if count == 1 else f"{count} files"
    if not count:
        return "Nothing to rewrite."
    them = "it" if count == 1 else "them"
    return f"Rewrote {files}." if write else f"Would rewrite {files}. To write {them}: looprig migrate --write"


def _shown(path: PurePath) -> str:
    """Return a path relative to the current folder if it is below that."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
