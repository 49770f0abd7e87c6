"""What a release consists of: its metadata, its distributions, the checks of them, and the files for GitHub."""

import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from tests.house.repository import ROOT, tracked_files
from tools import changelog, commands, contents, distributions, pythons, steps, workshop
from tools.pythons import Python
from tools.workshop import BUILD, Step, Workshop

PYTHON: Final = Python("3.13", sys.executable)


def test_every_link_of_the_package_leads_to_the_repository() -> None:
    urls: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert {*urls} == {"Changelog", "Documentation", "Homepage", "Issues", "Source"}
    for url in urls.values():
        assert url.startswith("https://github.com/looprig/looprig")
        file = url.partition("/blob/main/")[2]
        assert not file or (ROOT / file).is_file()


def test_the_changelog_begins_with_the_version() -> None:
    version = changelog.VERSION.search((ROOT / "src/looprig/_version.py").read_text())
    assert version is not None
    assert changelog.heading_of((ROOT / "CHANGELOG.md").read_text(), version[1]) is not None


# The distributions


def archived(path: Path, files: dict[str, str]) -> Path:
    """Write a wheel or a source distribution with these files."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        return path
    with tarfile.open(path, "w:gz") as sdist:
        for name, text in files.items():
            member = tarfile.TarInfo(f"looprig-1/{name}")
            member.size = len(text)
            sdist.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a repository with a package, a stub, a test and a file that git ignores."""
    root = tmp_path / "repository"
    for name in (".gitignore", "src/looprig/a.py", "stubs/b.pyi", "tests/test_c.py", "junk"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("junk\n" if name == ".gitignore" else name)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    monkeypatch.setattr(contents, "ROOT", root)
    return root


WHEEL: Final = {"looprig/a.py": "a", "looprig/stubs/b.pyi": "b", "looprig-1.dist-info/METADATA": "m"}
SDIST: Final = {".gitignore": "", "src/looprig/a.py": "", "stubs/b.pyi": "", "tests/test_c.py": "", "PKG-INFO": ""}


@pytest.mark.parametrize(
    ("wheel", "sdist", "again", "expected"),
    [
        pytest.param({}, {}, {}, [], id="as it should be"),
        pytest.param(
            {"looprig/a.py": None, "tests/test_c.py": "c"},
            {},
            {"looprig/a.py": None, "tests/test_c.py": "c"},
            ["the wheel lacks looprig/a.py", "the wheel should not contain tests/test_c.py"],
            id="the wheel",
        ),
        pytest.param(
            {"looprig-1.dist-info/METADATA": "[a](https://example.test) [b](docs/b.md#c) [d](#d)"},
            {},
            {"looprig-1.dist-info/METADATA": "[a](https://example.test) [b](docs/b.md#c) [d](#d)"},
            ["the description has a relative link: ](docs/b.md#c)"],
            id="the description",
        ),
        pytest.param(
            {},
            {"tests/test_c.py": None, "junk": ""},
            {},
            ["the source distribution lacks tests/test_c.py", "the source distribution should not contain junk"],
            id="the source distribution",
        ),
        pytest.param(
            {},
            {},
            {"looprig/a.py": "other", "looprig/stubs/b.pyi": None},
            [
                "a wheel built from the source distribution has another looprig/a.py",
                "a wheel built from the source distribution has another looprig/stubs/b.pyi",
            ],
            id="the wheel that is built again",
        ),
    ],
)
def test_what_distributions_lack_or_should_not_contain_is_told(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    wheel: dict[str, str | None],
    sdist: dict[str, str | None],
    again: dict[str, str | None],
    expected: list[str],
) -> None:
    def changed(files: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
        return {name: text for name, text in {**files, **changes}.items() if text is not None}

    def rebuilt(_: Path, folder: Path) -> dict[str, bytes]:
        return contents.wheel_files(archived(folder / "again.whl", changed(WHEEL, again)))

    monkeypatch.setattr(contents, "rebuilt", rebuilt)
    built = archived(repository.parent / "a.whl", changed(WHEEL, wheel))
    source = archived(repository.parent / "a.tar.gz", changed(SDIST, sdist))
    assert [*contents.complaints(built, source)] == expected
    assert contents.main([str(built), str(source)]) == bool(expected)


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Return the steps that are run from now on. They do nothing."""
    ran: list[Step] = []

    def run(_: Workshop, step: Step) -> bool:
        ran.append(step)
        return True

    monkeypatch.setattr(Workshop, "run", run)
    return ran


def test_each_distribution_is_tried_without_extras_and_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = recorded(monkeypatch)
    distributions.try_on(Workshop(ROOT), [PYTHON], ("wheel", "sdist"))
    assert [(step.environment.name, step.environment.extras, step.environment.source) for step in ran] == [
        ("bare-wheel-3.13", "", "wheel"),
        ("smoke-wheel-3.13", "aiohttp", "wheel"),
        ("bare-sdist-3.13", "", "sdist"),
        ("smoke-sdist-3.13", "aiohttp", "sdist"),
    ]
    assert all((ROOT / step.command.split()[-1]).exists() for step in ran)


@pytest.mark.parametrize(("only", "count"), [("", 3), ("twine", 1), ("contents", 2)])
def test_distributions_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str, count: int) -> None:
    ran = recorded(monkeypatch)
    shop = Workshop(tmp_path)
    shop.distributions = tmp_path / "a.whl", tmp_path / "a.tar.gz"
    distributions.check_distributions(shop, only=only)
    assert [step.environment for step in ran] == [BUILD] * count


def test_nothing_is_built_for_other_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: Workshop, step: Step) -> bool:
        raise AssertionError(step.name)

    monkeypatch.setattr(Workshop, "run", run)
    distributions.check_distributions(Workshop(tmp_path), only="mypy")
    distributions.try_on(Workshop(tmp_path), [PYTHON], ("sdist",), only="mypy")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("smoke", [("3.13", ("wheel",))]),
        ("dist", ["checks", ("3.13", ("wheel", "sdist")), ("3.11", ("wheel", "sdist"))]),
    ],
)
def test_the_commands_try_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, expected: list[Any]
) -> None:
    """`smoke` on the running Python, `dist` on each."""
    did: list[Any] = []

    def try_on(_: Workshop, pythons: list[Python], kinds: tuple[str, ...], **__: object) -> None:
        did.extend((python.version, kinds) for python in pythons)

    def check(_: Workshop) -> None:
        did.append("checks")

    monkeypatch.setattr(commands, "try_on", try_on)
    monkeypatch.setattr(commands, "check_distributions", check)
    monkeypatch.setattr(commands, "missing_pythons", list[str])
    monkeypatch.setattr(commands, "find_pythons", lambda: [PYTHON, Python("3.11", sys.executable)])
    assert commands.main(["--venvs", str(tmp_path), command]) == 0
    assert did == expected


def test_where_there_are_no_process_groups_the_command_itself_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setattr(workshop, "os", SimpleNamespace(name="nt"))
        workshop.kill_group(process)
        assert process.wait(30) != 0


# Files for GitHub


def test_every_file_for_github_is_checked() -> None:
    checked = " ".join(step.command for step in steps.STATIC_STEPS)
    files = [path.relative_to(ROOT).as_posix() for path in tracked_files() if path.suffix in {".yml", ".yaml"}]
    assert [name for name in files if name.startswith(".github/") and name not in checked] == []
    assert any(name.startswith(".github/workflows/") for name in files)


def test_every_action_is_pinned_by_its_hash_and_says_its_version() -> None:
    """A tag can be moved. dependabot updates both."""
    used = [
        line.partition("uses: ")[2]
        for path in (ROOT / ".github/workflows").glob("*.yml")
        for line in path.read_text().splitlines()
        if "uses: " in line
    ]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []
    versions: dict[str, set[str]] = {}
    for each in used:
        versions.setdefault(each.partition("@")[0], set()).add(each)
    assert [name for name, found in versions.items() if len(found) > 1] == []


def test_ci_runs_on_every_python() -> None:
    found = re.findall(r"^ +(3\.\d+)$", (ROOT / ".github/workflows/ci.yml").read_text(), re.MULTILINE)
    assert sorted(found) == [*pythons.PYTHONS]
