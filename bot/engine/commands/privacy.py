"""/reset and /forget: what Parley no longer looks at, and what it no longer has."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bot.engine.commands.registry import CommandContext, command
from bot.policy.permissions import forgettable_author
from bot.store import deletion
from bot.types import ReplyEvent, TextDelta


@command("Begin a new conversation here; the old one stays findable.", begins_anew=True, is_free=True)
async def reset(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """`accept` has closed the conversation already, so that what is said next belongs to the new one."""
    yield TextDelta("A new conversation begins. I no longer look at what was said before.")


@command(
    "Delete what you said here, my answers and the files, for good.", is_private=True, begins_anew=True, is_free=True
)
async def forget(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Messages, files, events and what we posted about them leave the database: in a shared place, only one's own."""
    inbound = context.turn.inbound
    author_id = forgettable_author(inbound)
    async with context.runtime.store.begin(context.turn.tenant_id) as tx:
        gone, turn_ids = await deletion.forget(tx, inbound.address, author_id)
    await context.runtime.jobs.forget([one for one in turn_ids if one != context.turn.id])
    whose = "messages" if inbound.is_direct else "messages of yours and answers to them"
    yield TextDelta(f"Forgotten: {max(gone - 1, 0)} {whose}, with their files, are deleted for good.")
