"""What the steps of a turn give: values, so that they can be recorded and come back after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.types import Attachment, Audio, Message, Part, Reply, Turn, value

Result = TypeVar("Result")


@value
@dataclass(frozen=True, slots=True)
class Opened:
    """The sign of life was given."""

    turn: Turn
    """With its settings and its receipt, equal for all later steps."""
    unread: tuple[tuple[int, Attachment], ...] = ()
    """Attachments of earlier messages that nobody has read, each with the store's id of its message."""


@value
@dataclass(frozen=True, slots=True)
class Perception:
    """An attachment as it was understood."""

    parts: tuple[Part, ...]
    notices: tuple[str, ...] = ()
    """Remarks for the person."""


@value
@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that was shown while it came."""

    reply: Reply
    tool_messages: tuple[Message, ...] = ()
    """Tool calls and their results, for the history."""
    wants_speech: bool = False
    """A tool or a command asked for it to be spoken."""


@value
@dataclass(frozen=True, slots=True)
class Speech:
    """An answer as sound."""

    clip: Audio
    notices: tuple[str, ...] = ()


FORMER_FIELDS: Mapping[str, str] = {"exchange": "tool_messages"}


def restored(kind: type[Result], recorded: Any) -> Result:
    """A step's result as a value of that kind.

    Version 0.1 recorded mappings, and a pair for speech. A turn that it left unfinished is carried on from them, so that what
    was posted, paid and spoken already is not done again.
    """
    if isinstance(recorded, kind):
        return recorded
    if isinstance(recorded, Mapping):
        return kind(**{FORMER_FIELDS.get(name, name): _tuples(item) for name, item in recorded.items()})
    return kind(*recorded)


def _tuples(recorded: Any) -> Any:
    """Lists as tuples, as the fields of values are."""
    return tuple(_tuples(item) for item in recorded) if isinstance(recorded, list) else recorded
