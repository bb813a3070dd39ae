"""What Discord's payloads are made of, as values: words, people, links, files, moments. Pure: names are looked up elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from adapters.discord.custom_ids import custom_ids, parse_button_id
from adapters.discord.entities import Names, Payload, is_id, name_of, people_in, readable
from adapters.discord.ref import DEFAULT_LIMIT, DiscordFileRef
from bot.types import EPOCH, Address, Attachment, Author, Quoted

PLATFORM = "discord"
DIRECT = "@me"
"""The workspace of direct messages and of servers where only a person installed Parley, named as in Discord's own addresses."""
SPOKEN = (0, 19)
"""The types of messages that people write; all others are system messages. Source: Discord, Message Types."""
REPLY = 19
VOICE, EPHEMERAL = 1 << 13, 1 << 6
THREADS = (10, 11, 12)
DM = 1
DISCORD_EPOCH_MS = 1_420_070_400_000
STICKERS = {1: ("png", "image/png"), 2: ("png", "image/png"), 4: ("gif", "image/gif")}
"""By format: PNG, APNG, GIF; Lottie (3) is no picture. Source: Discord, Sticker Format Types."""


@dataclass(frozen=True)
class Us:
    """The bot's own user, and the roles that stand for it."""

    id: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class MessageLocation:
    """Where something happened, in Discord's words."""

    channel_id: str
    """The channel or thread in which it stands."""
    workspace: str = DIRECT
    channel: str = ""
    """The channel, or the one that the thread belongs to."""
    thread: str = ""
    """The thread, when it is one."""
    is_direct: bool = False
    limit_bytes: int = DEFAULT_LIMIT

    def address(self, thread: str = "") -> Address:
        """As the core names it. thread: the reply chain's first message, outside of threads."""
        return Address(PLATFORM, self.workspace, self.channel or self.channel_id, self.thread or thread)


@dataclass(frozen=True)
class Link:
    """What the buttons under one of our answers say: which question it answers, in which conversation."""

    question_id: str
    root_id: str


@dataclass(frozen=True)
class Lookup:
    """What parsing needs to know beside the payload."""

    us: Us = Us()
    names: Names = field(default_factory=Names)
    cdn_url: str = "https://cdn.discordapp.com"


# --- Messages -----------------------------------------------------------------------------------------------------------


CDN_URL, MEDIA_URL = "https://cdn.discordapp.com", "https://media.discordapp.net"


def message_text(data: Payload, lookup: Lookup) -> str:
    """The words of a message, without the mention of us that begins them. What a program posts is all its own, its cards too."""
    names = replace(lookup.names, people={**lookup.names.people, **people_in(data)})
    words = readable(_without_us(str(data.get("content") or ""), lookup.us), names).strip()
    own_cards = cards(data, names) if _is_app(data) else ""
    return "\n\n".join(part for part in (words, own_cards, _poll(data), _unsupported_stickers(data)) if part)


def quoted_in(data: Payload, lookup: Lookup) -> tuple[Quoted, ...]:
    """What a person's message brings along of others: what it forwards, and the cards beside its links."""
    names = replace(lookup.names, people={**lookup.names.people, **people_in(data)})
    snapshots = (one.get("message") or {} for one in data.get("message_snapshots") or ())
    found = [Quoted(_forwarded(one, names), "forwarded message") for one in snapshots]
    if not _is_app(data):
        found += [Quoted(_card(one, names), "card") for one in data.get("embeds") or ()]
    return tuple(one for one in found if one.text)


def _is_app(data: Payload) -> bool:
    return bool((data.get("author") or {}).get("bot") or data.get("webhook_id"))


def _without_us(text: str, us: Us) -> str:
    for mark in (f"<@{us.id}>", f"<@!{us.id}>", *(f"<@&{role}>" for role in sorted(us.roles))):
        text = re.sub(rf"^\s*{re.escape(mark)}[\s,:]*", "", text) if us.id else text
    return text


def _forwarded(message: Payload, names: Names) -> str:
    words = readable(str(message.get("content") or ""), names)
    return "\n\n".join(part for part in (words, cards(message, names)) if part)


def cards(message: Payload, names: Names) -> str:
    """The words of a message's embeds."""
    return "\n\n".join(words for one in message.get("embeds") or () if (words := _card(one, names)))


def _card(embed: Payload, names: Names) -> str:
    fields = [f"{one.get('name', '')}: {one.get('value', '')}" for one in embed.get("fields") or ()]
    author, footer = (embed.get("author") or {}).get("name"), (embed.get("footer") or {}).get("text")
    lines = [author, embed.get("title"), embed.get("description"), *fields, footer]
    return readable("\n".join(str(line) for line in lines if line), names)


def _poll(data: Payload) -> str:
    poll = data.get("poll") or {}
    question = str((poll.get("question") or {}).get("text") or "")
    answers = [str((one.get("poll_media") or {}).get("text") or "") for one in poll.get("answers") or ()]
    return "\n".join([f"Poll: {question}", *(f"- {answer}" for answer in answers)]) if question else ""


def _unsupported_stickers(data: Payload) -> str:
    """Stickers that are no pictures."""
    odd = [str(one.get("name")) for one in data.get("sticker_items") or () if one.get("format_type") not in STICKERS]
    return " ".join(f"[sticker: {name}]" for name in odd)


