"""What people say, change and delete at Discord, as values. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from adapters.discord.entities import Payload
from adapters.discord.message_content import REPLY_UNREADABLE
from adapters.discord.parse_parts import (
    SPOKEN,
    Lookup,
    MessageLocation,
    attachments,
    author_of,
    mentions_bot,
    message_text,
    moment,
    names_bot,
    quoted_in,
    replied_to,
)
from adapters.discord.ref import DiscordRef
from bot.types import EPOCH, Deletion, Edit, InboundMessage

_PERSON = re.compile(r"<@!?(\d+)>")


def parse_message(
    data: Payload, place: MessageLocation, lookup: Lookup, thread: str | None = None
) -> InboundMessage | None:
    """The message that somebody wrote, or None for what is no message of people.

    thread: the root of the reply chain that it belongs to; None when it begins one.
    """
    author = data.get("author") or {}
    if data.get("type", 0) not in SPOKEN or not author.get("id"):
        return None
    text, files = message_text(data, lookup), attachments(data, place, lookup.cdn_url)
    quoted = quoted_in(data, lookup)
    if not text and not files and not quoted and not mentions_bot(data, lookup.us):
        return None  # without the intent, what does not mention us comes empty
    message_id = str(data["id"])
    flow = "" if place.is_direct else message_id
    is_hidden = not data.get("content") and not (files or text or quoted) and not names_bot(data, lookup.us)
    return InboundMessage(
        event_id=f"message:{message_id}",
        message_id=message_id,
        address=place.address(flow if thread is None else thread),
        author=author_of(data, lookup.us),
        text=text,
        attachments=files,
        sent_at=moment(data.get("timestamp"), message_id),
        is_direct=place.is_direct,
        mentions_bot=mentions_bot(data, lookup.us),
        mentions_others=bool(set(_PERSON.findall(data.get("content") or "")) - {lookup.us.id}),
        reply_to=replied_to(data),
        unreadable_hint=REPLY_UNREADABLE if is_hidden else "",
        quoted=quoted,
        ref=_ref(place, author, message_id),
    )


def _ref(place: MessageLocation, author: Payload, reply_to_id: str) -> dict[str, str]:
    user_id = str(author.get("id") or "")
    ref = DiscordRef(place.channel_id, reply_to_id, user_id, place.limit_bytes)
    return ref.to_ref()


def parse_edit(data: Payload, place: MessageLocation, lookup: Lookup) -> Edit | None:
    """The change that somebody made to their words; None for ours, for links that unfolded, and for pins and threads."""
    author = author_of(data, lookup.us)
    if not data.get("edited_timestamp") or author.is_bot or data.get("type", 0) not in SPOKEN:
        return None
    message_id = str(data["id"])
    text = message_text(data, lookup)
    if not text and not any(data.get(kind) for kind in ("attachments", "embeds", "sticker_items", "message_snapshots")):
        return None  # no message is empty: without the intent, Discord hides the words of one that does not mention us
    return Edit(
        event_id=f"edit:{message_id}:{data['edited_timestamp']}",
        message_id=message_id,
        address=place.address(),
        author=author,
        text=text,
        sent_at=moment(data["edited_timestamp"]),
        mentions_bot=mentions_bot(data, lookup.us),
    )


def parse_deletion(message_id: str, place: MessageLocation, at: datetime = EPOCH) -> Deletion:
    """A message is gone."""
    return Deletion(f"deletion:{message_id}", message_id, place.address(), sent_at=at)
