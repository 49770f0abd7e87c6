"""The fixture `event_loop_policy`, registered only where no other plugin gives one.

pytest-asyncio would warn in each of its tests that its fixture is overridden, and use looprig's policy for its loops.
"""

import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asyncio import AbstractEventLoopPolicy

__all__: list[str] = []


@pytest.fixture(scope="session")
def event_loop_policy() -> "AbstractEventLoopPolicy":
    """The policy that makes loops, for suites that come from aiomisc.

    Policies are deprecated since Python 3.14: prefer `loop_factory`.
    """
    import asyncio  # noqa: PLC0415 - not before a test asks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated] # said above
