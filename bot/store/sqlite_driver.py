"""SQLite for asyncio on the loop itself: only what can take long goes to a thread.

A statement of a turn finds its row in some 20 microseconds; handing it to a thread and back takes five times that, and under load
as long as the interpreter keeps the other thread waiting, with the write lock held. So statements run where they stand, and go to
a thread when another process holds the database, or when they carry many bytes. See docs/adr/0006-sqlite-on-the-loop.md.
"""

from __future__ import annotations

import asyncio
import collections
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import pool
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection, AsyncAdapt_dbapi_cursor, AsyncAdapt_dbapi_module
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.util import EMPTY_DICT
from sqlalchemy.util.concurrency import await_

T = TypeVar("T")
DRIVER = "sqlite+parley"
BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits, on a thread, for another process's write."""
LARGE_BYTES = 256 * 1024
"""A statement that writes more goes to a thread; so does one that says `in_thread` in its execution options."""


@dataclass
class _Outcome:
    """What a closed cursor still knows."""

    description: Any = None
    rowcount: int = -1
    lastrowid: Any = None
    arraysize: int = 1


def _run(connection: sqlite3.Connection, statement: str, parameters: Any, *, many: bool) -> tuple[_Outcome, list[Any]]:
    cursor = connection.cursor()
    try:
        if many:
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters or ())
        rows = cursor.fetchall() if cursor.description else []
        return _Outcome(cursor.description, cursor.rowcount, cursor.lastrowid), rows
    finally:
        cursor.close()


def _patiently(connection: sqlite3.Connection, run: Callable[[], T]) -> T:
    """Run it, waiting while another process writes."""
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    try:
        return run()
    finally:
        connection.execute("PRAGMA busy_timeout=0")


async def in_thread(connection: sqlite3.Connection, run: Callable[[], T]) -> T:
    """Run it on a thread. When cancelled, wait for the thread first: no two may use a connection at once."""
    work = asyncio.ensure_future(asyncio.to_thread(_patiently, connection, run))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        connection.interrupt()
        await asyncio.wait([work])
        raise


async def _here(connection: sqlite3.Connection, run: Callable[[], T]) -> T:
    """Run it at once, or on a thread while another process holds the database. A refused statement has changed nothing."""
    try:
        return run()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return await in_thread(connection, run)


class _Cursor(AsyncAdapt_dbapi_cursor):
    """A cursor that lives only while it executes."""

    __slots__ = ("in_thread",)
    _awaitable_cursor_close = False

    def __init__(self, adapt_connection: Any) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._cursor: Any = _Outcome()
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = collections.deque()
        self.in_thread = False

    def close(self) -> None:
        """Drop the rows; the cursor itself was closed right after it executed."""
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        await self._do(operation, parameters, many=False)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._do(operation, list(seq_of_parameters), many=True)

    async def _do(self, statement: str, parameters: Sequence[Any], *, many: bool) -> None:
        connection: Any = self._connection
        execute = in_thread if self.in_thread or _is_large(parameters) else _here
        outcome, rows = await execute(connection, lambda: _run(connection, statement, parameters, many=many))
        self._cursor, self._rows = outcome, collections.deque(rows)


def _is_large(parameters: Sequence[Any] | None) -> bool:
    return any(isinstance(one, bytes) and len(one) > LARGE_BYTES for one in parameters or ())


class _Connection(AsyncAdapt_dbapi_connection):
    """A connection, used by one task at a time."""

    __slots__ = ()
    _cursor_cls = _Cursor

    @property
    def isolation_level(self) -> str | None:
        """The level at which the driver begins transactions by itself; None when it does not."""
        level: str | None = self._connection.isolation_level
        return level

    @isolation_level.setter
    def isolation_level(self, value: str | None) -> None:
        self._connection.isolation_level = value

    def create_function(self, *args: Any, **kw: Any) -> None:
        """Make a Python function callable from SQL."""
        self._connection.create_function(*args, **kw)

    def begin(self, how: str) -> None:
        """Begin a transaction with this statement, waiting while another process writes."""
        await_(_here(self._raw(), lambda: self._raw().execute(how)))

    def commit(self) -> None:
        """End the transaction."""
        await_(_here(self._raw(), self._raw().commit))

    def rollback(self) -> None:
        """Roll the transaction back, if there is one: the pool calls this after every use."""
        if self._raw().in_transaction:
            await_(_here(self._raw(), self._raw().rollback))

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        self._raw().close()

    terminate = close

    def _raw(self) -> sqlite3.Connection:
        raw: Any = self._connection
        connection: sqlite3.Connection = raw
        return connection


class _Dbapi(AsyncAdapt_dbapi_module):
    """The standard library's driver, giving these connections."""

    paramstyle = "qmark"

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, *arg: Any, **kw: Any) -> _Connection:
        """Open a connection that any thread may use, one at a time."""
        opened: Any = sqlite3.connect(*arg, **{**kw, "check_same_thread": False, "timeout": 0})
        return _Connection(self, opened)


class Dialect(SQLiteDialect_pysqlite):
    """The dialect behind `sqlite+parley://`."""

    driver = "parley"
    supports_statement_cache = True
    is_async = True
    has_terminate = True

    def __init__(self, begin_by: str = "BEGIN IMMEDIATE", **kw: Any) -> None:
        """begin_by: the statement that begins each transaction. A deferred one that reads, then writes, loses others' updates."""
        super().__init__(**kw)
        self._begin_by = begin_by

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver."""
        return _Dbapi(sqlite3)

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """The pool for the connections to a file, shared by several tasks."""
        return pool.AsyncAdaptedQueuePool

    def get_driver_connection(self, connection: Any) -> Any:
        """The standard library's connection."""
        return connection._connection

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute, on a thread if the statement says so."""
        cursor.in_thread = bool(context and context.execution_options.get("in_thread"))
        cursor.execute(statement, parameters)

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction."""
        dbapi_connection.begin(self._begin_by)

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close a connection that cannot be trusted any more."""
        dbapi_connection.terminate()


registry.register("sqlite.parley", __name__, "Dialect")
