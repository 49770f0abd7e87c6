import pytest
from aioresponses import aioresponses as _aioresponses

@pytest.fixture
def aioresponses() -> _aioresponses: ...
