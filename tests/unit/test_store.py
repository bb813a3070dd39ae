"""The store keeps its promises on both databases."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sqlite3
import stat
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.connectors import asyncio as adapters
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util.concurrency import await_

from bot.errors import ConfigError, StoreError
from bot.ports import Installation
from bot.store import Store, open_store, schema, tenants
from bot.store.blobs import TenantBlobs, drop_unused_everywhere
from bot.store.bus import Joiner, notifications, open_bus
from bot.store.migrate import migrate
from bot.store.workers import StoreWorkerRegistry
from tests.conftest import MakeApp

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """A migrated database of each kind."""
    made = open_store(store_url)
    await migrate(made)
    yield made
    await made.close()


async def test_a_tenant_is_made_once(store: Store) -> None:
    """Twenty first events of a workspace at once make one tenant."""
    ids = await asyncio.gather(*(tenants.tenant_id(store, "p", "w", NOW) for _ in range(20)))
    assert len(set(ids)) == 1


async def test_writers_do_not_lose_updates(store: Store) -> None:
    """Fifty read-modify-write transactions at once count to fifty."""
    made = await tenants.tenant_id(store, "p", "w", NOW)

    async def add() -> None:
        async with store.begin(made) as tx:
            row = (await tx.connection.execute(select(schema.tenants).with_for_update())).one()
            await tx.connection.execute(update(schema.tenants).values(name=str(int(row.name or 0) + 1)))

    await asyncio.gather(*(add() for _ in range(50)))
    async with store.read(made) as tx:
        assert await tx.connection.scalar(select(schema.tenants.c.name)) == "50"


async def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    """What was written before an error is taken back."""
    made = await tenants.tenant_id(store, "p", "w", NOW)
    with pytest.raises(RuntimeError):
        async with store.begin(made) as tx:
            await tx.connection.execute(update(schema.tenants).values(name="x"))
            raise RuntimeError
    async with store.read(made) as tx:
        assert await tx.connection.scalar(select(schema.tenants.c.name)) == ""


async def test_blobs_are_kept_once(store: Store) -> None:
    """The same bytes twice are one row; another tenant cannot read them; unused ones go after a day."""
    one, two = [await tenants.tenant_id(store, "p", name, NOW) for name in ("w1", "w2")]
    blob = await TenantBlobs(store, one).write(b"bytes", "text/plain")
    assert await TenantBlobs(store, one).write(b"bytes", "text/plain") == blob
    assert await TenantBlobs(store, one).read(blob) == b"bytes"
    with pytest.raises(StoreError, match="no longer there"):
        await TenantBlobs(store, two).read(blob)
    assert await drop_unused_everywhere(store, datetime.now(UTC)) == 0
    assert await drop_unused_everywhere(store, datetime.now(UTC) + timedelta(days=2)) == 1


async def test_tokens_are_sealed(store: Store) -> None:
    """Installations come back with their tokens, which stand in the database only encrypted; keys can be rotated."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    kept = Installation("p", "w", "Acme", {"scopes": "a,b"}, {"token": "xoxb-secret"})
    assert "xoxb" not in repr(kept)
    await tenants.keep_installation(store, tenants.Seal(old), kept, NOW)
    async with store.connect(write=False) as connection:
        sealed = await connection.scalar(select(schema.tenants.c.sealed))
    assert b"xoxb" not in sealed
    assert await tenants.installation(store, tenants.Seal(f"{new},{old}"), "p", "w") == kept
    with pytest.raises(ConfigError, match="PARLEY_SECRET_KEY"):
        await tenants.installation(store, tenants.Seal(new), "p", "w")
    with pytest.raises(ConfigError, match="PARLEY_SECRET_KEY is not set"):
        await tenants.keep_installation(store, tenants.Seal(), kept, NOW)
    with pytest.raises(ConfigError, match="PARLEY_SECRET_KEY"):
        tenants.Seal("too short")
    await tenants.drop_installation(store, "p", "w")
    assert await tenants.installation(store, tenants.Seal(old), "p", "w") is None


