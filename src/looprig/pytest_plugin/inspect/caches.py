"""The caches of type checkers."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["checker_cache"]


@contextmanager
def checker_cache(config: pytest.Config, *names: str) -> Generator[Path, None, None]:
    """Yield a folder in pytest's cache, which is kept between runs, or a temporary one if that is disabled."""
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
