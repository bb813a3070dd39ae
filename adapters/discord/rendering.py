"""Long answers at Discord, rendered away from the event loop; where that takes too long they are shown as they were written."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.discord.render import PIECE, Rendered, without_remarks
from adapters.shared.markdown import CodeFile
from adapters.shared.rendering import LongTexts, plain_pieces


class Renderer:
    """Renders an answer's words: short ones here, long ones in another process."""

    def __init__(self, long_texts: LongTexts | None = None) -> None:
        self.long_texts = long_texts or LongTexts()

    async def words(self, text: str, home: Sequence[str] = ()) -> Rendered:
        """As `render.without_remarks` does."""
        if not self.long_texts.holds(text):
            return without_remarks(text, home)
        made = await self.long_texts.made(packed, text, tuple(home))
        return Rendered(tuple(plain_pieces(text, PIECE))) if made is None else _unpacked(made)


def packed(text: str, home: Sequence[str] = ()) -> list[str]:
    """`render.without_remarks` as texts, for another process: how many messages there are, they, then names and texts of files."""
    words = without_remarks(text, home)
    return [str(len(words.pieces)), *words.pieces, *(part for one in words.files for part in (one.name, one.text))]


def _unpacked(made: list[str]) -> Rendered:
    count = int(made[0])
    pieces, files = made[1 : count + 1], made[count + 1 :]
    return Rendered(tuple(pieces), tuple(map(CodeFile, files[::2], files[1::2])))
