"""/search: earlier messages, among what the asker may see from here."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bot.engine.commands.registry import TEXT, CommandContext, command, require_text
from bot.policy.visibility import searchable_from
from bot.store.search import search_messages
from bot.types import ReplyEvent, TextDelta

SNIPPET = 160
"""Characters around the word that was found."""


@command("Find earlier messages by words.", "WORDS", (TEXT,), is_private=True)
async def search(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Over what the asker may see from here."""
    words = require_text(context.text, "/search WORDS").split()
    inbound, runtime = context.turn.inbound, context.runtime
    scope = searchable_from(inbound.address, inbound.author.id, is_direct=inbound.is_direct)
    async with runtime.store.read(context.turn.tenant_id) as tx:
        found = await search_messages(tx, words, scope, runtime.limits.search_results)
    if not found:
        yield TextDelta(f"Nothing that you can see here holds: {' '.join(words)}.")
        return
    lines = [
        f"- **{one.author_name or 'Parley'}**, {one.created_at:%d %b %Y %H:%M}: {_snippet(one.text, words[0])}"
        for one in found
    ]
    yield TextDelta("\n".join(lines))


def _snippet(text: str, word: str) -> str:
    """The text around the word, on one line."""
    flat = " ".join(text.split())
    at = max(flat.lower().find(word.lower()) - SNIPPET // 3, 0)
    return f"{'…' if at else ''}{flat[at : at + SNIPPET]}{'…' if len(flat) > at + SNIPPET else ''}"
