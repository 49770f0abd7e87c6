"""Programs of servers: where they are found, and what is said if they aren't."""

import os
from pathlib import Path

import pytest

from looprig.exceptions import ServiceStartError
from looprig.kits.programs import Kit
from looprig.location import UNKNOWN
from tests.kits.conftest import script

PARTY = "Db", UNKNOWN


def kit(tmp_path: Path) -> Kit:
    return Kit("Base", (("base", "ground"), ("initbase",)), (f"{tmp_path}/usr/base/*/bin",), ("`get base` (Here)",))


def install(folder: Path, version: int, name: str = "base") -> Path:
    folder.mkdir(parents=True)
    script(folder / name, f"echo 'base (Base) {version}.3'")
    script(folder / "initbase", "exit 1")
    return folder


def test_path_comes_first_and_then_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    for version in (9, 16, 15):
        install(tmp_path / "usr" / "base" / str(version) / "bin", version)
    assert kit(tmp_path).find(folder=None, version=None, party=PARTY).version == 16
    assert kit(tmp_path).find(folder=None, version=9, party=PARTY).told == "base (Base) 9.3"
    install(tmp_path / "bin", 12)
    found = Kit(*_parts(kit(tmp_path), "other")).find(folder=None, version=None, party=PARTY)
    assert (found.version, found.server) == (12, tmp_path / "bin" / "base")


def _parts(given: Kit, title: str) -> tuple[str, tuple[tuple[str, ...], ...], tuple[str, ...], tuple[str, ...]]:
    """Another kit, since what was found for one is remembered."""
    return title, given.programs, given.places, given.install


def test_an_alternative_name_will_do_but_half_of_the_programs_will_not(tmp_path: Path) -> None:
    folder = install(tmp_path / "usr" / "base" / "1" / "bin", 1, "ground")
    assert kit(tmp_path).find(folder=folder, version=None, party=PARTY).server == folder / "ground"
    (install(tmp_path / "half", 2) / "initbase").unlink()
    with pytest.raises(ServiceStartError):
        kit(tmp_path).find(folder=tmp_path / "half", version=None, party=PARTY)


def test_an_error_says_where_it_looked_and_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere:/else")
    with pytest.raises(ServiceStartError) as raised:
        kit(tmp_path).find(folder=None, version=None, party=PARTY)
    assert str(raised.value) == (
        "Db needs Base, which was not found.\n"
        "Looked for base or ground and initbase in:\n"
        "    PATH: /nowhere:/else\n"
        f"    {tmp_path}/usr/base/*/bin\n"
        "Install it: `get base` (Here). Or set `bin` to the folder where it is."
    )


def test_an_error_lists_other_versions(tmp_path: Path) -> None:
    folder = install(tmp_path / "usr" / "base" / "15" / "bin", 15)
    with pytest.raises(ServiceStartError, match=rf"needs Base 16, which was not found \(found: 15 in {folder}\)\."):
        kit(tmp_path).find(folder=None, version=16, party=PARTY)
