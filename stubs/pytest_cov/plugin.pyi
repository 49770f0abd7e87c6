import pytest
from coverage import Coverage

@pytest.fixture
def no_cover() -> None: ...
@pytest.fixture
def cov() -> Coverage | None: ...
