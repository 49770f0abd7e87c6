"""Where type checkers keep what they found out about a project."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["checker_cache"]


@contextmanager
def checker_cache(config: pytest.Config, *names: str) -> Generator[Path, None, None]:
    """Yield the folder of these names in pytest's cache, which stays between runs, or else a temporary one."""
    with tempfile.TemporaryDirectory(prefix="looprig-cache-") as spare:
        yield _kept(config, *names) or Path(spare)


def _kept(config: pytest.Config, first: str, *names: str) -> Path | None:
    cache = getattr(config, "cache", None)
    if cache is None:
        return None
    try:
        folder = Path(cache.mkdir(first), *names)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
