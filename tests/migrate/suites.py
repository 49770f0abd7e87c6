"""Suites in memory, for tests of `looprig migrate`."""

import textwrap
from pathlib import PurePath

from looprig.migrate.whole import Rewritten, rewrite

__all__ = ["after", "left", "migrated"]


def migrated(files: dict[str, str]) -> Rewritten:
    """Rewrite a suite, and check that doing it again changes nothing and leaves the same."""
    before = {PurePath("/suite", name): textwrap.dedent(text).encode() for name, text in files.items()}
    done = rewrite(before)
    again = rewrite({**before, **done.files})
    assert again.files == {}
    assert again.left == done.left
    return done


def after(text: str, name: str = "test_it.py", **others: str) -> str:
    """Return a file of a suite after the rewriting. Other files are given by their names without `.py`."""
    files = {name: text, **{f"{other}.py": its for other, its in others.items()}}
    found = migrated(files).files.get(PurePath("/suite", name))
    return textwrap.dedent(text) if found is None else found.decode()


def left(text: str, name: str = "test_it.py", **others: str) -> list[str]:
    """Return what is left in a file of a suite, as `line:column: reason`."""
    files = {name: text, **{f"{other}.py": its for other, its in others.items()}}
    its = migrated(files).left.get(PurePath("/suite", name), [])
    return [f"{each.line}:{each.column}: {each.reason}" for each in its]