async def test_news_reach_every_subscriber(store_url: str, store: Store) -> None:
    """What is published arrives, in order, at all who subscribed to that topic, in this process and in another."""
    one, two = open_bus(store), open_bus(store)
    await one.start()
    await two.start()
    other = two if store.is_shared else one
    async with one.subscribe("t") as here, other.subscribe("t") as there:
        for number in range(3):
            await one.publish("t", {"n": number})
            await one.publish("else", {"n": 9})
        async with asyncio.timeout(10):
            assert [(await anext(here))["n"] for _ in range(3)] == [0, 1, 2]
            assert [(await anext(there))["n"] for _ in range(3)] == [0, 1, 2]
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    "words", ["x" * 7_000, "x" * 100_000, "é☃😀" * 9_000, '"\\\n' * 9_000, "\ud800" * 3_000], ids=range(5)
)
async def test_a_message_of_any_size_arrives_whole(store: Store, words: str) -> None:
    """The bus carries what it is given, however it must cut it, in its place among others, of two publishers at once."""
    bus, other = open_bus(store), open_bus(store)
    await bus.start()
    publisher = other if store.is_shared else bus
    async with bus.subscribe("t") as received:
        for number in range(2):
            await asyncio.gather(
                bus.publish("t", {"by": "bus", "n": number, "text": words}),
                publisher.publish("t", {"by": "other", "n": number, "text": words}),
            )
        async with asyncio.timeout(10):
            messages = [await anext(received) for _ in range(4)]
    assert {message["text"] for message in messages} == {words}
    assert all([one["n"] for one in messages if one["by"] == by] == [0, 1] for by in ("bus", "other"))
    await bus.close()
    await other.close()


def test_pieces_without_their_beginning_are_dropped() -> None:
    """A listener that comes while a message is delivered hears the next one, and nothing of the one it missed."""
    joiner, pieces = Joiner(), notifications("t", {"text": "y" * 20_000})
    assert [joiner.add(piece) for piece in pieces[1:]] == [None, None]
    assert joiner.add(pieces[0]) is None
    again = notifications("t", {"n": 1, "text": "z" * 20_000})
    assert [joiner.add(piece) for piece in again][-1] == ("t", {"n": 1, "text": "z" * 20_000})
    assert joiner.add(notifications("t", {"n": 2})[0]) == ("t", {"n": 2})


@given(st.text(max_size=20_000))
def test_every_notification_fits(words: str) -> None:
    """PostgreSQL refuses a notification of 8,000 bytes."""
    assert all(len(one.encode()) < 8_000 for one in notifications("a topic", {"text": words}))


async def test_a_name_is_held_by_one_process(store: Store) -> None:
    """A second process of the same name gets another; when the first is gone, it counts as dead and its name is free."""
    one, two = StoreWorkerRegistry(store, timedelta(0)), StoreWorkerRegistry(store, timedelta(0))
    assert await one.register("main") == "main"
    assert await two.register("main") == "main-2"
    assert await two.expired() == []
    await one.deregister()
    assert await two.expired() == ["main"]
    await two.remove("main")
    three = StoreWorkerRegistry(store)
    assert await three.register("main") == "main"
    await three.deregister()
    await two.deregister()
    async with store.connect(write=False) as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.workers)) == 2


async def test_a_process_whose_server_was_away_is_not_taken_for_dead(postgres_url: str) -> None:
    """When PostgreSQL cuts all connections, a living process takes its lock again, and nobody works in its place meanwhile."""
    store = open_store(postgres_url)
    await migrate(store)
    one, two = StoreWorkerRegistry(store), StoreWorkerRegistry(store)
    await one.register("one")
    await two.register("two")
    bus = open_bus(store)
    await bus.start()
    await bus.publish("t", {"n": 0})
    async with store.connect(write=True) as connection:
        await connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    assert await two.expired() == []
    assert await one.expired() == []
    three = StoreWorkerRegistry(store)
    assert await three.register("one") == "one-2"
    await bus.publish("t", {"n": 1})
    for each in (one, two, three):
        await each.deregister()
    await bus.close()
    await store.close()


