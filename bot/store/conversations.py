"""Conversations: the open one at an address, those of a person, and where to resume after a downtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, exists, func, select, update

from bot.errors import StoreError
from bot.store import Store, Transaction, prepared
from bot.store.schema import conversations, messages, tenants
from bot.types import (
    Address,
    Conversation,
    ResumePoint,
)

TITLE_LENGTH = 80
SELECT_OPEN = select(conversations.c.id).where(
    conversations.c.tenant_id == bindparam("tenant"),
    conversations.c.channel == bindparam("at"),
    conversations.c.thread == bindparam("beneath"),
    conversations.c.is_open,
)
INSERT_CONVERSATION = prepared(conversations, lambda made: made.on_conflict_do_nothing().returning(conversations.c.id))


async def find_open(tx: Transaction, address: Address) -> int | None:
    """Find the open conversation at this address, if any."""
    where = {"tenant": tx.tenant_id, "at": address.channel, "beneath": address.thread}
    found: int | None = await tx.connection.scalar(SELECT_OPEN, where)
    return found


async def get_or_open(
    tx: Transaction, address: Address, now: datetime, *, is_direct: bool = False, title: str = ""
) -> int:
    """Find the open conversation at this address, or open one."""
    if (found := await find_open(tx, address)) is not None:
        return found
    row = {
        "tenant_id": tx.tenant_id,
        "channel": address.channel,
        "thread": address.thread,
        "is_direct": is_direct,
        "title": _title(title),
        "created_at": now,
        "updated_at": now,
    }
    made = await tx.connection.scalar(INSERT_CONVERSATION(tx.connection), row)
    found = made if made is not None else await find_open(tx, address)
    if found is None:
        raise StoreError("The conversation could not be begun. Please try again.", detail=address.channel)
    return found


async def close_conversation(tx: Transaction, conversation_id: int) -> None:
    """Close the conversation: the next message at its address opens a new one."""
    await tx.connection.execute(update(conversations).where(*_is(tx, conversation_id)).values(is_open=False))


def _is(tx: Transaction, conversation_id: int) -> tuple[Any, ...]:
    return (conversations.c.tenant_id == tx.tenant_id, conversations.c.id == conversation_id)


TOUCH_WITH_TITLE = (
    update(conversations)
    .where(conversations.c.tenant_id == bindparam("tenant"), conversations.c.id == bindparam("conversation"))
    .values(
        updated_at=bindparam("now"),
        title=case((conversations.c.title == "", bindparam("first")), else_=conversations.c.title),
    )
)
TOUCH = (
    update(conversations)
    .where(conversations.c.tenant_id == bindparam("tenant"), conversations.c.id == bindparam("conversation"))
    .values(updated_at=bindparam("now"))
)


async def touch(tx: Transaction, conversation_id: int, now: datetime, *, said: str | None = None) -> None:
    """Set when something last happened. said: what a person said, which becomes the title where there is none."""
    where = {"tenant": tx.tenant_id, "conversation": conversation_id, "now": now}
    if said is None:
        await tx.connection.execute(TOUCH, where)
    else:
        await tx.connection.execute(TOUCH_WITH_TITLE, {**where, "first": _title(said)})


async def retitle(tx: Transaction, conversation_id: int, said: str, now_said: str = "") -> None:
    """Take a title back that was made of these words, because they are deleted, or worded anew: then it is made of the new ones."""
    query = select(conversations.c.title).where(*_is(tx, conversation_id))
    title = await tx.connection.scalar(query)
    if title and _title(said).startswith(title):
        changed = update(conversations).where(*_is(tx, conversation_id)).values(title=_title(now_said))
        await tx.connection.execute(changed)


def _title(text: str) -> str:
    return " ".join(text.split())[:TITLE_LENGTH]


async def by_author(tx: Transaction, platform: str, workspace: str, author_id: str, limit: int) -> list[Conversation]:
    """List the open conversations in which this person said something, newest first."""
    took_part = exists().where(
        messages.c.conversation_id == conversations.c.id, messages.c.ordinal == 0, messages.c.author_id == author_id
    )
    where = (conversations.c.tenant_id == tx.tenant_id, conversations.c.is_open, took_part)
    rows = await tx.connection.execute(
        select(conversations).where(*where).order_by(conversations.c.updated_at.desc()).limit(limit)
    )
    return [
        Conversation(row.id, Address(platform, workspace, row.channel, row.thread), row.title, row.updated_at)
        for row in rows
    ]


async def address_of(store: Store, conversation_id: int) -> Address | None:
    """Find the address of a conversation."""
    query = (
        select(tenants.c.platform, tenants.c.workspace, conversations.c.channel, conversations.c.thread)
        .join(tenants, tenants.c.id == conversations.c.tenant_id)
        .where(conversations.c.id == conversation_id)
    )
    async with store.connect(write=False) as connection:
        row = (await connection.execute(query)).one_or_none()
    return Address(*row) if row else None


async def resume_points(store: Store, platform: str, since: datetime) -> list[ResumePoint]:
    """For each open conversation of the platform in which something happened since then, its newest message of a person."""
    newest = (
        select(messages.c.conversation_id, func.max(messages.c.id).label("message_id"))
        .where(messages.c.ordinal == 0, messages.c.platform_id != "")
        .group_by(messages.c.conversation_id)
        .subquery()
    )
    query = (
        select(
            tenants.c.workspace,
            conversations.c.channel,
            conversations.c.thread,
            messages.c.platform_id,
            messages.c.created_at,
        )
        .join(newest, newest.c.message_id == messages.c.id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .join(tenants, tenants.c.id == conversations.c.tenant_id)
        .where(tenants.c.platform == platform, conversations.c.is_open, conversations.c.updated_at >= since)
    )
    async with store.connect(write=False) as connection:
        rows = await connection.execute(query)
        return [ResumePoint(Address(platform, *row[:3]), row.platform_id, row.created_at) for row in rows]
