from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

@pytest.fixture
def benchmark() -> BenchmarkFixture: ...
@pytest.fixture
def benchmark_weave() -> Callable[..., None]: ...
