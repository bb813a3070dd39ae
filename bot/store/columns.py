"""Types of columns: times in UTC, and text of bounded length that fits whatever is written."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text, TypeDecorator

from bot.types import clean_text

ID_LENGTH = 255
"""Characters of an id that others choose."""
DIGEST = 64
"""Characters of a SHA-256."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time with its zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Bounded(TypeDecorator[str]):
    """Ids and names: at most so many characters, on SQLite too, which does not look.

    Others choose them, so none is too long or holds a letter that cannot be kept: it is written, and looked for, as `fitted`.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The text as it fits."""
        return fitted(value, self.length) if isinstance(value, str) else value


class Words(TypeDecorator[str]):
    """Text of any length, without letters that cannot be kept."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The text as it can be kept."""
        return _kept(value) if isinstance(value, str) else value


def _kept(text: str) -> str:
    return text if text.isascii() and "\0" not in text else clean_text(text)


def fitted(text: str, length: int) -> str:
    """The text if it fits, else its beginning with a digest of the whole: equal for equal texts, and only for them."""
    text = _kept(text)
    if len(text) <= length:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[: length - DIGEST - 1]}~{digest}" if length > DIGEST else digest[:length]