async def test_errors_do_not_show_what_people_wrote(store: Store) -> None:
    """A statement that the database refuses is an error without its values, and so is its traceback in the log."""
    made = await tenants.tenant_id(store, "p", "w", NOW)
    with pytest.raises(StoreError) as caught:
        async with store.begin(made) as tx:
            await tx.connection.execute(schema.messages.insert(), {"tenant_id": made, "text": "the treasure"})
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.detail
    assert "INSERT INTO messages" in shown
    assert "the treasure" not in shown.replace('"the treasure"', "")  # the line of this test is shown too


async def test_a_database_that_is_away_is_said_plainly() -> None:
    """An unreachable database is a StoreError whose text helps and whose log detail has no password."""
    store = open_store("postgresql://user:hunter2@127.0.0.1:1/none")
    with pytest.raises(StoreError) as caught:
        await store.ping()
    assert "cannot be reached" in caught.value.text
    assert "hunter2" not in caught.value.detail + repr(store.url)
    await store.close()


async def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    """When nothing more can be written, the person reads that the disk is full, and what was there stays readable."""
    store = open_store(f"sqlite:///{tmp_path / 'parley.db'}", pool_size=1)
    await migrate(store)
    made = await tenants.tenant_id(store, "p", "w", NOW)
    async with store.connect(write=True) as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StoreError, match="disk that holds the database is full"):
        await TenantBlobs(store, made).write(b"x" * 200_000, "text/plain")
    assert await tenants.tenant_id(store, "p", "w", NOW) == made
    await store.close()


async def test_a_locked_database_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another program holds the database, the error says to try again, and later it works."""
    monkeypatch.setattr("bot.store.sqlite_driver.BUSY_TIMEOUT_MS", 20)
    store = open_store(f"sqlite:///{tmp_path / 'parley.db'}")
    await migrate(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="busy"):
            await tenants.tenant_id(store, "p", "w", NOW)
        other.execute("ROLLBACK")
    assert await tenants.tenant_id(store, "p", "w", NOW)
    await store.close()


async def test_waiting_for_another_writer_holds_up_nobody(tmp_path: Path) -> None:
    """While another program writes, our write waits its turn and everything else, reading included, goes on."""
    store = open_store(f"sqlite:///{tmp_path / 'parley.db'}")
    await migrate(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(tenants.tenant_id(store, "p", "w", NOW))
        async with asyncio.timeout(2):
            for _ in range(20):
                await store.ping()
                await asyncio.sleep(0.001)
        assert not writing.done()
        other.execute("ROLLBACK")
    async with asyncio.timeout(5):
        assert await writing
    await store.close()


async def test_who_gives_up_waiting_leaves_the_connection_whole(tmp_path: Path) -> None:
    """A write cancelled while it waits for another program's ends, and the next one works."""
    store = open_store(f"sqlite:///{tmp_path / 'parley.db'}", pool_size=1)
    await migrate(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(tenants.tenant_id(store, "p", "w", NOW))
        await asyncio.sleep(0.01)
        writing.cancel()
        other.execute("ROLLBACK")
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await writing
    assert await tenants.tenant_id(store, "p", "w", NOW)
    await store.close()


async def test_large_bytes_come_back_whole(store: Store) -> None:
    """Megabytes are written and read beside other work, byte for byte."""
    made = await tenants.tenant_id(store, "p", "w", NOW)
    data = bytes(range(256)) * 20_000
    kept, _ = await asyncio.gather(TenantBlobs(store, made).write(data, "text/plain"), store.ping())
    assert await TenantBlobs(store, made).read(kept) == data


async def test_the_log_is_moved_into_the_file(tmp_path: Path) -> None:
    """SQLite's log does not grow without end: what was written stands in the database's own file before it is closed."""
    store = open_store(f"sqlite:///{tmp_path / 'parley.db'}", checkpoint_every=3)
    await migrate(store)
    for number in range(6):
        await tenants.tenant_id(store, "p", f"workspace-{number}", NOW)

    async def is_moved() -> bool:
        return b"workspace-1" in await asyncio.to_thread((tmp_path / "parley.db").read_bytes)

    async with asyncio.timeout(5):
        while not await is_moved():
            await asyncio.sleep(0.01)
    assert await is_moved()
    await store.close()


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_a_connection_that_cannot_be_set_up_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """When setting a connection up fails or is cancelled, the caller hears of it at once, and the store can be closed."""
    monkeypatch.setattr("bot.store.LOG_BYTES", "0; nonsense" if how == "fails" else 0)
    with contextlib.closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None)) as other:
        if how == "is cancelled":
            other.execute("BEGIN EXCLUSIVE")
        store = open_store(f"sqlite:///{tmp_path / 'parley.db'}")
        asking = asyncio.create_task(store.ping())
        await asyncio.sleep(0.01)
        asking.cancel()
        other.execute("ROLLBACK") if other.in_transaction else None
        async with asyncio.timeout(6):
            with pytest.raises(StoreError if how == "fails" else asyncio.CancelledError):
                await asking
            await store.close()


