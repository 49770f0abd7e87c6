"""Fixture stubs: the types of plugins' fixtures that lack annotations.

`stubs/pytest_benchmark/plugin.pyi` describes the fixtures of the module `pytest_benchmark.plugin`. Each is a function
with the fixture's name that returns the type that the fixture provides. looprig includes some stubs. The folders of a
suite's own stubs take precedence.

Does not know whether a plugin is installed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import final

import looprig
from looprig.check.source import Sources
from looprig.check.typetext import Written

__all__ = ["Stubs", "own_stubs"]


def own_stubs() -> Path:
    """Return the folder of looprig's own stubs, in the installed package or in the repository."""
    package = Path(looprig.__file__).parent
    inside = package / "stubs"
    return inside if inside.is_dir() else package.parent.parent / "stubs"


@final
class Stubs:
    """The stubs of a run, from several folders."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = (*folders, own_stubs())
        self._sources = Sources()

    def find(self, module: str, fixture: str) -> Written | None:
        """Return the type that the stubs declare for a fixture of a module, or `None` if no stub has it."""
        for folder in self._folders:
            at = folder.joinpath(*module.split("."))
            for path in (at.with_name(f"{at.name}.pyi"), at / "__init__.pyi"):
                source = self._sources.read(str(path), module) if path.is_file() else None
                if source is None:
                    continue
                for function in source.functions.values():
                    if function.node.name == fixture and function.node.returns is not None:
                        return Written(source, function.node.returns)
        return None
