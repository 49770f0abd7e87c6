"""The examples of the documentation that need another async plugin. All others run in `tests/docs`."""

from pathlib import Path
from typing import Final

import pytest

from tests.docs import test_examples as examples
from tests.docs.pages import Suite

SUITES: Final = [suite for suite in examples.SUITES if not examples.PEERS.keys().isdisjoint(suite.needs)]


def test_there_are_such_examples() -> None:
    assert {needed for suite in SUITES for needed in suite.needs} >= {"pytest-asyncio", "anyio", "aiomisc-pytest"}


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_an_example_beside_another_plugin_does_what_its_page_says(suite: Suite, tmp_path: Path) -> None:
    examples.test_an_example_does_what_its_page_says(suite, tmp_path)
