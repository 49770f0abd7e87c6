"""The version of looprig, read by the build as well."""

from typing import Final

__version__: Final = "0.1.0"
