"""Rendering away from the event loop: other processes do it in bounded time, and the result is cached by its text.

Whatever a text does to the Markdown parser or to a lexer, everybody else's sockets and turns go on. A text that takes too long is
rendered without highlighting; if that takes too long as well, it is shown as plain text.
"""

from __future__ import annotations

import asyncio
import logging

from cachetools import LRUCache, TTLCache

from adapters.playground import render
from adapters.shared.rendering import RENDERERS
from adapters.shared.tasks import TaskSet
from bot.errors import UnreadableError
from bot.media.apart import Readers

PATIENCE_S = 10.0
"""For all attempts, waiting for other texts included; then the page shows plain text until it asks again."""
SHORT = 300
"""Characters that are rendered on the event loop while no process runs, so that first words never wait: 15 ms at worst."""
MAX_KEPT = 4_000_000
"""Characters of HTML in the cache."""
MAX_LATE, LATE_S = 256, 60.0
"""Texts that took too long are tried again after a minute: the machine may have been busy."""
log = logging.getLogger(__name__)


class Renderer:
    """Renders texts as the HTML of their blocks."""

    def __init__(
        self, readers: Readers | None = None, *, patience_s: float = PATIENCE_S, max_kept: int = MAX_KEPT
    ) -> None:
        """readers: the processes to use, when it has some of its own. max_kept: characters of HTML in the cache."""
        self._readers = readers or RENDERERS
        self._patience_s = patience_s
        self._kept: LRUCache[str, list[str]] = LRUCache(max_kept, getsizeof=_size)
        self._late: TTLCache[str, bool] = TTLCache(MAX_LATE, LATE_S)
        self._running = 0
        self._warming = TaskSet(log, "the page's renderer")

    async def blocks(self, text: str) -> list[str]:
        """Render as `render.blocks` does, or return the plain text in one block when that takes too long."""
        if not text:
            return []
        if (kept := self._kept.get(text)) is not None:
            return kept
        made = None if text in self._late else await self._made_in_time(text)
        if made is None:
            return render.plain_block(text)
        if _size(made) <= self._kept.maxsize:
            self._kept[text] = made
        return made

    async def preview(self, text: str) -> list[str]:
        """Render an answer that is still growing. Its first words do not wait for a process, and their code is not highlighted."""
        if self._is_cold() and len(text) <= SHORT:
            self.warm_up()
            return render.blocks(text, has_colours=False)
        return await self.blocks(text)

    def warm_up(self) -> None:
        """Start a process unless one runs, so that the first answer does not wait for it."""
        if self._is_cold() and not self._warming:
            self._warming.spawn(self._attempt(" ", has_colours=False))

    async def close(self) -> None:
        """End the processes."""
        await self._warming.close()
        self._readers.close()

    def _is_cold(self) -> bool:
        """Return whether the next text would have to wait for a process to start, which takes half a second."""
        return not self._readers.idle() and self._running <= len(self._warming)

    async def _made_in_time(self, text: str) -> list[str] | None:
        try:
            async with asyncio.timeout(self._patience_s):
                for has_colours in (True, False):
                    if (made := await self._attempt(text, has_colours=has_colours)) is not None:
                        return made
                self._late[text] = True
        except TimeoutError:
            log.warning("rendering has too much to do")
        log.warning("a text of %d characters is shown plainly, for it could not be rendered in time", len(text))
        return None

    async def _attempt(self, text: str, *, has_colours: bool) -> list[str] | None:
        self._running += 1
        try:
            return await self._readers.run("The text", render.blocks, text, has_colours=has_colours)
        except UnreadableError as error:
            log.info("rendering gave up: %s %s", error.text, error.detail)
        except Exception:  # the edge to a parser and 500 lexers, none of whose faults may cost anybody the answer
            log.exception("rendering failed")
        finally:
            self._running -= 1
        return None


def _size(blocks: list[str]) -> int:
    return sum(map(len, blocks)) + 1
