"""Render the pictures of terminal output from real runs: `python docs/pictures/render.py`.

Each folder beside this file is a suite. Its run, with pytest's colours, becomes `<folder>.svg`.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["main", "render", "run", "suites"]

HERE: Final = Path(__file__).resolve().parent
COLUMNS: Final = 112
_SETTINGS: Final = ("BUILD_NUMBER", "CI", "COLUMNS", "PYTEST")  # on CI, pytest ends a report differently
THEME: Final = (
    (24, 26, 31),
    (214, 217, 224),
    [
        (60, 64, 72),
        (240, 113, 120),
        (166, 218, 149),
        (238, 212, 159),
        (138, 173, 244),
        (198, 160, 246),
        (139, 213, 202),
        (214, 217, 224),
    ],
    [
        (128, 134, 148),
        (243, 139, 145),
        (178, 224, 163),
        (245, 224, 180),
        (156, 187, 247),
        (211, 179, 250),
        (160, 224, 214),
        (240, 242, 247),
    ],
)
# Fonts of the reader's own: a picture in a README may load nothing.
SVG: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def suites() -> list[Path]:
    """Return the folders of the suites."""
    return sorted(path for path in HERE.iterdir() if any(path.glob("test_*.py")))


def run(folder: Path) -> str:
    """Return what a run of a suite prints, in colour, with the same duration every time."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    with tempfile.TemporaryDirectory() as rootdir:
        for file in folder.glob("*.py"):
            Path(rootdir, file.name).write_bytes(file.read_bytes())
        printed = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--color=yes", "-p", "no:cacheprovider"],
            capture_output=True,
            check=False,
            cwd=rootdir,
            env={**variables, "COLUMNS": str(COLUMNS)},
            text=True,
        ).stdout
    return re.sub(r"in [\d.]+s", "in 0.12s", re.sub(r"at 0x[0-9a-f]+", "at 0x7f3c", printed))


def render(output: str, title: str) -> str:
    """Return the picture of a terminal that shows `output`, as SVG."""
    from rich.console import Console  # noqa: PLC0415 - a check that they are up to date doesn't need it
    from rich.terminal_theme import TerminalTheme  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - os.devnull is a str
        console = Console(color_system="truecolor", file=nowhere, force_terminal=True, record=True, width=COLUMNS)
        console.print(Text("$ pytest -q\n") + Text.from_ansi(output))
        return console.export_svg(title=title, theme=TerminalTheme(*THEME), code_format=SVG, unique_id=title)


def main() -> None:
    """Render all pictures."""
    for folder in suites():
        (HERE / f"{folder.name}.svg").write_text(render(run(folder), folder.name), encoding="utf-8")


if __name__ == "__main__":
    main()
