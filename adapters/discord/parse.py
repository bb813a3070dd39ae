"""Discord's payloads to values: messages, edits, deletions, commands, buttons and forms. Pure: names are looked up elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from adapters.discord.entities import Names, Payload, name_of, people_in, readable
from bot.types import (
    ACTIONS,
    EPOCH,
    Address,
    Attachment,
    Author,
    ButtonPress,
    Command,
    CommandSpec,
    Deletion,
    Edit,
    InboundMessage,
)

PLATFORM = "discord"
PREFIX = "parley"
DIRECT = "@me"
Asks: TypeAlias = Literal["answer", "transcribe", "describe", "summarize", "translate"]
SPOKEN = (0, 19)
"""Message types by which somebody says something; all others report on a channel's life. Source: Discord, Message Types."""
REPLY = 19
VOICE, EPHEMERAL = 1 << 13, 1 << 6
THREADS = (10, 11, 12)
DM, GROUP_DM, FORUM = 1, 3, 15
VIEW_AND_SEND = (1 << 10) | (1 << 11)
SEND_IN_THREADS = (1 << 10) | (1 << 38)
DEFAULT_LIMIT = 10 * 1024 * 1024
DISCORD_EPOCH_MS = 1_420_070_400_000
STICKERS = {1: ("png", "image/png"), 2: ("png", "image/png"), 4: ("gif", "image/gif")}
"""By format: PNG, APNG, GIF; Lottie (3) is no picture. Source: Discord, Sticker Format Types."""


@dataclass(frozen=True)
class Us:
    """Who we are: the bot's user, and the roles that stand for it."""

    id: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Place:
    """Where something happened, in Discord's words."""

    at: str
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
        return Address(PLATFORM, self.workspace, self.channel or self.at, self.thread or thread)


@dataclass(frozen=True)
class Link:
    """What an answer of ours tells about itself by its buttons: which question it answers, in which conversation."""

    question: str
    root: str


@dataclass(frozen=True)
class Lookup:
    """What parsing needs to know beside the payload."""

    us: Us = Us()
    names: Names = field(default_factory=Names)
    cdn_url: str = "https://cdn.discordapp.com"


# --- Messages --------------------------------------------------------------------------------------------------------


CDN_URL, MEDIA_URL = "https://cdn.discordapp.com", "https://media.discordapp.net"
HIDDEN = (
    "I can't read replies that don't mention me here. Leave the mention on when you reply, or let whoever runs me turn on the "
    "Message Content intent."
)
_PERSON = re.compile(r"<@!?(\d+)>")


def parse_message(data: Payload, place: Place, lookup: Lookup, thread: str | None = None) -> InboundMessage | None:
    """Somebody said something, or None. thread: the reply chain that it belongs to; its own id when it begins one."""
    author = data.get("author") or {}
    if data.get("type", 0) not in SPOKEN or not author.get("id"):
        return None
    text, files = said(data, lookup), attachments(data, place, lookup.cdn_url)
    if not text and not files and not mentions_bot(data, lookup.us):
        return None  # without the intent, what does not mention us comes empty
    message_id = str(data["id"])
    flow = "" if place.is_direct else message_id
    is_hidden = not data.get("content") and not files and not text and not _names(data, lookup.us)
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
        unreadable_hint=HIDDEN if is_hidden else "",
        ref=_ref(place, author, message_id),
    )


def _ref(place: Place, author: Payload, anchor: str) -> dict[str, str]:
    """What answering needs: where to post, beneath which message, and how large files may be."""
    return {"at": place.at, "anchor": anchor, "user": str(author.get("id") or ""), "limit": str(place.limit_bytes)}


def said(data: Payload, lookup: Lookup) -> str:
    """The words of a message, without the mention of us that begins them, with what was forwarded and cards."""
    names = replace(lookup.names, people={**lookup.names.people, **people_in(data)})
    words = readable(_without_us(str(data.get("content") or ""), lookup.us), names).strip()
    forwarded = [_forwarded(one.get("message") or {}, names) for one in data.get("message_snapshots") or ()]
    return "\n\n".join(part for part in (words, *forwarded, cards(data, names), _poll(data), _odd(data)) if part)


def _without_us(text: str, us: Us) -> str:
    for mark in (f"<@{us.id}>", f"<@!{us.id}>", *(f"<@&{role}>" for role in sorted(us.roles))):
        text = re.sub(rf"^\s*{re.escape(mark)}[\s,:]*", "", text) if us.id else text
    return text


