import pytest
from requests_mock import Mocker

@pytest.fixture
def requests_mock() -> Mocker: ...
