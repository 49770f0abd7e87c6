import pytest
from freezegun.api import FrozenDateTimeFactory

# With `tick=True` or `auto_tick_seconds` in the marker it is another class; the plugin's documentation shows this one.
@pytest.fixture
def freezer() -> FrozenDateTimeFactory: ...