def _forwarded(message: Payload, names: Names) -> str:
    words = "\n\n".join(
        part for part in (readable(str(message.get("content") or ""), names), cards(message, names)) if part
    )
    return "Forwarded:\n" + "\n".join(f"> {line}" for line in words.splitlines()) if words else ""


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


def _odd(data: Payload) -> str:
    """Stickers that are no pictures."""
    odd = [str(one.get("name")) for one in data.get("sticker_items") or () if one.get("format_type") not in STICKERS]
    return " ".join(f"[sticker: {name}]" for name in odd)


def author_of(data: Payload, us: Us = Us()) -> Author:
    """Whoever wrote it; applications and webhooks are bots."""
    author, member = data.get("author") or {}, data.get("member") or {}
    is_bot = bool(author.get("bot") or data.get("webhook_id") or (us.id and author.get("id") == us.id))
    groups = tuple(str(role) for role in member.get("roles") or ())
    return Author(str(author.get("id") or ""), name_of(author, member), is_bot, groups)


def mentions_bot(data: Payload, us: Us) -> bool:
    """Whether it names us, a role of ours, or answers one of our messages."""
    if not us.id:
        return False
    people = {str(user.get("id")) for user in data.get("mentions") or ()}
    roles = {str(role) for role in data.get("mention_roles") or ()}
    return us.id in people or bool(roles & us.roles) or is_ours(data.get("referenced_message") or {}, us)


def _names(data: Payload, us: Us) -> bool:
    """Whether it names us itself, and so comes with its words even without the intent."""
    return us.id in {str(user.get("id")) for user in data.get("mentions") or ()}


def is_ours(message: Payload, us: Us) -> bool:
    """Whether we wrote it."""
    return bool(us.id) and str((message.get("author") or {}).get("id")) == us.id


def replied_to(data: Payload) -> str:
    """The id of the message that this one answers; forwards (type 1) answer nothing."""
    reference = data.get("message_reference") or {}
    return str(reference.get("message_id") or "") if reference.get("type", 0) == 0 and data.get("type") == REPLY else ""


def moment(timestamp: Any, snowflake: str = "") -> datetime:
    """An ISO timestamp, or the moment that a snowflake carries."""
    try:
        return datetime.fromisoformat(str(timestamp)).astimezone(UTC)
    except ValueError:
        if not snowflake.isdigit():
            return EPOCH
        return datetime.fromtimestamp(((int(snowflake) >> 22) + DISCORD_EPOCH_MS) / 1000, UTC)


def link_of(message: Payload, us: Us) -> Link | None:
    """What one of our answers says by its buttons about its place; None for everybody else's messages."""
    if not is_ours(message, us):
        return None
    for custom_id in custom_ids(message.get("components") or ()):
        parts = custom_id.split(":")
        if len(parts) == 4 and parts[0] == PREFIX:
            return Link(parts[2], parts[3])
    return None


def custom_ids(components: Iterable[Payload]) -> Iterable[str]:
    """The ids of all buttons."""
    for one in components:
        if one.get("custom_id"):
            yield str(one["custom_id"])
        yield from custom_ids(one.get("components") or ())


# --- Attachments -----------------------------------------------------------------------------------------------------


def attachments(data: Payload, place: Place, cdn_url: str) -> tuple[Attachment, ...]:
    """The files of a message, of what it forwards, and its stickers."""
    where = {"channel": place.at, "message": str(data.get("id") or "")}
    is_voice = bool(int(data.get("flags") or 0) & VOICE)
    own = [attachment(one, where, is_voice=is_voice) for one in data.get("attachments") or ()]
    for snapshot in data.get("message_snapshots") or ():
        inner = snapshot.get("message") or {}
        own += [attachment(one, where) for one in inner.get("attachments") or ()]
        own += list(_stickers(inner, cdn_url))
    return (*own, *_stickers(data, cdn_url))


