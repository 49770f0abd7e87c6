"""Service classes in another process: where to find one, and finding it.

pytest gives a module another name than Python would, and may load several of one name. So a reference says which file
each of the suite's own modules comes from, and the other process loads them from there. Does not know pytest.

Invariant: a class that is found has the key of the one that was referred to: its file, its name and its ordinal.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final, final

from looprig.declare.service import ServiceSpec, declared_services
from looprig.exceptions import LooprigError
from looprig.location import is_foreign
from looprig.services.sharing.messages import ClassReference

__all__ = ["Classes", "reference_to"]

_INIT: Final = "__init__.py"


def reference_to(spec: ServiceSpec) -> ClassReference:
    """Return a reference to a service's class, for another process."""
    return ClassReference(spec.cls.__module__, spec.key, _own_modules(spec))


def _own_modules(spec: ServiceSpec) -> dict[str, str]:
    # A copy, since another import may interrupt the making of a list of its items.
    files = {name: _file_of(module) for name, module in sys.modules.copy().items()}
    found = {name: file for name, file in files.items() if name != "__main__" and _is_own(file)}
    found[spec.cls.__module__] = spec.location.path
    for name in list(found):
        while (name := name.rpartition(".")[0]) and name not in found:
            # A folder without an __init__.py has no file, and neither has a name that pytest made up.
            found[name] = files.get(name, "")
    return {name: file for name, file in found.items() if name.partition(".")[0] not in {"looprig", "_pytest"}}


def _is_own(file: str) -> bool:
    return file.endswith(".py") and not is_foreign(file)


def _file_of(module: object) -> str:
    """Return the file of a module, or an empty string. Don't make a lazy one load something."""
    file: object = getattr(module, "__dict__", {}).get("__file__")
    return file if isinstance(file, str) else ""


@final
class Classes(MetaPathFinder):
    """The finder of referenced classes, which is also the finder of the suite's modules."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._kept: Final[list[ModuleType]] = []

    def install(self) -> None:
        """Make imports find the suite's modules in the files that they come from."""
        sys.meta_path.insert(0, self)

    def find(self, reference: ClassReference) -> ServiceSpec:
        """Import the module of a class, and return the class's declaration.

        Raises:
            LooprigError: the module has no such class here.
            Exception: the module can't be imported.
        """
        self._files.update(reference.modules)
        importlib.import_module(reference.module)
        spec = _declared(reference)
        if spec is None:  # a module of the same name was loaded from another file
            self._kept.append(_loaded_again(reference))
            spec = _declared(reference)
        if spec is None:
            raise LooprigError(
                f"{reference.key[1]} is not in {reference.key[0]} when that is imported in another process.",
                (),
                "Declare it at the top level of a module, without a condition.",
            )
        return spec

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module of the suite comes from, as the import system asks."""
        file = self._files.get(fullname)
        if file is None:
            return None
        if not file:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [*self._folders(fullname)]
            return spec
        folders = [str(Path(file).parent)] if Path(file).name == _INIT else None
        return importlib.util.spec_from_file_location(fullname, file, submodule_search_locations=folders)

    def _folders(self, package: str) -> dict[str, None]:
        """Return the folders of a package without an `__init__.py`, by the modules that are known to be in it."""
        found: dict[str, None] = {}
        for name, file in self._files.items():
            parent = name.rpartition(".")[0]
            if parent == package and file:
                folder = Path(file).parent
                found[str(folder.parent if Path(file).name == _INIT else folder)] = None
        return found


def _declared(reference: ClassReference) -> ServiceSpec | None:
    return next((spec for spec in declared_services() if spec.key == reference.key), None)


def _loaded_again(reference: ClassReference) -> ModuleType:
    spec = importlib.util.spec_from_file_location(reference.module, reference.key[0])
    if spec is None or spec.loader is None:
        raise ImportError(f"{reference.key[0]} can't be loaded")
    module = sys.modules[reference.module] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
