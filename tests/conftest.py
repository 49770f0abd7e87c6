"""What every test may use: pytester, which runs pytest on a suite that the test writes."""

pytest_plugins = ["pytester"]
