"""Rewriting of a whole suite in memory: the changed files, and what is left to do by hand.

Invariants:
1. Rewriting a suite a second time changes nothing.
2. A file that libcst can't reproduce to the last byte is left as it is.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import PurePath
from typing import Final, final

import libcst as cst

from looprig.migrate.backends_fixture import without_backend
from looprig.migrate.by_hand import find_by_hand
from looprig.migrate.client_services import with_services
from looprig.migrate.clients import plan
from looprig.migrate.entrypoint_services import with_entrypoint
from looprig.migrate.fixtures import with_pytests_fixtures
from looprig.migrate.imports import without_unused_imports
from looprig.migrate.ini import is_ini, rewritten_ini
from looprig.migrate.left import Left
from looprig.migrate.loop_scopes import with_default_scope
from looprig.migrate.marks import without_marks
from looprig.migrate.plugins import without_plugins
from looprig.migrate.ports import with_held_ports
from looprig.migrate.rewriting import File, Rewriting
from looprig.migrate.suite import Suite

__all__ = ["Rewritten", "moved", "rewrite"]

_REWRITINGS: Final[tuple[Rewriting, ...]] = (
    without_marks,
    without_backend,
    with_pytests_fixtures,
    with_held_ports,
    with_services,
    with_entrypoint,
    without_plugins,
)
_WORDS: Final = (
    *(b"mark.asyncio", b"mark.anyio", b"anyio_backend", b"pytest_asyncio", b"pytest_plugins", b"def services"),
    *(b"aiohttp_", b"aiomisc_", b"tcp_port", b"udp_port", b"event_loop", b"loop_debug"),
    *(b"importorskip", b"plugin(", b"add_marker"),
)
"""A file that concerns another plugin contains one of these. Other files are not parsed, which saves time."""
_ROUNDS: Final = 5


@final
@dataclass(frozen=True, slots=True)
class Rewritten:
    """The changed files of a suite, and what is left to do by hand in each, at its lines after the change."""

    files: Mapping[PurePath, bytes]
    left: Mapping[PurePath, list[Left]]


def rewrite(files: Mapping[PurePath, bytes], is_ours: Callable[[PurePath], bool] = lambda _: True) -> Rewritten:
    """Rewrite the selected files of a suite, with knowledge of all its files."""
    ours = {path: text for path, text in files.items() if is_ours(path)}
    now = {**files, **with_default_scope(ours)}
    left: dict[PurePath, list[Left]] = {}
    unchanged: list[File] = []
    for _ in range(_ROUNDS):
        suite = Suite(now)
        new = dict(now)
        left, unchanged = {}, []
        for path, text in now.items():
            if is_ours(path):
                new[path], left[path] = _rewritten(path, text, suite, unchanged)
        if new == now:
            break
        now = new
    for file in unchanged:
        find_by_hand(file)
    changed = {path: text for path, text in now.items() if text != files.get(path)}
    return Rewritten(changed, {path: sorted(set(its)) for path, its in left.items() if its})


def _rewritten(path: PurePath, text: bytes, suite: Suite, unchanged: list[File]) -> tuple[bytes, list[Left]]:
    if is_ini(path):
        return rewritten_ini(path, text)
    shared = [each.fixture.encode() for each in plan(suite).clients if each.is_shared]
    if not any(word in text for word in (*_WORDS, *shared)):
        return text, []
    try:
        module, is_exact = _parsed(text)
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError) as error:
        line = error.raw_line if isinstance(error, cst.ParserSyntaxError) else getattr(error, "lineno", None) or 1
        return text, [Left(line, 1, "the file is not valid Python, so it is left as it is")]
    if not is_exact:
        return text, [Left(1, 1, "the file's line ends are mixed in a way that can't be kept, so it is left as it is")]
    left: list[Left] = []
    file = File(path, module, text, suite, left)
    for rewriting in _REWRITINGS:
        module = rewriting(file)
        if module is not file.module and (new := module.bytes) != file.text:
            file = File(path, module, new, suite, left)
    if file.text == text:
        unchanged.append(file)
        return text, left
    return without_unused_imports(text, file.text, file.module).bytes, left


@cache
def _parsed(text: bytes) -> tuple[cst.Module, bool]:
    """Return a module, and whether libcst reproduces its text. Cached, since most files don't change between rounds."""
    ast.parse(text)  # libcst may support a newer Python than this one
    module = cst.parse_module(text)
    return module, module.bytes == text


def moved(left: list[Left], before: bytes, after: bytes) -> Iterator[Left]:
    """Yield what is left to do by hand in a changed file, at its lines before the change."""
    old, new = before.splitlines(), after.splitlines()
    blocks = SequenceMatcher(None, new, old, autojunk=False).get_opcodes()
    for each in left:
        line = each.line - 1
        for _, start, end, there, there_end in blocks:
            if start <= line < end:
                place = min(there + line - start, max(there, there_end - 1), len(old) - 1)
                yield Left(place + 1, each.column, each.reason)
                break
