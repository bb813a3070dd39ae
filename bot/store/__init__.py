"""The database: opened here, entered by `begin(tenant_id)`. What differs between SQLite and PostgreSQL is here."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from sqlalchemy import Insert, Table, event, exc, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import ConfigError, RefusedByStoreError, StoreError
from bot.store.private_files import make_private_file, make_private_folder, open_to_others
from bot.store.sqlite_driver import DRIVER as SQLITE

CHECKPOINT_EVERY = 500
"""SQLite's log is moved into the database file after so many write transactions, on a thread, for it waits for the disk."""
LOG_BYTES = 16 * 1024 * 1024
"""The size to which SQLite's log is cut once it was moved."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Transaction:
    """A transaction over one tenant's rows; the queries of this package reach no others."""

    connection: AsyncConnection
    tenant_id: int

    def insert(self, table: Table) -> Any:
        """An insert that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return insert(self.connection, table)


class Store:
    """The open database. `begin` gives transactions; `close` closes the connections.

    Its errors never show the values of a statement, which may be people's words.
    """

    def __init__(self, writing: AsyncEngine, reading: AsyncEngine, *, checkpoint_every: int = CHECKPOINT_EVERY) -> None:
        """writing, reading: may be the same. On SQLite one connection writes, and writers wait for it in a queue."""
        self._checkpoint_every = checkpoint_every
        self._writing = writing
        self._reading = reading
        self._written = 0
        self._checkpoint: asyncio.Task[None] | None = None

    @property
    def url(self) -> URL:
        """The database's address; its `repr` hides the password."""
        return self._writing.url

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on it at once: true for PostgreSQL."""
        return self._writing.dialect.name != "sqlite"

    def open_to_others(self) -> list[Path]:
        """The folder of a SQLite file, and the file, where other users of the machine have a right to them.

        Empty when the folder is closed, whatever the file's own mode: nobody else gets through to it.
        """
        if self.is_shared or not self.url.database:
            return []
        database = Path(self.url.database)
        return open_to_others((database.parent, database)) if open_to_others((database.parent,)) else []

    @asynccontextmanager
    async def begin(self, tenant_id: int) -> AsyncIterator[Transaction]:
        """A transaction that may write. Never hold it across a call to a model or a platform. Raises StoreError."""
        async with self.connect(write=True) as connection:
            yield Transaction(connection, tenant_id)

    @asynccontextmanager
    async def read(self, tenant_id: int) -> AsyncIterator[Transaction]:
        """A transaction that only reads: on SQLite it never waits for a writer. Raises StoreError."""
        async with self.connect(write=False) as connection:
            yield Transaction(connection, tenant_id)

    @asynccontextmanager
    async def connect(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        """A transaction over all tenants, for the jobs and for finding a tenant. Raises StoreError."""
        try:
            connection = await (self._writing if write else self._reading).connect()
            try:
                async with connection.begin():
                    yield connection
            finally:
                await self._give_back(connection)
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            if _is_beyond_its_limits(error):
                raise _refused(error) from None
            raise _store_error(error) from error
        except exc.DBAPIError as error:
            raise _refused(error) from None  # PostgreSQL quotes the row, which may be people's words, in what it says
        if write and not self.is_shared:
            self._note_write()

    async def _give_back(self, connection: AsyncConnection) -> None:
        """Return the connection to its pool; on SQLite at once, so that a turn's next transaction need not wait for other tasks."""
        if self.is_shared:
            await asyncio.shield(asyncio.ensure_future(connection.close()))
        else:
            await connection.close()

    def _note_write(self) -> None:
        self._written += 1
        if self._written % self._checkpoint_every == 0 and (self._checkpoint is None or self._checkpoint.done()):
            self._checkpoint = asyncio.create_task(self._move_log())

    async def _move_log(self) -> None:
        """Move SQLite's log into its file. SQLite itself would do it within a commit, and the loop would wait for the disk."""
        try:
            await asyncio.to_thread(_checkpoint, str(self.url.database))
        except sqlite3.OperationalError as error:  # the log only grows until the next time
            log.warning("SQLite's log could not be moved into its file: %s", error)

    async def ping(self) -> None:
        """Raises StoreError when the database does not answer."""
        async with self.connect(write=False) as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the connections."""
        if self._checkpoint is not None:
            await asyncio.wait([self._checkpoint])
        await self._writing.dispose()
        await self._reading.dispose()


def database_url(url: str) -> URL:
    """Replace the driver in the URL by the one that Parley uses."""
    made = make_url(url)
    backend = made.drivername.partition("+")[0]
    return made.set(drivername=SQLITE if backend == "sqlite" else "postgresql+psycopg")


def open_store(url: str, *, pool_size: int = 10, checkpoint_every: int = CHECKPOINT_EVERY) -> Store:
    """Open the database; creates a SQLite file and its folder, for nobody else to read. Connecting happens at first use."""
    made = database_url(url)
    if made.drivername.startswith("sqlite"):
        if made.database:
            _make_folder(Path(made.database).parent)
            with suppress(OSError):  # where nothing can be written, SQLite says so at first use
                make_private_file(Path(made.database))
        writing, reading = _sqlite_engine(made, 1, "BEGIN IMMEDIATE"), _sqlite_engine(made, pool_size, "BEGIN")
        return Store(writing, reading, checkpoint_every=checkpoint_every)
    engine = create_async_engine(
        made, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, pool_timeout=30, hide_parameters=True
    )
    return Store(engine, engine)


def _sqlite_engine(url: URL, pool_size: int, begin_by: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, hide_parameters=True, begin_by=begin_by)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        _configure(connection)  # when it fails, the pool closes the connection itself

    return engine


def _configure(connection: Any) -> None:
    connection.isolation_level = None  # the driver would begin where it thinks fit; the dialect says when and how
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "wal_autocheckpoint=0",
        f"journal_size_limit={LOG_BYTES}",
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _checkpoint(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _make_folder(folder: Path) -> None:
    """Create the folder of the database. Raises ConfigError when that fails."""
    try:
        make_private_folder(folder)
    except OSError as error:
        text = (
            f"The folder {folder} cannot be made ({error.strerror}); set PARLEY_HOME or DATABASE_URL to another place."
        )
        raise ConfigError(text) from error


def insert(connection: AsyncConnection, table: Table) -> Any:
    """An insert of the connection's dialect, which has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: Table) -> Any:
    made: Insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return made


