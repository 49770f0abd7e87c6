"""The tests that a node id names: one, or all of a class, a file or a folder.

Does not select tests to run; pytest does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import pytest

__all__ = ["file_of", "find_tests", "without_case"]

_NEAR: Final = 5
"""The ids that an error suggests."""
_ALIKE: Final = 0.75
"""How similar they are at least, from 0 to 1."""
_BELOW: Final = ("::", "/", "[", "@")
"""What follows the id of a node in those below it. pytest-xdist appends the name of a group after "@"."""


def file_of(nodeid: str) -> str:
    """Return the file of a node."""
    return nodeid.partition("::")[0]


def without_case(item: pytest.Item) -> str:
    """Return the id of a test without that of its parameters."""
    name: str | None = getattr(item, "originalname", None)
    return item.nodeid if name is None or item.parent is None else f"{item.parent.nodeid}::{name}"


def find_tests(wanted: str, items: Sequence[pytest.Item], config: pytest.Config) -> list[pytest.Item]:
    """Return the tests with this id, or below it.

    Raises:
        pytest.UsageError: no test was collected there. The message suggests ids.
    """
    for given in _spellings(wanted, config):
        found = [item for item in items if item.nodeid == given or item.nodeid.startswith(_all_below(given))]
        if found:
            return found
    near = _near(wanted, items)
    raise pytest.UsageError(
        f"--explain-loops={wanted}: no test with this id was collected. "
        + ("Did you mean one of these?\n" + "\n".join(f"  {each}" for each in near) if near else _LISTED)
    )


_LISTED: Final = "`pytest --collect-only -q` shows the ids."


def _all_below(given: str) -> tuple[str, ...]:
    return ("",) if given == "." else tuple(given + separator for separator in _BELOW)


def _spellings(wanted: str, config: pytest.Config) -> Iterator[str]:
    """Yield the id as given, and as it is if its path is relative to the working directory, as for pytest itself."""
    path, separator, names = wanted.partition("::")
    if path:
        yield path.rstrip("/") + separator + names
        from_root = os.path.relpath(config.invocation_params.dir / path, config.rootpath)
        yield Path(from_root).as_posix() + separator + names


def _near(wanted: str, items: Iterable[pytest.Item]) -> list[str]:
    """Return ids like the wanted one: first those that end like it, such as those of a test named without its file."""
    ids: dict[str, None] = {}
    for item in items:
        parts = without_case(item).split("::")
        ids |= dict.fromkeys("::".join(parts[: length + 1]) for length in range(len(parts)))
        if "[" in wanted:
            ids[item.nodeid] = None
    by_end: dict[str, list[str]] = {}
    for each in ids:
        by_end.setdefault(_end(each), []).append(each)
    ends = get_close_matches(_end(wanted), by_end, _NEAR, _ALIKE)
    near = [each for end in ends for each in get_close_matches(wanted, by_end[end], _NEAR, cutoff=0.0)]
    return [*dict.fromkeys([*near, *get_close_matches(wanted, ids, _NEAR, _ALIKE)])][:_NEAR]


def _end(nodeid: str) -> str:
    return nodeid.rpartition("::")[2].rpartition("/")[2]
