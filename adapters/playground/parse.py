"""Turns what the page sends into values. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.playground.ref import PlaygroundRef
from bot.errors import UsageError
from bot.policy.addressing import known_command
from bot.types import ACTIONS, Address, Attachment, Author, Blob, ButtonPress, Command, Deletion, Edit, InboundMessage

MAX_TEXT = 250_000
"""Characters of a message: more than a model reads, little enough to keep."""
MAX_TEXT_BYTES = 4 * MAX_TEXT
TOO_LONG = f"The message is longer than {MAX_TEXT:,} characters; send it as a file."
MESSAGE_ID = re.compile(r"[0-9A-Za-z.:-]{8,160}", re.ASCII)
CHANNEL = re.compile(r"[0-9a-f]{16}-[0-9A-Za-z-]{8,64}", re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")
KINDS = ("image", "audio", "video")


def address_of(channel: str, handle: str) -> Address:
    """Return the address of a conversation. Raises UsageError unless its id begins with its owner's handle."""
    if not CHANNEL.fullmatch(channel) or channel.partition("-")[0] != handle:
        raise UsageError("There is no such conversation here.")
    return Address("playground", "local", channel)


def message_id_of(given: str) -> str:
    """Return the id that the page gave a message. Raises UsageError when it has another shape."""
    if not MESSAGE_ID.fullmatch(given):
        raise UsageError("There is no such message here.")
    return given


def make_attachment(
    blob: Blob, name: str, address: Address, *, is_voice_note: bool = False, duration_s: float | None = None
) -> Attachment:
    """Return an uploaded file, whose bytes are stored already, as an attachment."""
    kind = blob.mime_type.partition("/")[0]
    return Attachment(
        name=name,
        mime_type=blob.mime_type,
        size_bytes=blob.size_bytes,
        ref=PlaygroundRef(blob.sha256, blob.mime_type, blob.size_bytes, address.channel).to_ref(),
        kind=kind if kind in KINDS else "file",  # type: ignore[arg-type]
        duration_s=duration_s,
        is_voice_note=is_voice_note,
    )


def parse_message(
    fields: Mapping[str, str],
    attachments: Sequence[Attachment],
    address: Address,
    author: Author,
    sent_at: datetime,
    commands: Collection[str],
) -> InboundMessage | Command:
    """Parse a posted message, or a command when it begins with a slash and the name of one.

    fields: `id` and `text`. Raises UsageError for an empty message, a longer one than is kept, or a wrong id.
    """
    message_id, text = message_id_of(fields.get("id", "")), _words(fields.get("text", ""))
    if not text and not attachments:
        raise UsageError("Write something or add a file.")
    event_id, files = f"{address.channel}:{message_id}", tuple(attachments)
    if typed := known_command(text, commands):
        return Command(event_id, address, author, typed.name, typed.text, files, sent_at, message_id, is_direct=True)
    return InboundMessage(
        event_id, message_id, address, author, text, files, sent_at, is_direct=True, mentions_bot=True
    )


def parse_edit(data: Mapping[str, Any], message_id: str, address: Address, author: Author, sent_at: datetime) -> Edit:
    """Parse an edit. data: `id` of this edit and `text`. Raises UsageError when the text is empty."""
    text = _words(str(data.get("text", "")))
    if not text:
        raise UsageError("The message is empty; delete it instead.")
    return Edit(_event(address, data), message_id_of(message_id), address, author, text, sent_at)


def parse_deletion(event: str, message_id: str, address: Address, author: Author, sent_at: datetime) -> Deletion:
    """Parse the deletion of a message. event: the page's id of this deletion."""
    return Deletion(_event(address, {"id": event}), message_id_of(message_id), address, author, sent_at)


def parse_press(
    data: Mapping[str, Any], message_id: str, address: Address, author: Author, sent_at: datetime
) -> ButtonPress:
    """Parse a button pressed under an answer. data: `id` of this press, `action` and perhaps `value`."""
    action = data.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        raise UsageError(f"The page has no button {str(action)[:40]!r}.")
    event, value = _event(address, data), _words(str(data.get("value", "")))
    return ButtonPress(event, message_id_of(message_id), address, author, action, value, sent_at)


def parse_forget(command: str, event: str, address: Address, author: Author, sent_at: datetime) -> Command:
    """Return the command that deletes the whole conversation. event: the page's id of this deletion."""
    event_id = _event(address, {"id": event})
    return Command(event_id, address, author, command, sent_at=sent_at, message_id=event, is_direct=True)


def _event(address: Address, data: Mapping[str, Any]) -> str:
    return f"{address.channel}:{message_id_of(str(data.get('id', '')))}"


def _words(text: str) -> str:
    """Return the text with plain line ends and without NUL and halves of characters, which PostgreSQL cannot store."""
    if len(text) > MAX_TEXT:
        raise UsageError(TOO_LONG)
    whole = text.encode("utf-8", "replace").decode() if SURROGATE.search(text) else text
    return whole.replace("\r\n", "\n").replace("\x00", "").strip()