def prepared(table: Table, build: Callable[[Any], Any]) -> Callable[[AsyncConnection], Any]:
    """An insert that `build` completes once for each dialect: building a statement takes longer than SQLite takes to run it."""
    made = cache(lambda dialect: build(_insert(dialect, table)))
    return lambda connection: made(connection.dialect.name)


def _is_beyond_its_limits(error: exc.DBAPIError | exc.TimeoutError) -> TypeGuard[exc.DBAPIError]:
    """Whether it is the statement that the database does not take, such as one with too many words: no repeat mends that.

    Source: SQLite, Result Codes, SQLITE_ERROR; PostgreSQL, Error Codes, class 54.
    """
    cause = getattr(error, "orig", None)
    is_wrong = getattr(cause, "sqlite_errorname", "") == "SQLITE_ERROR"
    return is_wrong or str(getattr(cause, "sqlstate", None) or "").startswith("54")


def _refused(error: exc.DBAPIError) -> RefusedByStoreError:
    said = str(error.orig).partition("\n")[0]
    detail = f"{type(error.orig).__name__}: {said} [{(error.statement or '')[:200]}]"
    return RefusedByStoreError("Something went wrong on my side; it has been logged.", detail=detail)


def _store_error(error: exc.DBAPIError | exc.TimeoutError) -> StoreError:
    cause = str(getattr(error, "orig", None) or error)
    if "disk is full" in cause or "No space left" in cause:
        return StoreError(
            "The disk that holds the database is full; the operator has to free some space.", detail=cause
        )
    if "disk I/O error" in cause or "unable to open" in cause:
        text = "The database cannot be written: its disk is full or failing, or its folder is not ours to write in."
        return StoreError(text, detail=cause)
    if "locked" in cause or isinstance(getattr(error, "orig", None), sqlite3.OperationalError):
        return StoreError("The database is busy or cannot be written right now. Please try again.", detail=cause)
    return StoreError("The database cannot be reached right now. Please try again in a moment.", detail=cause)
