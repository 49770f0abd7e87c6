"""A connection whose transaction is rolled back after each test, for code that takes a connection or a session.

Does not create the database (`PostgresDatabase` does). Code that opens connections of its own sees nothing of what the
test wrote, and what it commits stays.

Invariant: whatever the code under test commits or rolls back is within a savepoint.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from looprig._extras import LazyModule, import_extra
from looprig.declare.fields_meta import Configured, config_field
from looprig.declare.values import TEXT, Check
from looprig.kits.databases import PostgresDatabase, not_running

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy import exc as sqlalchemy_exc
    from sqlalchemy.ext import asyncio as sqlalchemy_asyncio

    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = Any  # asyncpg's class is generic for type checkers only
    asyncpg = LazyModule("asyncpg", extra="asyncpg", needed_for="looprig.kits.AsyncpgTransaction")
    sqlalchemy_exc = LazyModule("sqlalchemy.exc", extra="sqlalchemy", needed_for="looprig.kits.SqlalchemyTransaction")
    sqlalchemy_asyncio = LazyModule(
        "sqlalchemy.ext.asyncio", extra="sqlalchemy", needed_for="looprig.kits.SqlalchemyTransaction"
    )

__all__ = ["AsyncpgTransaction", "SqlalchemyTransaction"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

DatabaseT = TypeVar("DatabaseT", bound=PostgresDatabase[Any])


@dataclass(kw_only=True)
class AsyncpgTransaction(Generic[DatabaseT]):
    """A connection of asyncpg's to the database of a wider scope, in a transaction that is rolled back at the end.

        @service_fixture
        @dataclass(kw_only=True)
        class Transaction(AsyncpgTransaction[Database]): ...

        async def test_adds_a_user(transaction: Transaction) -> None:
            users = Users(transaction.connection)
            ...

    A transaction that the code under test starts on the connection is a savepoint, as usual with asyncpg. Sequences
    aren't rolled back, and `now()` is the same during the whole test.

    Raises `ExtraMissingError` if asyncpg isn't installed.
    """

    _answers_nobody: ClassVar[bool] = True  # the server does

    database: DatabaseT
    _connection: Any = field(default=None, init=False, repr=False, compare=False)

    @property
    def connection(self) -> _Connection:
        """The connection, with its transaction begun."""
        if self._connection is None:
            raise not_running(self, "no connection")
        return self._connection  # type: ignore[no-any-return]

    async def run(self) -> AsyncIterator[None]:
        """Connect and begin; roll back when this generator is closed or resumed."""
        import_extra("asyncpg", extra="asyncpg", needed_for=type(self).__qualname__)
        connection = await asyncpg.connect(self.database.dsn)
        try:
            transaction = connection.transaction()
            await transaction.start()
            self._connection = connection
            try:
                yield
            finally:
                self._connection = None
                if not connection.is_closed():
                    await transaction.rollback()
        finally:
            await connection.close()


@dataclass(kw_only=True)
class SqlalchemyTransaction(Configured, Generic[DatabaseT]):
    """A connection of SQLAlchemy's to the database of a wider scope, in a transaction that is rolled back at the end.

        @service_fixture
        @dataclass(kw_only=True)
        class Transaction(SqlalchemyTransaction[Database]): ...

        async def test_adds_a_user(transaction: Transaction) -> None:
            async with transaction.sessions() as session:
                session.add(User(name="Ada"))
                await session.commit()  # of a savepoint

    Pass `sessions` to the code under test, as its session maker. Sessions that are open at the same time share the
    connection, so they can't run queries at the same time. Sequences aren't rolled back, and `now()` is the same during
    the whole test.

    Configuration:
        scheme: the scheme of the URL, which chooses the driver.

    Raises `ExtraMissingError` if SQLAlchemy isn't installed.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"scheme": TEXT}

    _answers_nobody: ClassVar[bool] = True  # the server does

    database: DatabaseT
    scheme: str = config_field("postgresql+asyncpg")
    _connection: Any = field(default=None, init=False, repr=False, compare=False)

    @property
    def connection(self) -> "sqlalchemy_asyncio.AsyncConnection":
        """The connection, with its transaction begun."""
        if self._connection is None:
            raise not_running(self, "no connection")
        return self._connection  # type: ignore[no-any-return]

    @property
    def sessions(self) -> "sqlalchemy_asyncio.async_sessionmaker[sqlalchemy_asyncio.AsyncSession]":
        """A maker of sessions on the connection. What they commit is a savepoint."""
        return sqlalchemy_asyncio.async_sessionmaker(
            self.connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )

    async def run(self) -> AsyncIterator[None]:
        """Connect and begin; roll back when this generator is closed or resumed."""
        import_extra("sqlalchemy.ext.asyncio", extra="sqlalchemy", needed_for=type(self).__qualname__)
        engine = sqlalchemy_asyncio.create_async_engine(self.database.url(self.scheme))
        try:
            async with engine.connect() as connection:
                transaction = await connection.begin()
                self._connection = connection
                try:
                    yield
                finally:
                    self._connection = None
                    await _roll_back(transaction)
        finally:
            await engine.dispose()


async def _roll_back(transaction: "sqlalchemy_asyncio.AsyncTransaction") -> None:
    """Roll back, unless the server has ended the connection and the transaction with it."""
    try:
        await transaction.rollback()
    except sqlalchemy_exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
