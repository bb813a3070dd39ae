"""SQLite for asyncio with one change of threads a statement, where the stock dialect makes four.

aiosqlite runs each call of the driver on the connection's thread: opening a cursor, executing, fetching and closing it are four.
A turn makes some forty statements, so changing threads, not the database, took most of its time. Here a statement is one call.
"""

from __future__ import annotations

import collections
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)
from sqlalchemy.util import EMPTY_DICT
from sqlalchemy.util.concurrency import await_

DRIVER = "sqlite+parley"


@dataclass
class _Outcome:
    """What a cursor knows after it was closed."""

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


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor that lives on the connection's thread only while it executes."""

    __slots__ = ()
    _awaitable_cursor_close = False

    def __init__(self, adapt_connection: Any) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._cursor: Any = _Outcome()
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = collections.deque()

    def close(self) -> None:
        """It was closed right after it executed."""
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        await self._do(operation, parameters, many=False)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._do(operation, list(seq_of_parameters), many=True)

    async def _do(self, statement: str, parameters: Sequence[Any], *, many: bool) -> None:
        owner: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            outcome, rows = await owner._execute(_run, owner._conn, statement, parameters, many=many)
        self._cursor, self._rows = outcome, collections.deque(rows)


class _Connection(AsyncAdapt_aiosqlite_connection):
    """A connection that does not roll back what was not begun."""

    __slots__ = ()
    _cursor_cls = _Cursor

    def rollback(self) -> None:
        """Only within a transaction: the pool asks for it after every use."""
        if self._connection._connection and self._connection.in_transaction:
            super().rollback()


class _Dbapi(AsyncAdapt_aiosqlite_dbapi):
    """The driver with these connections."""

    def connect(self, *arg: Any, **kw: Any) -> _Connection:
        """Open one."""
        connection = self.aiosqlite.connect(*arg, **kw)
        connection._thread.daemon = True
        return _Connection(self, await_(connection))


class Dialect(SQLiteDialect_aiosqlite):
    """What `sqlite+parley://` means."""

    driver = "parley"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver."""
        return _Dbapi(__import__("aiosqlite"), sqlite3)


registry.register("sqlite.parley", __name__, "Dialect")
