"""The command: what it prints, what it writes, and its exit status."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from looprig.__main__ import main

TEST = "import pytest\n\n\n@pytest.mark.asyncio\nasync def test_it(free_udp_port): ...\n"
DIFFERENCE = """\
--- a/test_it.py
+++ b/test_it.py
@@ -1,5 +1 @@
-import pytest
-
-
-@pytest.mark.asyncio
 async def test_it(free_udp_port): ...
"""
LEFT = "free_udp_port: request aiomisc_unused_port_factory and call it with (socket.AF_INET, socket.SOCK_DGRAM)\n"


@pytest.fixture(autouse=True)
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TEST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_difference_is_shown_and_not_written(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "."]) == 1
    shown = capsys.readouterr()
    assert shown.out == DIFFERENCE
    assert shown.err == (
        f"Left to do by hand:\n  test_it.py:5:19: {LEFT}Would rewrite 1 file. To write it: looprig migrate --write\n"
    )
    assert (suite / "test_it.py").read_text() == TEST


def test_it_is_written_on_demand_and_then_there_is_nothing_to_do(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate", "--write", "."]) == 0
    shown = capsys.readouterr()
    assert shown.out == DIFFERENCE
    assert shown.err == f"Left to do by hand:\n  test_it.py:1:19: {LEFT}Rewrote 1 file.\n"
    assert (suite / "test_it.py").read_text() == "async def test_it(free_udp_port): ...\n"
    assert main(["migrate", "test_it.py"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"Left to do by hand:\n  test_it.py:1:19: {LEFT}Nothing to rewrite.\n"


def test_a_path_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "tets"]) == 2
    assert capsys.readouterr().err == "tets does not exist.\n"


def test_files_outside_the_path_are_not_rewritten(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = suite / "inner"
    folder.mkdir()
    (folder / "test_it.py").write_text(TEST)
    assert main(["migrate", "--write", "inner"]) == 0
    assert (suite / "test_it.py").read_text() == TEST
    assert (folder / "test_it.py").read_text() != TEST


@pytest.mark.parametrize("name", [".venv/x", "build/x", "own/lib", "__pycache__"])
def test_environments_and_what_is_built_are_not_looked_at(suite: Path, name: str) -> None:
    folder = suite / name
    folder.mkdir(parents=True)
    (suite / "test_it.py").unlink()
    (folder / "test_it.py").write_text(TEST)
    if name.startswith("own"):
        (suite / "own/pyvenv.cfg").touch()
    assert main(["migrate", "."]) == 0


def test_without_libcst_it_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert main(["migrate", "."]) == 2
    expected = "looprig migrate needs libcst, which is not installed.\npip install 'looprig[migrate]'\n"
    assert capsys.readouterr().err == expected


def test_it_runs_as_a_module(suite: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "looprig", "migrate", "."], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, DIFFERENCE)


@pytest.mark.parametrize("module", ["pytest", "_pytest", "libcst"])
def test_starting_the_program_loads_neither_pytest_nor_libcst(module: str) -> None:
    program = f"import sys, looprig.__main__; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
