"""ty and pyrefly find the same lines wrong as mypy and pyright in the files here, and mypy's message helps."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parent
FILES: Final = sorted(path for path in FOLDER.glob("test_*_types.py"))
IGNORE: Final = re.compile(r"\s*# type: ignore\[.*")
SCRIPTS: Final = Path(sys.executable).parent
COMMANDS: Final = {
    "ty": (SCRIPTS / "ty", "check", "--python", sys.prefix, "--output-format=concise", "--color=never"),
    "pyrefly": (
        *(SCRIPTS / "pyrefly", "check", "--preset=default", "--output-format=min-text"),
        *("--python-interpreter-path", sys.executable),
    ),
}
# ty 0.0.107 takes any keyword where a signature ends in `**options: Unpack[...]`; pyrefly 1.4.1 takes a text for a
# collection of numbers.
GAPS: Final = {
    "ty": {
        'await api.get("/", header={"a": "b"})',
        'await api.head("/", into=User)',
        'api.stream("GET", "/", into=User)',
        'api.stream("GET", "/", header={"a": "b"})',
    },
    "pyrefly": {'await api.get("/", status="200")'},
}


@pytest.mark.parametrize("checker", COMMANDS)
def test_the_same_lines_are_wrong(checker: str, tmp_path: Path) -> None:
    expected: set[tuple[str, int]] = set()
    gaps: set[str] = set()
    for path in FILES:
        lines = path.read_text("utf-8").splitlines()
        # Without the comments that silence checkers.
        (tmp_path / path.name).write_text("\n".join(IGNORE.sub("", line) for line in lines) + "\n", "utf-8")
        for number, line in enumerate(lines, 1):
            if IGNORE.search(line):
                code = IGNORE.sub("", line).strip()
                if code in GAPS[checker]:
                    gaps.add(code)
                else:
                    expected.add((path.name, number))
    command = [*map(str, COMMANDS[checker]), *(str(tmp_path / path.name) for path in FILES)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = {
        (name, int(line)) for name, line in re.findall(r"(test_\w+_types\.py):(\d+):", ran.stdout) if name and line
    }
    assert found == expected, ran.stdout + ran.stderr
    assert gaps == GAPS[checker], "a gap that is none any more"


def test_mypy_names_what_a_class_without_lifecycle_lacks(tmp_path: Path) -> None:
    text = (
        "from looprig import service_fixture\n\n@service_fixture\nclass Db:\n    async def start(self) -> None: ...\n"
    )
    (tmp_path / "services.py").write_text(text, "utf-8")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), "services.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "StartAndStopOrRunOrAenter" in ran.stdout, ran.stdout + ran.stderr
