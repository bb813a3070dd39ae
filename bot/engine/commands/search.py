"""/search: earlier messages, among what the platform lets the asker read now."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from bot.engine.commands.registry import TEXT, CommandContext, command, require_text
from bot.errors import UsageError
from bot.policy.limits import Limits
from bot.policy.visibility import SearchScope, searchable_from
from bot.store.search import SearchHit, search_messages
from bot.types import Address, ReplyEvent, TextDelta

MAX_WORD = 200
"""Characters of a word that is searched for."""
SNIPPET = 160
"""Characters around the word that was found."""


@command("Find earlier messages by words.", "WORDS", (TEXT,), is_private=True)
async def search(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Over what the asker may see from here."""
    words = _words(require_text(context.text, "/search WORDS"), context.runtime.limits)
    inbound = context.turn.inbound
    scope = searchable_from(inbound.address, inbound.author.id, is_direct=inbound.is_direct)
    found = await find_readable(context, words, scope)
    if not found:
        yield TextDelta(f"Nothing that you can see here holds: {' '.join(words)}.")
        return
    lines = [
        f"- **{one.author_name or 'Parley'}**, {one.created_at:%d %b %Y %H:%M}: {_snippet(one.text, words[0])}"
        for one in found
    ]
    yield TextDelta("\n".join(lines))


def _words(text: str, limits: Limits) -> list[str]:
    """What is searched for. Raises UsageError for more, or for longer words, than a database takes."""
    words = text.split()
    if len(words) > limits.search_words:
        raise limits.error("search_words", count=f"{len(words):,}")
    if (longest := max(map(len, words))) > MAX_WORD:
        raise UsageError(f"That word has {longest:,} characters; search for words of at most {MAX_WORD}.")
    return words


async def find_readable(context: CommandContext, words: Sequence[str], scope: SearchScope) -> list[SearchHit]:
    """The newest matches that the asker may read, as far as the limits let one look for them.

    The platform is asked about each place once, and never about one that the question does not touch.
    """
    limits, found, known, before = context.runtime.limits, list[SearchHit](), dict[Address, bool](), None
    for _ in range(limits.search_pages):
        async with context.runtime.store.read(context.turn.tenant_id) as tx:
            page = await search_messages(tx, words, scope, limits.search_page, before=before)
        await _ask_rights(context, page, known)
        found += [hit for hit in page if hit.is_direct or known.get(_place_of(context, hit), False)]
        if len(found) >= limits.search_results or len(page) < limits.search_page:
            break
        before = page[-1].id
    return found[: limits.search_results]


def _place_of(context: CommandContext, hit: SearchHit) -> Address:
    here = context.turn.inbound.address
    return Address(here.platform, here.workspace, hit.channel, hit.thread)


async def _ask_rights(context: CommandContext, page: Sequence[SearchHit], known: dict[Address, bool]) -> None:
    """Learn which shared places of these hits the asker may read, up to a number of places for one search."""
    room = context.runtime.limits.search_places - len(known)
    places = dict.fromkeys(_place_of(context, hit) for hit in page if not hit.is_direct)
    asked = [place for place in places if place not in known][:room]
    inbound = context.turn.inbound
    readable = await context.runtime.adapter_for(inbound).readable_by(inbound, asked) if asked else ()
    known |= {place: place in readable for place in asked}


def _snippet(text: str, word: str) -> str:
    """The text around the word, on one line."""
    flat = " ".join(text.split())
    at = max(flat.lower().find(word.lower()) - SNIPPET // 3, 0)
    return f"{'…' if at else ''}{flat[at : at + SNIPPET]}{'…' if len(flat) > at + SNIPPET else ''}"
