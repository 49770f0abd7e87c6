"""The migration needs libcst."""

import pytest

pytest.importorskip("libcst", reason="needs looprig[migrate]")
