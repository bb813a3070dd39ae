"""Whatever others choose as an id or a name can be kept, and found again: on both databases, in every column."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, String, Text, select, text

from bot.errors import RefusedByStoreError
from bot.policy.settings import scopes
from bot.store import Store, open_store, schema, tenants
from bot.store.columns import DIGEST, Bounded, Moment, Words, fitted
from bot.store.migrate import migrate
from bot.types import Address, Author, Settings
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, answer
from tests.support import rows

NOW = datetime(2026, 11, 23, tzinfo=UTC)
HOSTILE = "".join(chr(0x1F300 + number * 7 % 256) for number in range(3_000)) + "\0\ud800 and so on"
"""Of letters that take four bytes each, with one that PostgreSQL does not keep, and half of one."""


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """An open database, at this version."""
    made = open_store(store_url)
    await migrate(made)
    yield made
    await made.close()


def hostile_value(column: Column[Any]) -> Any:
    """The longest and oddest that anybody could have written there; equal in columns that refer to one another."""
    kinds: tuple[tuple[Any, Any], ...] = (
        (Bounded, HOSTILE),
        (Words, HOSTILE),
        (Moment, NOW),
        (Boolean, True),
        (LargeBinary, b"x"),
        (Float, 1.0),
        (Integer, 1),
    )
    return next(
        (value for kind, value in kinds if isinstance(column.type, kind)), {} if "JSON" in repr(column.type) else 1
    )


async def test_every_column_keeps_what_is_too_long_for_it(store: Store) -> None:
    """A row of each table, all its texts too long and with letters that cannot be kept, is written and found by each of them."""
    for table in schema.metadata.sorted_tables:
        row = {column.name: hostile_value(column) for column in table.columns}
        async with store.connect(write=True) as connection:
            await connection.execute(table.insert().values(row))
        async with store.connect(write=False) as connection:
            for column in table.columns:
                if isinstance(column.type, Bounded | Words):
                    found = (await connection.execute(select(column).where(column == HOSTILE))).scalars().all()
                    assert len(found) == 1, column
                    assert not isinstance(column.type, Bounded) or len(found[0]) <= column.type.length


def test_no_column_is_bounded_otherwise() -> None:
    """Every text in a table is of one of the two types that fit what is written."""
    columns = [column for table in schema.metadata.tables.values() for column in table.columns]
    assert len([column for column in columns if isinstance(column.type, Bounded)]) > 30
    assert [column for column in columns if isinstance(column.type, String | Text)] == []


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from((16, 32, 64, 65, 255)))
def test_what_is_fitted_is_short_and_tells_apart(one: str, other: str, length: int) -> None:
    """Never longer than the column, itself where it fits, equal for equal texts and different for different ones."""
    assert len(fitted(one, length)) <= length
    assert fitted(one, length) == one or len(one) > length or "\0" in one
    assert fitted(fitted(one, length), length) == fitted(one, length)
    if "\0" not in one + other and min(len(one), len(other)) > length > DIGEST:
        assert (fitted(one, length) == fitted(other, length)) == (one == other)


@pytest.mark.parametrize("length", [254, 255, 256, 262, 10_000])
async def test_an_event_is_answered_once_however_long_its_id(
    store_url: str, make_app: MakeApp, platform: FakeAdapter, length: int
) -> None:
    """A delivery whose ids are longer than a column is answered, and delivered again it is known; another is not taken for it."""
    async with make_app(database_url=store_url) as app:
        long = "E" * length
        place = Address("fake", "W" * length, "C" * length, "T" * length)
        first = platform.says("hello", event_id=long, message_id=f"{long}1", address=place)
        await answer(app, platform, first)
        assert (await app.accept(first)).outcome == "repeated"
        other = platform.says("again", event_id=f"{long}x", message_id=f"{long}2", address=place)
        await answer(app, platform, other)
        assert len(await rows(app, schema.conversations)) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [("a " * 1_500, "That is 1,500 words; search for at most"), ("a" * 60_000, "That word has 60,000 characters")],
)
async def test_a_search_for_too_much_is_refused_in_words(
    store_url: str, make_app: MakeApp, platform: FakeAdapter, words: str, said: str
) -> None:
    """More words, or longer ones, than a database takes: the person is told so at once, and no database is said to be busy."""
    async with make_app(database_url=store_url) as app:
        shown = await answer(app, platform, platform.commands("search", words))
    assert said in shown.text
    assert shown.reply is not None
    assert shown.reply.error in ("usage", "limit")


async def test_a_statement_that_no_database_takes_is_not_tried_again(store: Store) -> None:
    """It is a fault of ours, not a moment's trouble: nobody waits for four attempts."""
    deep = text(f"SELECT {'(' * 30_000}1{')' * 30_000}")
    with pytest.raises(RefusedByStoreError) as caught:
        async with store.connect(write=False) as connection:
            await connection.execute(deep)
    assert not caught.value.retryable


async def test_no_letter_that_anybody_can_send_breaks_a_turn(
    store_url: str, make_app: MakeApp, platform: FakeAdapter
) -> None:
    """NUL and half a letter in every text that comes in, ids and names of files among them: answered, and kept without them."""
    odd = "\0\ud800"
    async with make_app(database_url=store_url) as app:
        said = platform.says(f"hello {odd}", files={"a.txt": b"words"})
        place = Address("fake", f"W{odd}", f"C{odd}", f"T{odd}")
        file = replace(
            said.attachments[0], name=f"a{odd}.txt", mime_type=f"text/plain{odd}", ref={"file": "a.txt", odd: odd}
        )
        author = Author(f"U{odd}", f"Ann{odd}", groups=(f"G{odd}",))
        ids = {"event_id": f"E{odd}", "message_id": f"M{odd}", "reply_to": odd, "ref": {odd: odd}}
        shown = await answer(app, platform, replace(said, address=place, author=author, attachments=(file,), **ids))
        assert "hello" in shown.text
        for row in await rows(app, schema.messages):
            assert odd[0] not in f"{row.text}{row.parts}"
            f"{row.text}{row.parts}".encode()


async def test_a_setting_holds_at_a_place_with_long_ids(store: Store) -> None:
    """What is chosen for a conversation is found there, however long the ids that name it are together."""
    place = Address("fake", "W" * 200, "C" * 200, "T" * 200)
    tenant_id = await tenants.tenant_id(store, place.platform, place.workspace, NOW)
    async with store.begin(tenant_id) as tx:
        await tenants.set_setting(tx, *scopes(place, "ann")[2], "language", "de")
        found = await tenants.effective_settings(tx, place, "ann")
    assert found == Settings(language="de")
