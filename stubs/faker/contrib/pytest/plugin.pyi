import pytest
from faker import Faker

@pytest.fixture(scope="session")
def _session_faker() -> Faker: ...
@pytest.fixture
def faker() -> Faker: ...
