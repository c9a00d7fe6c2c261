"""PostgreSQL: a pool, transactions that know whether they announce something, and the time."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import asyncpg

from shared.errors import Transient

__all__ = ["Database", "Tx", "away", "now"]

_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut just before it was used
    OSError,
    TimeoutError,
)
_COMMAND_TIMEOUT_S: Final = 30


class Tx:
    """A transaction. Statements go through here, so that nobody commits by accident."""

    __slots__ = ("_connection", "after_commit", "announces")

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._connection = connection
        self.announces = False
        """Set by the outbox: the relay is woken after the commit."""
        self.after_commit: set[Callable[[], None]] = set()
        """What else to wake then."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; the status line comes back."""
        status: str = await self._connection.execute(query, *args)
        return status

    async def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each row, in one round trip."""
        await self._connection.executemany(query, rows)

    async def copy(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> None:
        """Append rows by COPY: as fast as an INSERT for one, twice as fast for a thousand."""
        await self._connection.copy_records_to_table(table, records=rows, columns=columns)

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Read all rows."""
        rows: list[asyncpg.Record] = await self._connection.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """Read the first row, if there is one."""
        return await self._connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401 - a column is any
        """Read the first column of the first row."""
        return await self._connection.fetchval(query, *args)


class Database:
    """One service's database. ``on_announce`` is called after a commit that filled the outbox."""

    def __init__(self, dsn: str, *, service: str, connections_max: int = 12) -> None:
        self._dsn = dsn
        self._service = service
        self._connections_max = connections_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.on_announce: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Open the pool. Raises Transient while the server is away."""
        with away("PostgreSQL"):
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._connections_max,
                timeout=5,
                command_timeout=_COMMAND_TIMEOUT_S,
                reset=_leave_as_it_is,
                server_settings={"application_name": self._service},
            )

    async def stop(self) -> None:
        """Close the pool; what still runs is cut off, its transaction rolls back."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Do all or nothing. Raises Transient when the server or a lock stood in the way."""
        with away("PostgreSQL"):
            async with self._acquired() as connection:
                async with connection.transaction():
                    tx = Tx(connection)
                    yield tx
                if tx.announces:
                    self.on_announce()
                for wake in tx.after_commit:
                    wake()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Tx]:
        """Hold one connection without a transaction: for session locks and single statements."""
        with away("PostgreSQL"):
            async with self._acquired() as connection:
                try:
                    yield Tx(connection)
                finally:
                    await connection.reset()

    @asynccontextmanager
    async def _acquired(
        self,
    ) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]":
        if self._pool is None:
            raise Transient("the database pool is not open")
        async with self._pool.acquire(timeout=_COMMAND_TIMEOUT_S) as connection:
            yield connection


async def _leave_as_it_is(_: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
    """Save the round trip of asyncpg's reset: a transaction leaves nothing behind."""


class away:  # noqa: N801 - reads as a phrase: `with away("PostgreSQL")`
    """Turn what means "the server is away, or stood in the way" into Transient."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, _AWAY):
            raise Transient(f"{self._what}: {type(error).__name__}: {error}") from error


NOW: Final = "SELECT premium_now()"


async def now(tx: Tx) -> datetime:
    """Ask PostgreSQL for the time by which promises are judged."""
    moment: datetime = await tx.fetchval(NOW)
    return moment