def test_sqlalchemy_still_has_what_our_driver_stands_on() -> None:
    """ADR 6 (docs/adr/0006-sqlite-on-the-loop.md): `bot/store/sqlite_driver.py` overrides parts of SQLAlchemy that no documentation
    promises. A release that renames one fails here, before anything worse, and the ADR says what depends on it.
    """
    cursor, connection = adapters.AsyncAdapt_dbapi_cursor, adapters.AsyncAdapt_dbapi_connection
    slots = {"_adapt_connection", "_connection", "_cursor", "_rows", "_soft_closed_memoized"}
    assert slots <= set(cursor.__slots__)
    assert cursor._awaitable_cursor_close is True
    for name, parameters in (("_execute_async", 3), ("_executemany_async", 3), ("close", 1), ("execute", 3)):
        assert len(inspect.signature(getattr(cursor, name)).parameters) == parameters
    assert connection._cursor_cls is cursor
    assert list(inspect.signature(connection.__init__).parameters) == ["self", "dbapi", "connection"]
    assert {"commit", "rollback", "close", "cursor"} <= set(dir(connection))
    assert {"do_begin", "do_execute", "do_terminate", "get_driver_connection"} <= set(dir(SQLiteDialect_pysqlite))
    assert callable(await_)


def modes(folder: Path) -> dict[str, int]:
    """The rights of a folder and of all files in it."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
async def test_what_people_said_is_for_the_owner_alone(tmp_path: Path, umask: int) -> None:
    """The data folder, the database and the files beside it are closed to other users of the machine, whatever the umask."""
    home = tmp_path / "made" / "parley"
    home.parent.mkdir()
    before = os.umask(umask)
    try:
        store = open_store(f"sqlite:///{home / 'parley.db'}")
        await migrate(store)
        workers = StoreWorkerRegistry(store)
        await workers.register("main")
        found = modes(home)
        assert set(found) >= {"parley", "parley.db", "parley.db-wal", "parley.db-shm", "parley.db.main.lock"}
        assert found.pop("parley") == 0o700
        assert set(found.values()) == {0o600}
        assert store.open_to_others() == []
        await workers.deregister()
        await store.close()
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_an_open_folder_stays_and_is_told(make_app: MakeApp, tmp_path: Path) -> None:
    """A folder that others may read is not changed by us; the overview warns and names the command that closes it."""
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    async with make_app(parley_home=home) as app:
        (told,) = (one for one in app.host.diagnostics() if one.subject == "files")
        assert told.level == "warning" and told.text.endswith(f"chmod go-rwx {home}")
        home.chmod(0o700)
        assert "files" not in [one.subject for one in app.host.diagnostics()]
