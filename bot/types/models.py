"""Facts about models, platforms and commands, and the lines of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from bot.types.plain import value

Modality: TypeAlias = Literal["chat", "transcribe", "speech", "image", "embedding"]

MODALITIES: tuple[Modality, ...] = ("chat", "transcribe", "speech", "image", "embedding")


@value
@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Facts about a model. What is unknown has the careful default."""

    name: str
    """As in the configuration: `provider:model`."""
    context_tokens: int = 8_192
    output_tokens: int = 4_096
    sees_images: bool = False
    reads_files: bool = False
    calls_tools: bool = False
    settings: frozenset[str] = frozenset()
    """Names of `Settings` that the model takes."""
    efforts: tuple[str, ...] = ()
    shutdown_at: date | None = None
    successor: str = ""
    is_local: bool = False
    max_audio_s: float | None = None
    voices: tuple[str, ...] = ()
    dimensions: int = 0
    """Of an embedding model's vectors."""


@value
@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do, as far as the core decides by it: each field has a reader, which a test looks for."""

    has_buttons: bool = True
    """Buttons can stand under a reply."""
    hears_all: bool = True
    """Every message of a channel arrives, not just those that mention us: what came before a conversation's first question is the
    only gap. Else what is missing is fetched before each answer."""


@value
@dataclass(frozen=True, slots=True)
class CommandOption:
    """One argument of a slash command, for platforms that ask for them by name."""

    name: str
    summary: str
    required: bool = False
    choices: tuple[str, ...] = ()
    is_attachment: bool = False


@value
@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A slash command as every platform shows it."""

    name: str
    summary: str
    """One line, at most 100 characters."""
    usage: str = ""
    """The arguments, such as `TEXT`."""
    options: tuple[CommandOption, ...] = ()
    is_private: bool = False
    """The answer concerns only the person who asked."""
    begins_anew: bool = False
    """What is said after it belongs to a new conversation."""
    is_free: bool = False
    """No model answers it, so it does not count as a question."""


@value
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One line of `doctor`."""

    subject: str
    level: Literal["ok", "off", "warning", "error"]
    text: str
    setting: str = ""
    """The environment variable that changes it."""
