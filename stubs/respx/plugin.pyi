import pytest
from respx.router import MockRouter

@pytest.fixture
def respx_mock() -> MockRouter: ...
