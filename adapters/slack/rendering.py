"""Long answers at Slack, rendered away from the event loop; where that takes too long they are shown as they were written."""

from __future__ import annotations

import json
from asyncio import sleep
from collections.abc import Collection, Mapping, Sequence

from adapters.shared.markdown import CodeFile
from adapters.shared.rendering import LongTexts, plain_pieces
from adapters.slack.mentions import escape_mentions
from adapters.slack.render import PIECE, Piece, Rendered, fallback, without_foot


class Renderer:
    """Renders an answer's words: short ones here, long ones in another process."""

    def __init__(self, long_texts: LongTexts | None = None) -> None:
        self.long_texts = long_texts or LongTexts()

    async def words(self, text: str, allowed: Mapping[str, str], home: Sequence[str] = ()) -> Rendered:
        """As `render.without_foot` does."""
        if not self.long_texts.holds(text):
            return without_foot(text, allowed, home)
        made = await self.long_texts.made(packed, text, (tuple(allowed.items()), tuple(home)))
        return await (_plain(text, allowed) if made is None else _unpacked(made))


def packed(text: str, given: tuple[Sequence[tuple[str, str]], Sequence[str]]) -> list[str]:
    """`render.without_foot` as texts, for another process: what is true of the whole, then its messages."""
    allowed, home = given
    words = without_foot(text, dict(allowed), home)
    files = [[one.name, one.text] for one in words.files]
    pieces = ([one.blocks, one.text, one.markdown] for one in words.pieces)
    return [json.dumps(one) for one in ([files, words.escaped, words.has_table], *pieces)]


async def _unpacked(made: Sequence[str]) -> Rendered:
    """The loop goes on between two messages: a table is thousands of objects."""
    files, escaped, has_table = json.loads(made[0])
    pieces: list[Piece] = []
    for one in made[1:]:
        blocks, text, source = json.loads(one)
        pieces.append(Piece(tuple(blocks), text, source))
        await sleep(0)
    return Rendered(tuple(pieces), tuple(CodeFile(*file) for file in files), escaped, has_table)


async def _plain(text: str, allowed: Collection[str]) -> Rendered:
    pieces: list[Piece] = []
    for part in plain_pieces(text, PIECE):
        source = escape_mentions(part, allowed)
        pieces.append(Piece(({"type": "markdown", "text": source},), fallback(part, allowed), source))
        await sleep(0)
    return Rendered(tuple(pieces), has_table=True)
