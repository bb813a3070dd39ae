"""Long texts rendered away from the event loop: in other processes, in bounded time, each text once.

Rendering half a megabyte takes a quarter of a second, and a text that was made to be slow takes three; everybody else's sockets and
turns would wait for it. Short texts are rendered where they stand: a process costs more than they do.
"""

from __future__ import annotations

import atexit
import logging
from asyncio import timeout
from collections.abc import Callable
from typing import Any

from cachetools import LRUCache, TTLCache

from bot.errors import UnreadableError
from bot.media.apart import Readers

INLINE = 5_000
"""Characters that are rendered on the loop: 3 ms of usual text, 30 ms of the worst."""
DEADLINE_S = 5.0
"""For one text: the worst of 500,000 characters takes 3 s of an idle processor."""
PATIENCE_S = 10.0
"""Waiting for other texts included; then the text is shown plainly."""
PROCESSES = 2
IDLE_S = 600.0
"""A process, which takes 40 MB, waits this long for the next text: people think between two questions."""
MAX_KEPT = 4_000_000
"""Characters of what was made that are kept."""
MAX_LATE, LATE_S = 256, 60.0
"""Texts that took too long are tried again after a minute: the machine may have been busy."""
SHARE = 5
"""A text that grows is rendered again after so many times as long as it took: a fifth of a process, however long it is."""
PARTED = "`\u2060`"
"""Two backticks with a joiner, which nobody sees, between them: so parted, three end no code."""
log = logging.getLogger(__name__)

RENDERERS = Readers(PROCESSES, deadline_s=DEADLINE_S, idle_s=IDLE_S)
"""The processes, for all platforms. They start when the first long text comes."""
atexit.register(RENDERERS.close)


class LongTexts:
    """Renders texts by functions that give lists of plain texts."""

    def __init__(
        self,
        readers: Readers = RENDERERS,
        *,
        inline: int = INLINE,
        patience_s: float = PATIENCE_S,
        max_kept: int = MAX_KEPT,
    ) -> None:
        """readers: the processes to use. inline: characters of what is no long text. max_kept: characters that are kept."""
        self.inline = inline
        self._readers, self._patience_s = readers, patience_s
        self._kept: LRUCache[Any, list[str]] = LRUCache(max_kept, getsizeof=_size)
        self._late: TTLCache[Any, bool] = TTLCache(MAX_LATE, LATE_S)

    def holds(self, text: str) -> bool:
        """Whether this is a long text."""
        return len(text) > self.inline

    async def made(self, render: Callable[..., list[str]], text: str, given: Any = ()) -> list[str] | None:
        """What `render(text, given)` gives, or None when it could not be made in time."""
        key = (render.__qualname__, text, given)
        if key in self._late:
            return None
        if (kept := self._kept.get(key)) is not None:
            return kept
        made = await self._in_time(render, text, given)
        if made is None:
            self._late[key] = True
            log.warning("a text of %d characters is shown plainly, for it could not be rendered in time", len(text))
        elif _size(made) <= self._kept.maxsize:
            self._kept[key] = made
        return made

    async def _in_time(self, render: Callable[..., list[str]], text: str, given: Any) -> list[str] | None:
        try:
            async with timeout(self._patience_s):
                return await self._readers.run("The text", render, text, given)
        except TimeoutError:
            log.warning("rendering has too much to do")
        except UnreadableError as error:
            log.info("rendering gave up: %s %s", error.text, error.detail)
        except Exception:  # the edge to other processes, none of whose faults may cost anybody the answer
            log.exception("rendering failed")
        return None


def plain_pieces(text: str, limit: int) -> list[str]:
    """The text as it is, in pieces that each fit a message, as code: nothing in it is read as Markdown.

    limit: characters of a piece with its fences.
    """
    room = limit - len("```\n\n```")
    pieces, start = list[str](), 0
    while start < len(text):
        end = start + (room // 2 if "``" in text[start : start + room] else room)  # what parts them takes room
        at = text.rfind("\n", start, end) if end < len(text) else len(text)
        end = at if at > start else end
        pieces.append(text[start:end].replace("``", PARTED).strip("\n"))
        start = end
    return [f"```\n{piece}\n```" for piece in pieces if piece.strip()]


def _size(made: list[str]) -> int:
    return sum(map(len, made)) + 1
