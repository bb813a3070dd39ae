"""The replies under way in one process: what the events of each add up to, and the receipts of those that have ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cachetools import LRUCache

from bot.types import Done, GrowingText, PartReady, Receipt, ReplyEvent, Status, TextDelta, TextReset

MAX_FINISHED = 2_000
"""Receipts kept so that a repeated `finish` changes nothing. A rerun comes within seconds; each receipt takes about 1 kB."""
BOOT = "boot"
"""The key in a receipt's ref that says which process opened the reply."""
L = TypeVar("L")


@dataclass
class LiveText:
    """What a person should see of a reply while it grows. Pure; an adapter's own state of a reply holds one."""

    status: str = ""
    """What is being done, until words show it."""
    resets: int = 0
    """How often the text started over: what was shown of an earlier text is no longer its beginning."""
    words: GrowingText = field(default_factory=GrowingText)
    """All the words so far."""

    @property
    def text(self) -> str:
        """All the words so far, as one text: for a paint, not for each event."""
        return self.words.text

    def take(self, event: ReplyEvent) -> bool:
        """Add an event; True when something else should be shown now."""
        match event:
            case TextDelta(text):
                is_other = bool(text or self.status)
                self.words.add(text)
                self.status = ""
            case TextReset():
                is_other = bool(self.words)
                self.resets += is_other
                self.words.clear()
            case Status(text):
                is_other, self.status = text != self.status, text
            case Done() | PartReady():
                is_other = False
        return is_other


class LiveReplies(Generic[L]):
    """The state `L` of each reply under way, by turn.

    A reply is opened by one process and, after a crash, ended by another: `opened_here` tells them apart, so that the second
    one looks at the platform for what the first one posted.
    """

    def __init__(self, max_finished: int = MAX_FINISHED) -> None:
        self.boot = uuid.uuid4().hex[:12]
        """Names this process, for the receipts of the replies it opens."""
        self._live: dict[str, L] = {}
        self._finished: LRUCache[str, Receipt] = LRUCache(max_finished)

    def __len__(self) -> int:
        return len(self._live)

    def values(self) -> list[L]:
        """The states of all replies under way."""
        return list(self._live.values())

    def get(self, turn_id: str) -> L | None:
        """The state of this turn's reply, or None when this process knows none."""
        return self._live.get(turn_id)

    def start(self, turn_id: str, state: L) -> L:
        """Keep the state of a reply that begins, or begins again."""
        self._finished.pop(turn_id, None)
        self._live[turn_id] = state
        return state

    def finish(self, receipt: Receipt) -> Receipt:
        """Drop the state of a reply that ended and remember its receipt."""
        self._live.pop(receipt.turn_id, None)
        self._finished[receipt.turn_id] = receipt
        return receipt

    def finished(self, turn_id: str) -> Receipt | None:
        """The receipt of a reply that ended here, or None."""
        return self._finished.get(turn_id)

    def opened_here(self, receipt: Receipt) -> bool:
        """Whether this process opened the reply, and so knows all that was posted of it."""
        return receipt.ref.get(BOOT) == self.boot
