"""Rendering away from the event loop: other processes do it, in bounded time, and what they gave is kept for the next page.

Whatever a text does to the Markdown parser or to a lexer, sockets and turns of everybody else go on meanwhile. A text that takes
too long is rendered without colours in its code, and when that takes too long as well it is shown as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from adapters.playground import render
from adapters.shared.tasks import TaskSet
from bot.errors import UnreadableError
from bot.media.apart import Readers

PROCESSES = 2
DEADLINE_S = 1.5
"""For rendering one text once: an ordinary answer takes 5 ms, the worst of 16,000 characters half a second."""
PATIENCE_S = 4.0
"""For all of it, the waiting for others included: then a page is shown the plain text, until it asks again."""
SHORT = 300
"""Characters that are rendered at once while no process runs, so that an answer's first words never wait: 15 ms at worst."""
IDLE_S = 600.0
"""A process waits this long for the next text, for people think between two questions; it takes 40 MB."""
MAX_KEPT_CHARACTERS = 4_000_000
"""Of texts and of HTML in all."""
log = logging.getLogger(__name__)


class Renderer:
    """Gives texts as the HTML of their blocks."""

    def __init__(
        self, readers: Readers | None = None, *, patience_s: float = PATIENCE_S, max_kept: int = MAX_KEPT_CHARACTERS
    ) -> None:
        """readers: the processes to use. max_kept: characters of texts and their HTML that are remembered."""
        self._readers = readers or Readers(PROCESSES, deadline_s=DEADLINE_S, idle_s=IDLE_S)
        self._patience_s = patience_s
        self._kept = _Kept(max_kept)
        self._running = 0
        self._warming = TaskSet(log, "the page's renderer")

    async def blocks(self, text: str) -> list[str]:
        """As `render.blocks`, or the plain text in one block when that cannot be had in time."""
        if not text:
            return []
        if (kept := self._kept.get(text)) is not None:
            return kept
        if self._is_cold() and len(text) <= SHORT:
            self.warm_up()
            return render.blocks(text, has_colours=False)
        try:
            async with asyncio.timeout(self._patience_s):
                made = await self._made(text)
        except TimeoutError:
            log.warning("a text of %d characters is shown plainly, for rendering has too much to do", len(text))
            return render.plain(text)
        self._kept.put(text, made)
        return made

    def warm_up(self) -> None:
        """Start a process unless one runs, so that the first answer does not wait for it."""
        if self._is_cold() and not self._warming:
            self._warming.spawn(self._attempt(" ", has_colours=False))

    async def close(self) -> None:
        """End the processes."""
        await self._warming.close()
        self._readers.close()

    def _is_cold(self) -> bool:
        """Whether the next text would wait until a process has started, which takes half a second."""
        return not self._readers.idle() and self._running <= len(self._warming)

    async def _made(self, text: str) -> list[str]:
        for has_colours in (True, False):
            if (made := await self._attempt(text, has_colours=has_colours)) is not None:
                return made
        log.warning("a text of %d characters is shown plainly, for it cannot be rendered in time", len(text))
        return render.plain(text)

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


class _Kept:
    """What was made of the texts used last."""

    def __init__(self, max_characters: int) -> None:
        self._max = max_characters
        self._size = 0
        self._made: OrderedDict[str, list[str]] = OrderedDict()

    def get(self, text: str) -> list[str] | None:
        """The blocks of this text, if they are remembered."""
        if (found := self._made.get(text)) is not None:
            self._made.move_to_end(text)
        return found

    def put(self, text: str, blocks: list[str]) -> None:
        """Remember them; forgets the ones unused for longest."""
        if text in self._made:
            return
        self._made[text] = blocks
        self._size += _size(text, blocks)
        while self._size > self._max:
            self._size -= _size(*self._made.popitem(last=False))


def _size(text: str, blocks: list[str]) -> int:
    return len(text) + sum(map(len, blocks))
