"""Imports of optional packages, at the moment they are needed.

Loading looprig stays cheap because aiohttp, msgspec, pydantic and uvicorn are imported through here when they are used.

Invariant: a missing package is reported as an `ExtraMissingError` that names the extra to install, never as a bare
`ModuleNotFoundError`. A package that is installed but fails to import raises its own error.
"""

import importlib
import sys
from types import ModuleType
from typing import Any, final

from looprig.exceptions import ExtraMissingError

__all__ = ["LazyModule", "import_extra"]


def import_extra(module: str, *, extra: str, needed_for: str) -> ModuleType:
    """Import `module`, or raise an `ExtraMissingError` that says what needs it and how to install it."""
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
    """A placeholder for a module in annotations, so that `typing.get_type_hints` can evaluate them.

    A name imported only under `TYPE_CHECKING` does not exist when hints are evaluated. This one does, and imports the
    module when an attribute is read.
    """

    def __init__(self, module: str, *, extra: str, needed_for: str) -> None:
        self._module = module
        self._extra = extra
        self._needed_for = needed_for

    def __getattr__(self, name: str) -> Any:
        # Not cached: where one pytest runs inside another, the inner one may import the module again.
        module = sys.modules.get(self._module)
        if module is None:
            module = import_extra(self._module, extra=self._extra, needed_for=self._needed_for)
        return getattr(module, name)
