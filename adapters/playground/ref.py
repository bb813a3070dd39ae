"""What the page needs to know of an uploaded file to read it again: one value, and its plain strings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.shared.refs import from_ref, to_ref
from bot.types import Blob


@dataclass(frozen=True)
class PlaygroundRef:
    """Where the bytes of an uploaded file are kept."""

    sha256: str = ""
    mime_type: str = ""
    size_bytes: int = 0
    channel: str = ""
    """The conversation that it was sent in."""

    @property
    def blob(self) -> Blob:
        """The bytes as the store knows them."""
        return Blob(self.sha256, self.mime_type, self.size_bytes)

    def to_ref(self) -> dict[str, str]:
        """Return the strings that the core stores."""
        return to_ref(self)

    @classmethod
    def from_ref(cls, ref: Mapping[str, str]) -> PlaygroundRef:
        """Read what the core stored."""
        return from_ref(cls, ref, {})