def attachment(one: Payload, where: Mapping[str, str], *, is_voice: bool = False) -> Attachment:
    """A file. Its signed address goes stale; where it stood gives a fresh one."""
    mime_type = str(one.get("content_type") or "").partition(";")[0]
    duration = one.get("duration_secs")
    ref = {"id": str(one.get("id") or ""), "url": str(one.get("url") or ""), **where}
    return Attachment(
        name=str(one.get("filename") or "file"),
        mime_type=mime_type,
        size_bytes=int(one.get("size") or 0),
        ref={name: value for name, value in ref.items() if value},
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
            yield Attachment(f"{one.get('name') or 'sticker'}.{extension}", mime_type, 0, {"url": url}, "image")


def media_url(cdn_url: str) -> str:
    """Where GIF stickers stand. Source: Discord, Reference, Image Formatting. An emulator has it beneath its CDN."""
    at = cdn_url.rstrip("/")
    return MEDIA_URL if at == CDN_URL else f"{at}/media"


# --- Edits and deletions ---------------------------------------------------------------------------------------------


def parse_edit(data: Payload, place: Place, lookup: Lookup) -> Edit | None:
    """Somebody changed their words; None for ours, for links that unfolded, and for pins and threads."""
    author = author_of(data, lookup.us)
    if not data.get("edited_timestamp") or author.is_bot or data.get("type", 0) not in SPOKEN:
        return None
    message_id = str(data["id"])
    text = said(data, lookup)
    if not text and not any(data.get(kind) for kind in ("attachments", "embeds", "sticker_items", "message_snapshots")):
        return None  # no message is empty: without the intent, Discord hides the words of one that does not mention us
    return Edit(
        event_id=f"edit:{message_id}:{data['edited_timestamp']}",
        message_id=message_id,
        address=place.address(),
        author=author,
        text=text,
        sent_at=moment(data["edited_timestamp"]),
    )


def parse_deletion(message_id: str, place: Place, at: datetime = EPOCH) -> Deletion:
    """A message is gone."""
    return Deletion(f"deletion:{message_id}", message_id, place.address(), sent_at=at)


# --- Interactions ----------------------------------------------------------------------------------------------------


def place_of(interaction: Payload) -> Place:
    """Where an interaction happened. A server that only its person brought us to belongs to nobody's installation."""
    channel = interaction.get("channel") or {}
    owners = interaction.get("authorizing_integration_owners") or {}
    guild = str(interaction.get("guild_id") or "")
    is_installed = bool(guild) and ("0" in owners or not owners)
    at = str(interaction.get("channel_id") or channel.get("id") or "")
    is_thread = channel.get("type") in THREADS
    return Place(
        at=at,
        workspace=guild if is_installed else DIRECT,
        channel=str(channel.get("parent_id") or at) if is_thread else at,
        thread=at if is_thread else "",
        is_direct=channel.get("type") == DM and interaction.get("context", 1) == 1,
        limit_bytes=int(interaction.get("attachment_size_limit") or DEFAULT_LIMIT),
    )


def is_member(interaction: Payload) -> bool:
    """Whether the bot itself may write there, without the interaction's token."""
    channel, owners = interaction.get("channel") or {}, interaction.get("authorizing_integration_owners") or {}
    if owners and "0" not in owners:
        return False
    if not interaction.get("guild_id"):
        return channel.get("type") == DM and interaction.get("context", 1) == 1
    wanted = SEND_IN_THREADS if channel.get("type") in THREADS else VIEW_AND_SEND
    return int(interaction.get("app_permissions") or 0) & wanted == wanted


def asker(interaction: Payload) -> Author:
    """Who triggered it."""
    member = interaction.get("member") or {}
    return author_of({"author": member.get("user") or interaction.get("user") or {}, "member": member})


def interaction_ref(interaction: Payload, *, fills: bool) -> dict[str, str]:
    """What answering needs. fills: the answer goes where the interaction shows that work is going on."""
    found = {
        "at": place_of(interaction).at,
        "user": asker(interaction).id,
        "limit": str(place_of(interaction).limit_bytes),
        "token": str(interaction.get("token") or ""),
        "app": str(interaction.get("application_id") or ""),
        "fills": "1" if fills else "0",
        "member": "1" if is_member(interaction) else "0",
        "anchor": "",
    }
    return {name: value for name, value in found.items() if value or name == "anchor"}


def parse_command(interaction: Payload, specs: Mapping[str, CommandSpec]) -> Command:
    """A slash command; its options in the order of the spec are its text."""
    data, place = interaction.get("data") or {}, place_of(interaction)
    interaction_id, name = str(interaction["id"]), str(data.get("name") or "")
    given = {str(one.get("name")): one.get("value") for one in data.get("options") or ()}
    resolved = (data.get("resolved") or {}).get("attachments") or {}
    spec = specs.get(name)
    files = [attachment(resolved[str(value)], {}) for value in given.values() if str(value) in resolved]
    return Command(
        event_id=f"interaction:{interaction_id}",
        address=place.address(),
        author=asker(interaction),
        name=name,
        text=command_text(given, spec, frozenset(resolved)),
        attachments=tuple(files),
        sent_at=moment("", interaction_id),
        message_id=interaction_id,
        is_direct=place.is_direct,
        ephemeral=bool(spec and spec.is_private),
        ref=interaction_ref(interaction, fills=True),
    )


def command_text(given: Mapping[str, Any], spec: CommandSpec | None, files: frozenset[str] = frozenset()) -> str:
    """The options as the words of one line, as one would type them behind the command's name."""
    order = [option.name for option in spec.options if not option.is_attachment] if spec else list(given)
    words = {name: str(given[name]).strip() for name in order if name in given and str(given[name]) not in files}
    scope = words.pop("scope", "")
    if words.get("action") in (None, "", "show") and words.get("name") and words.get("value"):
        words = {"action": "set", **{name: word for name, word in words.items() if name != "action"}}
    line = " ".join(word for word in words.values() if word)
    return f"{line} for {scope}" if scope and line else line


def target_of(interaction: Payload) -> Payload:
    """The message on whose menu a command was chosen."""
    data = interaction.get("data") or {}
    messages = (data.get("resolved") or {}).get("messages") or {}
    found: Payload = messages.get(str(data.get("target_id"))) or next(iter(messages.values()), {})
    return found


def parse_about(
    interaction: Payload, target: Payload, intent: Asks, lookup: Lookup, question: str = ""
) -> InboundMessage:
    """A message menu's command on its target. question: what the person wants to know about it."""
    place, interaction_id = place_of(interaction), str(interaction["id"])
    people = {**lookup.names.people, **people_in(target)}
    words = said(target, replace(lookup, names=replace(lookup.names, people=people)))
    if question:
        quote = "\n".join(f"> {line}" for line in words.splitlines())
        words = "\n\n".join(part for part in (quote, question) if part)
    ref = interaction_ref(interaction, fills=True) | {"about": str(target.get("id") or "")}
    return InboundMessage(
        event_id=f"interaction:{interaction_id}",
        message_id=interaction_id,
        address=place.address(interaction_id),
        author=asker(interaction),
        text=words,
        attachments=attachments(target, place, lookup.cdn_url),
        sent_at=moment("", interaction_id),
        is_direct=place.is_direct,
        mentions_bot=True,
        intent=intent,
        ephemeral=intent != "answer",
        ref=ref,
    )


def parse_press(interaction: Payload, value: str = "") -> ButtonPress | None:
    """A button of ours under a reply, or the form that it opened; None for any other."""
    custom_id = str((interaction.get("data") or {}).get("custom_id") or "")
    prefix, _, rest = custom_id.partition(":")
    action, _, rest = rest.partition(":")
    question, _, root = rest.partition(":")
    if prefix != PREFIX or action not in ACTIONS:
        return None
    message = interaction.get("message") or {}
    interaction_id, place = str(interaction["id"]), place_of(interaction)
    ref = interaction_ref(interaction, fills=False)
    if ref["member"] == "1":
        ref = {**ref, "token": "", "anchor": str(message.get("id") or "")}
    return ButtonPress(
        event_id=f"interaction:{interaction_id}",
        message_id=question or str(message.get("id") or ""),
        address=place.address(root),
        author=asker(interaction),
        action=action,
        value=value,
        sent_at=moment("", interaction_id),
        ref=ref,
    )


def form_values(interaction: Payload) -> dict[str, str]:
    """What was entered into a form, by custom_id."""
    return dict(_entered((interaction.get("data") or {}).get("components") or ()))


def _entered(components: Sequence[Payload]) -> Iterable[tuple[str, str]]:
    for one in components:
        if one.get("custom_id"):
            chosen = one.get("values") or ()
            yield str(one["custom_id"]), str(one.get("value") or (chosen[0] if chosen else "")).strip()
        yield from _entered([one["component"]] if one.get("component") else one.get("components") or ())
