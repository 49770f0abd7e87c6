"""Type checkers keep what they know of the standard library and of pytest from test to test."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def pytester(pytester: pytest.Pytester, kept: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-o cache_dir={kept}")
    return pytester
