"""PostgreSQL: a connection pool, transactions, and the time.

The DSN may belong to a pooler such as PgBouncer. In session mode nothing changes. In transaction
mode only the statements of one transaction reach the same server: statements are not prepared,
single statements get a transaction each, and locks that need a session bypass the pooler.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import asyncpg

from shared.basics.errors import Poison, Transient

__all__ = ["UNAVAILABLE", "Database", "Tx", "now", "transient_if_unavailable"]

UNAVAILABLE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was lost just before its use
    asyncpg.InvalidCachedStatementError,  # a migration changed a table of a cached plan
    asyncpg.InvalidSQLStatementNameError,  # a pooler switched to a server without the statement
    asyncpg.DuplicatePreparedStatementError,  # a pooler switched to a server that has it already
    OSError,
    TimeoutError,
)
"""Errors that mean: the server is unavailable, or another transaction blocked this one. Retry."""
_COMMAND_TIMEOUT_S: Final = 30
_CONNECT_S: Final = 5
_STATEMENTS_KEPT: Final = 100


class Tx:
    """A transaction. It runs statements but cannot commit: the context manager does."""

    __slots__ = ("_connection", "after_commit", "announces")

    def __init__(
        self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | _EachAlone"
    ) -> None:
        self._connection = connection
        self.announces = False
        """Set by the outbox: wake the relay after the commit."""
        self.after_commit: set[Callable[[], None]] = set()
        """Other functions to call after the commit."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; return PostgreSQL's status, such as ``DELETE 3``."""
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


class _EachAlone:
    """A connection on which each statement runs in a transaction of its own.

    asyncpg sends a statement and its values separately; outside a transaction a pooler could route
    them to two servers.
    """

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def alone(*args: object, **options: object) -> Any:  # noqa: ANN401 - as asyncpg's
            async with self._connection.transaction():
                return await getattr(self._connection, name)(*args, **options)

        return alone


class Database:
    """One service's database. ``on_announce`` is called after a commit that added outbox rows.

    ``pooled`` means that the DSN belongs to a pooler in transaction mode.
    """

    def __init__(
        self, dsn: str, *, service: str, connections_max: int = 12, pooled: bool = False
    ) -> None:
        self._dsn = dsn
        self._service = service
        self._connections_max = connections_max
        self._pooled = pooled
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.on_announce: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Open the pool. Raises Transient while the server is unavailable."""
        with transient_if_unavailable("PostgreSQL"):
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._connections_max,
                timeout=_CONNECT_S,
                command_timeout=_COMMAND_TIMEOUT_S,
                reset=_leave_as_it_is,
                server_settings={"application_name": self._service},
                statement_cache_size=0 if self._pooled else _STATEMENTS_KEPT,
            )

    async def stop(self) -> None:
        """Close the pool at once; running transactions roll back."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Run a transaction. Raises Transient: the server is unavailable, or a lock timed out."""
        with transient_if_unavailable("PostgreSQL"):
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
        """Hold one connection without a transaction, for single statements.

        Session-level state, such as advisory locks, works only if the database is not ``pooled``.
        """
        with transient_if_unavailable("PostgreSQL"):
            async with self._acquired() as connection:
                if self._pooled:
                    yield Tx(_EachAlone(connection))
                    return
                try:
                    yield Tx(connection)
                finally:
                    await connection.reset()

    async def check_sessions(self) -> None:
        """Check that the DSN is not that of an undeclared pooler in transaction mode.

        Raises:
            Poison: sessions are shared, but DIRECT_DSN is not set.
            Transient: the server is unavailable.
        """
        with transient_if_unavailable("PostgreSQL"):
            if not self._pooled and await _shares_sessions(self._dsn):
                raise Poison(
                    "pooler",
                    "DSN is a pooler in transaction mode, which mixes up statements and loses "
                    "locks; set DIRECT_DSN to the database itself",
                )

    @asynccontextmanager
    async def _acquired(
        self,
    ) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]":
        if self._pool is None:
            raise Transient("the database pool is not open")
        async with self._pool.acquire(timeout=_COMMAND_TIMEOUT_S) as connection:
            yield connection


SERVER: Final = "SELECT pg_backend_pid()"


async def _shares_sessions(dsn: str) -> bool:
    """Return whether a pooler gives one server process to several connections.

    A direct connection runs in the process that it announced at connect; a pooler announces an id
    of its own. Behind a pooler sessions are shared if a second connection gets the first one's
    process, or if the first one gets another process afterwards.
    """
    async with _connected(dsn) as ours:
        had = await _server_of(ours)
        if had == ours.get_server_pid():
            return False
        async with _connected(dsn) as other:
            try:
                return had == await _server_of(other) or had != await _server_of(ours)
            except TimeoutError:  # a pooler in session mode, all of whose servers are in use
                return False


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(
        dsn, timeout=_CONNECT_S, command_timeout=_CONNECT_S, statement_cache_size=0
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def _server_of(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    async with connection.transaction():
        pid: int = await connection.fetchval(SERVER)
        return pid


async def _leave_as_it_is(_: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
    """Skip asyncpg's reset, which costs a round trip: a transaction leaves no session state."""


class transient_if_unavailable:  # noqa: N801 - used as a function
    """Raise Transient if an error means: ``what`` is unavailable, or a transaction blocked us."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, UNAVAILABLE):
            raise Transient(f"{self._what}: {type(error).__name__}: {error}") from error


NOW: Final = "SELECT premium_now()"


async def now(tx: Tx) -> datetime:
    """Return the business time by which promises are judged, from PostgreSQL."""
    moment: datetime = await tx.fetchval(NOW)
    return moment
