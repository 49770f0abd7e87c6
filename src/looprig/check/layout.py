"""The layout of the suite's files for the checker: its search path, and the files that need another name.

Several files may be called `conftest`, each in a folder that isn't a package. pytest supports that, but checkers don't:
mypy stops at "Duplicate module named conftest". So files that share a name are copied for the checker, each under a
different name.

Does not write anything.
"""

import keyword
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import final

from looprig.location import is_foreign

__all__ = ["ModuleNames", "base_of", "copies_of", "file_of", "is_importable", "search_path_of"]


def search_path_of(root: Path, modules: Iterable[tuple[str, str]]) -> tuple[Path, ...]:
    """Return the search path for the modules of a suite, given the (path, name) of each of its known files."""
    # Checkers always look in the project's own folder first.
    bases = dict.fromkeys([root, *_run_time_path(root)])
    for path, name in modules:
        if not is_foreign(path) and (base := base_of(path, name)) is not None:
            bases.setdefault(base)
    return tuple(bases)


def file_of(module: str, search_path: Iterable[Path]) -> str | None:
    """Return the file of a module, from the loaded modules or else on the search path."""
    path: str | None = getattr(sys.modules.get(module), "__file__", None)
    return path or (None if (found := _found(module, search_path)) is None else str(found))


def copies_of(files: Mapping[str, str], search_path: Iterable[Path]) -> dict[str, str]:
    """Return new names for those of `files` (path to name) that a checker would not find under their own names."""
    search_path = tuple(search_path)
    copies: dict[str, str] = {}
    for path, name in files.items():
        if not is_foreign(path) and (not is_importable(name) or _found(name, search_path) != Path(path)):
            copies[path] = f"looprig_copy_{len(copies) + 1}"
    return copies


@final
class ModuleNames:
    """A unique module name for each file of a suite, since checkers treat a file with two names as two files.

    pytest names a file by its path below the folder that it put on `sys.path`. The suite may import the file, or one
    beside it, by a longer name.
    """

    def __init__(self, imported: Iterable[tuple[str, str]]) -> None:
        """Choose names, given the (path, name) of each module that the suite imports by its full name."""
        self._names: dict[str, list[str]] = {}
        self._bases: list[tuple[Path, Path]] = []
        for path, name in imported:
            if not is_foreign(path):
                self._names.setdefault(path, []).append(name)
                if (base := base_of(path, name)) is not None:
                    self._bases.append((Path(path), base))

    def of(self, path: str, name: str) -> str:
        """Return the name of the file that has this name in pytest."""
        names = self._names.get(path, [])
        if names:
            return name if name in names else names[0]
        own = base_of(path, name)
        if own is None:
            return name
        bases = {base for other, base in self._bases if other.is_relative_to(own)}
        wider = [base for base in bases if base != own and own.is_relative_to(base)]
        if own in bases or not wider:
            return name
        file = Path(path)
        inside = file.parent if file.stem == "__init__" else file.with_suffix("")
        return ".".join(inside.relative_to(max(wider)).parts)


def is_importable(name: str) -> bool:
    """Return whether a name can be used in an import statement."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))


def base_of(path: str, name: str) -> Path | None:
    """Return the folder from which a file is imported by a name, or `None` if name and path don't agree."""
    file = Path(path)
    parts = name.split(".")
    if file.stem == "__init__":
        file = file.parent
    if [*file.parts[-len(parts) : -1], file.stem] != parts:
        return None
    return file.parents[len(parts) - 1]


def _run_time_path(root: Path) -> Iterator[Path]:
    """Return the entries of `sys.path` in the project. The checker finds installed packages itself."""
    for entry in sys.path:
        folder = Path(entry or os.curdir).resolve()
        if folder.is_relative_to(root) and not is_foreign(str(folder)):
            yield folder


def _found(name: str, search_path: Iterable[Path]) -> Path | None:
    parts = name.split(".")
    for base in search_path:
        at = base.joinpath(*parts)
        for candidate in (at / "__init__.pyi", at / "__init__.py", at.with_name(f"{at.name}.pyi")):
            if candidate.is_file():
                return candidate
        if (candidate := at.with_name(f"{at.name}.py")).is_file():
            return candidate
        if (base / parts[0]).is_dir() and (base / parts[0] / "__init__.py").is_file():
            return None  # a package of that name, without such a module
    return None
