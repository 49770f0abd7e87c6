"""The servers that the tests of the kits use, and marks that skip tests without their programs."""

from dataclasses import dataclass

import pytest

from looprig.declare.service import service_fixture
from looprig.kits.postgres import PostgresService
from looprig.kits.programs import POSTGRES, REDIS
from looprig.kits.redis import RedisService

__all__ = ["Postgres", "Redis", "needs_postgres", "needs_redis"]

needs_postgres = pytest.mark.skipif(not POSTGRES.is_installed(), reason="needs PostgreSQL")
needs_redis = pytest.mark.skipif(not REDIS.is_installed(), reason="needs Redis or Valkey")


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Postgres(PostgresService):
    """A server with the default settings."""


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Redis(RedisService):
    """A server with the default settings."""
