"""Folders for the data of servers: alone, removed, also those of killed processes."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from looprig.kits.folders import copy_tree, new_folder

KILLED = """
import os, signal, sys
from looprig.kits.folders import new_folder
with new_folder("things", sys.argv[1]) as folder:
    (folder / "data").write_text("left")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_for_its_user_alone_and_gone_afterwards(tmp_path: Path) -> None:
    with new_folder("things", tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "data").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_but_not_what_is_in_use(tmp_path: Path) -> None:
    killed = subprocess.run((sys.executable, "-c", KILLED, tmp_path), stdout=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = Path(killed.stdout.strip())
    assert left.is_dir()
    foreign = tmp_path / "looprig-things-without-a-lock"
    foreign.mkdir()
    with new_folder("things", tmp_path) as first:
        assert not left.exists()
        with new_folder("things", tmp_path):
            assert first.exists()
    assert list(tmp_path.iterdir()) == [foreign]


def test_a_copy_has_the_same_content_and_permissions(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(os.urandom(1000))
    (source / "folder").chmod(0o700)
    copy_tree(source, tmp_path / "target")
    assert (tmp_path / "target/folder/file").read_bytes() == (source / "folder/file").read_bytes()
    assert stat.S_IMODE((tmp_path / "target/folder").stat().st_mode) == 0o700
