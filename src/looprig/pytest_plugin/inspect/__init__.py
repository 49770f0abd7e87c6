"""The options that inspect fixtures instead of running tests; loaded only when one of them is given.

To add one, write a file with a subclass of `Inspection`, add it here under the name of its option, and declare the
option in `options`.
"""

from typing import Final

from looprig.pytest_plugin.inspect.inspection import Inspection
from looprig.pytest_plugin.inspect.missing_annotations import MissingAnnotations
from looprig.pytest_plugin.inspect.overview import Overview
from looprig.pytest_plugin.inspect.type_check import TypeCheck

__all__ = ["INSPECTIONS"]

INSPECTIONS: Final[dict[str, type[Inspection]]] = {
    "annotate_fixtures": MissingAnnotations,
    "check_fixtures": TypeCheck,
    "reveal_fixtures": Overview,
}
