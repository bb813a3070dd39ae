"""How much of a growing answer will stay as it is, with its calls escaped and no address a link yet. Pure.

Only the end of the text is looked at again with each paint: lines that are complete keep what was made of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.slack.mentions import HELD_BACK, escape_mentions, stable
from adapters.slack.previews import unlinked
from bot.types import GrowingText

STEP = 8_000
"""Characters behind what is settled, at which further lines are."""
CODE = "```"


class Presentable:
    """The presentable part of one growing text."""

    def __init__(self, allowed: Mapping[str, str]) -> None:
        self._allowed = allowed
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._settled = GrowingText()
        self._taken = 0
        """Characters of the text that are settled."""
        self._is_code = False
        """What follows them stands in a block of code."""
        self._last = ("", "")

    def of(self, text: str) -> str:
        """What may be shown of the text, which goes on with what it was the last time, unless it is shorter."""
        if text == self._last[0]:
            return self._last[1]
        if len(text) < self._taken:
            self._begin_anew()
        self._settle(text)
        end = stable(self._escaped(stable(text[self._taken :], self._allowed)))
        end = unlinked(end if self._settled else end.lstrip())
        self._last = (text, self._settled.text + end)
        return self._last[1]

    def _settle(self, text: str) -> None:
        """Take up the lines that are complete: neither a call nor a name goes over a line's end."""
        while len(text) - self._taken > STEP + HELD_BACK:
            end = text.rfind("\n", self._taken, min(self._taken + 2 * STEP, len(text) - HELD_BACK)) + 1
            if not end:
                end = text.find("\n", self._taken, len(text) - HELD_BACK) + 1
            if not end:
                return
            piece = text[self._taken : end]
            made = self._escaped(piece)
            self._settled.add(unlinked(made if self._settled else made.lstrip()))
            self._is_code ^= piece.count(CODE) % 2 == 1
            self._taken = end

    def _escaped(self, piece: str) -> str:
        """In code the answer calls nobody by their name."""
        if not self._is_code:
            return escape_mentions(piece, self._allowed)
        return escape_mentions(f"{CODE}{piece}", self._allowed)[len(CODE) :]
