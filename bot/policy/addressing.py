"""Who is addressed: whether a message is for Parley to answer, and which of its texts are commands."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from bot.types import Author, ButtonPress, Command, CommandSpec, Edit, Inbound, InboundMessage, Settings

Answerable = TypeVar("Answerable", bound=InboundMessage | Command)
COMMAND_PATTERN = re.compile(r"/([a-z][a-z_-]*)(?:\s+(.*))?", re.DOTALL)
"""A command as a person types it: a slash, its name, and the rest. Every place where commands are typed reads them by this."""


class TypedCommand(NamedTuple):
    """A text that has the shape of a command."""

    name: str
    text: str
    """All after the name."""


def typed_command(text: str) -> TypedCommand | None:
    """The command that this text spells, whether or not there is one of that name; None when it is plain talk."""
    found = COMMAND_PATTERN.fullmatch(text.strip())
    return TypedCommand(found[1], (found[2] or "").strip()) if found else None


def is_answerable(author: Author) -> bool:
    """Whether what this author writes may start anything. Parley's own posts and those of other bots never do: no loops."""
    return not author.is_bot


def addresses_bot(message: InboundMessage) -> bool:
    """Whether an answer is due whatever the settings."""
    return message.is_direct or message.mentions_bot or message.intent != "answer"


def follows(message: InboundMessage, settings: Settings, *, has_turns: bool) -> bool:
    """Whether a message that does not address Parley is answered all the same.

    has_turns: Parley answered in the message's conversation before.
    """
    match settings.follow or "thread":
        case "always":
            return True
        case "thread":
            return has_turns and bool(message.address.thread) and not message.mentions_others
    return False


def answered_at(inbound: Answerable, later: Edit | ButtonPress) -> Answerable:
    """The inbound, to be answered where and by what a later event about it says: its adapter's own strings come first.

    Whom the platform does not show the past by the time of their edit is not answered from it.
    """
    author = inbound.author
    if isinstance(later, Edit) and later.author.id == author.id:
        author = replace(author, sees_history=author.sees_history and later.author.sees_history)
    return replace(inbound, author=author, ref={**inbound.ref, **later.ref})


def worded_by(message: InboundMessage, edit: Edit) -> InboundMessage:
    """The message as its author has worded it since, where the edit is theirs and newer."""
    is_theirs = edit.author.id in ("", message.author.id)
    if not is_theirs or edit.sent_at < message.sent_at:
        return message
    return replace(message, text=edit.text, mentions_bot=message.mentions_bot or edit.mentions_bot)


def as_command(inbound: Inbound, commands: Mapping[str, CommandSpec]) -> Inbound:
    """The command that a message to Parley spells, or the inbound as it is: threads and some places take no slash commands."""
    if not isinstance(inbound, InboundMessage) or inbound.intent != "answer" or not addresses_bot(inbound):
        return inbound
    typed = known_command(inbound.text, commands)
    if typed is None:
        return inbound
    return Command(
        event_id=inbound.event_id,
        address=inbound.address,
        author=inbound.author,
        name=typed.name,
        text=typed.text,
        attachments=inbound.attachments,
        sent_at=inbound.sent_at,
        message_id=inbound.message_id,
        is_direct=inbound.is_direct,
        wants_speech=inbound.wants_speech,
        ref=inbound.ref,
    )


def known_command(text: str, names: Collection[str]) -> TypedCommand | None:
    """The command that this text spells, if it is one of these."""
    typed = typed_command(text)
    return typed if typed and typed.name in names else None
