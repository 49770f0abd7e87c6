"""Importing what an extra brings, at the moment it is needed.

Loading looprig stays cheap because aiohttp, msgspec, pydantic and uvicorn are imported here, by name, when they
are used.

Invariant: a package that is not there is told as an `ExtraMissingError` that names the extra to install, and
never as a bare `ModuleNotFoundError`. A package that is there but fails to import keeps its own error.
"""

import importlib
import sys
from types import ModuleType
from typing import Any, final

from looprig.exceptions import ExtraMissingError

__all__ = ["LazyModule", "import_extra"]


def import_extra(module: str, *, extra: str, needed_for: str) -> ModuleType:
    """Import `module`, or raise `ExtraMissingError` that says what needs it and how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ExtraMissingError(
            f"{needed_for} needs {package}, which is not installed.", (), f"pip install 'looprig[{extra}]'"
        ) from error


@final
class LazyModule:
    """Stands in for a module in annotations, so that `typing.get_type_hints` finds its types.

    A name imported under `TYPE_CHECKING` alone does not exist when hints are evaluated. This one does, and imports
    the module at the first attribute that is read.
    """

    def __init__(self, module: str, *, extra: str, needed_for: str) -> None:
        self._module = module
        self._extra = extra
        self._needed_for = needed_for

    def __getattr__(self, name: str) -> Any:
        # Not kept: in a process that runs one pytest in another, the next one may import it anew.
        module = sys.modules.get(self._module)
        if module is None:
            module = import_extra(self._module, extra=self._extra, needed_for=self._needed_for)
        return getattr(module, name)
