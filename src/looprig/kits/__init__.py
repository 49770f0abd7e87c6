"""Ready-made services: PostgreSQL, with a clean database for each test, and Redis.

    >>> from looprig.kits import PostgresService, RedisService

Invariant: importing this loads none of the modules; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.kits.databases import PostgresDatabase as PostgresDatabase
    from looprig.kits.postgres import PostgresService as PostgresService

__all__ = ["PostgresDatabase", "PostgresService"]

_HOMES = {
    "PostgresDatabase": "looprig.kits.databases",
    "PostgresService": "looprig.kits.postgres",
}


if not TYPE_CHECKING:  # with a `__getattr__`, they would accept any name

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
