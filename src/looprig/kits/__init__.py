"""Ready-made services: PostgreSQL, with a clean database for each test, and Redis.

    >>> from looprig.kits import PostgresService, RedisService

Invariant: importing this loads none of the modules; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.kits.copies import DatabaseCopies as DatabaseCopies
    from looprig.kits.databases import PostgresDatabase as PostgresDatabase
    from looprig.kits.postgres import PostgresService as PostgresService
    from looprig.kits.redis import RedisDatabase as RedisDatabase
    from looprig.kits.redis import RedisService as RedisService
    from looprig.kits.transactions import AsyncpgTransaction as AsyncpgTransaction
    from looprig.kits.transactions import SqlalchemyTransaction as SqlalchemyTransaction
    from looprig.kits.truncation import TruncatedDatabase as TruncatedDatabase

__all__ = [
    "AsyncpgTransaction",
    "DatabaseCopies",
    "PostgresDatabase",
    "PostgresService",
    "RedisDatabase",
    "RedisService",
    "SqlalchemyTransaction",
    "TruncatedDatabase",
]

_HOMES = {
    "AsyncpgTransaction": "looprig.kits.transactions",
    "DatabaseCopies": "looprig.kits.copies",
    "PostgresDatabase": "looprig.kits.databases",
    "PostgresService": "looprig.kits.postgres",
    "RedisDatabase": "looprig.kits.redis",
    "RedisService": "looprig.kits.redis",
    "SqlalchemyTransaction": "looprig.kits.transactions",
    "TruncatedDatabase": "looprig.kits.truncation",
}


if not TYPE_CHECKING:  # with a `__getattr__`, they would accept any name

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