def author_of(data: Payload, us: Us = Us()) -> Author:
    """Whoever wrote it; applications and webhooks are bots. Where roles came along, everyone's is among them: the server's id."""
    author, member = data.get("author") or {}, data.get("member") or {}
    is_bot = bool(author.get("bot") or data.get("webhook_id") or (us.id and author.get("id") == us.id))
    guild = str(data.get("guild_id") or "")
    groups = tuple(
        str(role) for role in (*(member.get("roles") or ()), *([guild] if guild and data.get("member") else ()))
    )
    return Author(str(author.get("id") or ""), name_of(author, member), is_bot, groups)


def mentions_bot(data: Payload, us: Us) -> bool:
    """Whether it names us, a role of ours, or answers one of our messages."""
    if not us.id:
        return False
    people = {str(user.get("id")) for user in data.get("mentions") or ()}
    roles = {str(role) for role in data.get("mention_roles") or ()}
    return us.id in people or bool(roles & us.roles) or is_ours(data.get("referenced_message") or {}, us)


def names_bot(data: Payload, us: Us) -> bool:
    """Whether it mentions the bot's user, and so arrives with its text even without the intent."""
    return us.id in {str(user.get("id")) for user in data.get("mentions") or ()}


def is_ours(message: Payload, us: Us) -> bool:
    """Whether we wrote it."""
    return bool(us.id) and str((message.get("author") or {}).get("id")) == us.id


def replied_to(data: Payload) -> str:
    """The id of the message of the same channel that this one answers; forwards (type 1) answer nothing."""
    reference = data.get("message_reference") or {}
    if str(reference.get("channel_id") or data.get("channel_id")) != str(data.get("channel_id")):
        return ""  # whoever reads here need not read there
    return str(reference.get("message_id") or "") if reference.get("type", 0) == 0 and data.get("type") == REPLY else ""


def moment(timestamp: Any, snowflake: str = "") -> datetime:
    """An ISO timestamp, or the moment that a snowflake carries."""
    try:
        return datetime.fromisoformat(str(timestamp)).astimezone(UTC)
    except (ValueError, OverflowError):
        if not is_id(snowflake):
            return EPOCH
    try:
        return datetime.fromtimestamp(((int(snowflake) >> 22) + DISCORD_EPOCH_MS) / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # no calendar has it
        return EPOCH


def link_of(message: Payload, us: Us) -> Link | None:
    """What the buttons under one of our answers say; None for anybody else's message."""
    if not is_ours(message, us):
        return None
    found = (parse_button_id(custom_id) for custom_id in custom_ids(message.get("components") or ()))
    return next((Link(one.question_id, one.root_id) for one in found if one), None)


# --- Attachments -----------------------------------------------------------------------------------------------------


def attachments(data: Payload, place: MessageLocation, cdn_url: str) -> tuple[Attachment, ...]:
    """The files of a message, of what it forwards, and its stickers."""
    where = DiscordFileRef(channel_id=place.channel_id, message_id=str(data.get("id") or ""))
    is_voice = bool(int(data.get("flags") or 0) & VOICE)
    own = [attachment(one, where, is_voice=is_voice) for one in data.get("attachments") or ()]
    for snapshot in data.get("message_snapshots") or ():
        inner = snapshot.get("message") or {}
        own += [attachment(one, where) for one in inner.get("attachments") or ()]
        own += list(_stickers(inner, cdn_url))
    return (*own, *_stickers(data, cdn_url))


def attachment(one: Payload, where: DiscordFileRef, *, is_voice: bool = False) -> Attachment:
    """A file. where: the message that it stands in."""
    mime_type = str(one.get("content_type") or "").partition(";")[0]
    duration = one.get("duration_secs")
    ref = replace(where, file_id=str(one.get("id") or ""), url=str(one.get("url") or ""))
    return Attachment(
        name=str(one.get("filename") or "file"),
        mime_type=mime_type,
        size_bytes=int(one.get("size") or 0),
        ref=ref.to_ref(),
        kind=_kind(mime_type),
        duration_s=float(duration) if duration is not None else None,
        is_voice_note=is_voice or bool(one.get("waveform") and duration is not None),
    )


def _kind(mime_type: str) -> Literal["image", "audio", "video", "file"]:
    match mime_type.partition("/")[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
    return "file"


def _stickers(data: Payload, cdn_url: str) -> Iterable[Attachment]:
    for one in data.get("sticker_items") or ():
        if kind := STICKERS.get(int(one.get("format_type") or 0)):
            extension, mime_type = kind
            at = media_url(cdn_url) if extension == "gif" else cdn_url.rstrip("/")
            url = f"{at}/stickers/{one.get('id')}.{extension}"
            yield Attachment(
                f"{one.get('name') or 'sticker'}.{extension}", mime_type, 0, DiscordFileRef(url=url).to_ref(), "image"
            )


def media_url(cdn_url: str) -> str:
    """Where GIF stickers stand. Source: Discord, Reference, Image Formatting. An emulator has it beneath its CDN."""
    at = cdn_url.rstrip("/")
    return MEDIA_URL if at == CDN_URL else f"{at}/media"
