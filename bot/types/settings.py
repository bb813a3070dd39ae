"""What a person, a channel or a conversation chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.types.plain import value


@value
@dataclass(frozen=True, slots=True)
class Settings:
    """What a person, a channel or a conversation chose; None is "as configured"."""

    model: str | None = None
    system_prompt: str | None = None
    persona: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    effort: str | None = None
    verbosity: str | None = None
    speech: Literal["mirror", "always", "never"] | None = None
    voice: str | None = None
    image_size: str | None = None
    image_quality: str | None = None
    follow: Literal["thread", "always", "mention", "never"] | None = None
    language: str | None = None


DEFAULT_SETTINGS = Settings()
"""Everything as configured."""
