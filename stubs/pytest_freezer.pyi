import pytest
from freezegun.api import FrozenDateTimeFactory

# With `tick=True` or `auto_tick_seconds` in the marker it is another class. The plugin's documentation uses this one.
@pytest.fixture
def freezer() -> FrozenDateTimeFactory: ...
