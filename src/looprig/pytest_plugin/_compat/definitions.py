"""All fixture definitions of a run, with the nodes below which they are visible."""

# pyright: reportPrivateUsage=false

from collections.abc import Iterator
from typing import Any

import pytest

from looprig.pytest_plugin._compat import Definition

__all__ = ["placed_definitions"]


def placed_definitions(session: pytest.Session) -> Iterator[tuple[Definition, Any]]:
    """Yield each definition and its node. pytest's own list has no nodes."""
    for by_node in session._fixturemanager._arg2node2fixturedefs.values():
        for node, definitions in by_node.items():
            yield from ((definition, node) for definition in definitions)
