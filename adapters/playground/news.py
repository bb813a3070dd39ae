"""What the answering process tells the pages over the bus, and how it fits through: cut in pieces, joined again. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache

MAX_WHOLE = 5_000
"""Characters of JSON that go as they are: the bus carries 7,000 bytes on PostgreSQL, its own wrapping included."""
PIECE = 2_500
"""Characters of a piece: escaping a JSON text inside JSON doubles it at worst."""
MAX_UNFINISHED = 16
"""News that are joined at once; older ones lost a piece and never become whole."""


def topic(channel: str) -> str:
    """Where the answers of this conversation are told."""
    return f"playground:{channel}"


def asking_topic(channel: str) -> str:
    """Where a page that came late asks for the text so far."""
    return f"playground-ask:{channel}"


def pieces(news: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The news as messages that each fit the bus, in order; `Joiner` makes them one again."""
    text = json.dumps(news)
    if len(text) <= MAX_WHOLE:
        return [dict(news)]
    cuts = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    name = secrets.token_hex(8)
    return [{"kind": "piece", "of": name, "at": at, "count": len(cuts), "text": cut} for at, cut in enumerate(cuts)]


class Joiner:
    """Makes whole news of pieces that come in order for each sender."""

    def __init__(self) -> None:
        self._parts: LRUCache[str, list[str]] = LRUCache(MAX_UNFINISHED)

    def add(self, piece: Mapping[str, Any]) -> dict[str, Any] | None:
        """The whole news, or None while pieces are missing; a piece after a lost one is dropped."""
        if piece.get("kind") != "piece":
            return dict(piece)
        parts = self._parts.setdefault(str(piece["of"]), [])
        if len(parts) != piece["at"]:
            return None
        parts.append(str(piece["text"]))
        if len(parts) < piece["count"]:
            return None
        del self._parts[str(piece["of"])]
        joined: dict[str, Any] = json.loads("".join(parts))
        return joined
