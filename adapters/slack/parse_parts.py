"""Parts of Slack's payloads that several kinds of delivery share: whose, where, by whom, with which words and files. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from adapters.slack.callback_ids import PREFIX
from adapters.slack.ref import SlackFileRef, SlackRef, TokenScope
from bot.types import EPOCH, Attachment, Author, Quoted

Payload: TypeAlias = Mapping[str, Any]
SPOKEN_SUBTYPES = (None, "", "file_share", "thread_broadcast", "bot_message", "me_message")
"""Message subtypes by which somebody says something; all others report on a channel's life."""
MAX_CALLED = 50
"""Of those whom a person calls in one message, whom the answer may call too: more are no conversation."""
_MENTION = re.compile(r"<@([UW][A-Z0-9]++)(?:\|[^<>]*+)?>")
_COMMAND_BY_PREFIX = re.compile(rf"^/{PREFIX}[-\s]+(?=[a-z])")


# --- Whose delivery it is --------------------------------------------------------------------------------------------


def workspace(body: Payload) -> str:
    """The workspace whose installation this delivery is for. In a shared channel it is ours, not the other company's."""
    for one in body.get("authorizations") or ():
        if one.get("team_id"):
            return str(one["team_id"])
    team = body.get("team") or {}
    named = team.get("id") if isinstance(team, Mapping) else team
    user = body.get("user")
    fallback = user.get("team_id") if isinstance(user, Mapping) else ""
    return str(body.get("team_id") or named or fallback or "")


def enterprise(body: Payload) -> str:
    """The organisation whose installation this delivery may be for, or empty."""
    for one in body.get("authorizations") or ():
        if one.get("enterprise_id"):
            return str(one["enterprise_id"])
    found = body.get("enterprise")
    return str(body.get("enterprise_id") or (found.get("id") if isinstance(found, Mapping) else "") or "")


def scope_of(body: Payload) -> TokenScope:
    """Whose token answering needs."""
    return TokenScope(workspace(body), enterprise(body))


def bot_user(body: Payload) -> str:
    """Our user id in that workspace, as the delivery tells it, or empty."""
    return next((str(one.get("user_id") or "") for one in body.get("authorizations") or () if one.get("is_bot")), "")


def event_id(body: Payload, event: Payload) -> str:
    """Slack's id of the event, or one made of what it is about."""
    made = "-".join(str(event.get(name) or "") for name in ("type", "channel", "event_ts", "ts"))
    return str(body.get("event_id") or f"{workspace(body)}-{made}")


def ref_of(body: Payload, user: str, raw: str = "", event: Payload | None = None) -> SlackRef:
    """What answering needs to know. raw: the words as Slack sent them, with their mentions."""
    event = event or {}
    called = sorted(mentioned_users(raw) - {bot_user(body)})[:MAX_CALLED]
    return SlackRef(
        team=workspace(body),
        enterprise=enterprise(body),
        user_id=user,
        bot_user_id=bot_user(body),
        user_team=str(event.get("user_team") or event.get("team") or ""),
        mentions=dict.fromkeys(called, ""),
        looking_at=looked_at_channel(event.get("app_context") or {}),
    )


def looked_at_channel(context: Payload) -> str:
    """The channel that a person has before them while they write in the agent panel, or empty."""
    for entity in context.get("entities") or ():
        if isinstance(entity, Mapping) and str(entity.get("type", "")).endswith("channel_id"):
            return str(entity.get("value") or "")
    return str(context.get("channel_id") or "")


# --- By whom, and when -----------------------------------------------------------------------------------------------


def author(body: Payload, message: Payload) -> Author:
    """Who said it. People of another company in a shared channel have its id behind theirs, so that they stay apart."""
    user = str(message.get("user") or "")
    home = str(message.get("user_team") or message.get("source_team") or message.get("team") or "")
    is_bot = (
        bool(message.get("bot_id"))
        or message.get("subtype") == "bot_message"
        or (bool(user) and user == bot_user(body))
    )
    return Author(person_id(user, home, workspace(body)), is_bot=is_bot)


def person_id(user: str, home: str, team: str) -> str:
    """A person's id for us. home: their own workspace. team: the one where they wrote."""
    return f"{user}@{home}" if user and home and team and home != team and not home.startswith("E") else user


def moment(ts: str) -> datetime:
    """The time that a `ts` names; the epoch when it is none."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (OverflowError, OSError, ValueError):
        return EPOCH


# --- With which words ------------------------------------------------------------------------------------------------


def mentioned_users(text: str) -> set[str]:
    """The user ids that a text mentions."""
    return {found.group(1) for found in _MENTION.finditer(text)}


def message_text(event: Payload, bot: str) -> str:
    """The words without the mention of us that begins them, a command by its own name."""
    text = str(event.get("text") or "")
    if bot:
        text = re.sub(rf"^\s*<@{re.escape(bot)}(?:\|[^<>]*+)?>[\s,:]*+", "", text)
    return _COMMAND_BY_PREFIX.sub("/", text.strip()).strip()


def forwards(event: Payload) -> tuple[Quoted, ...]:
    """What was forwarded with a message, or what a link to another message shows: others' words."""
    cards = [card for card in event.get("attachments") or () if card.get("is_share") or card.get("is_msg_unfurl")]
    quoted = (Quoted(_card_text(card), "forwarded message", str(card.get("author_name") or "")) for card in cards)
    return tuple(one for one in quoted if one.text)


def cards_text(cards: Collection[Payload]) -> str:
    """What message attachments say: other apps' cards and forwarded messages."""
    return "\n\n".join(text for card in cards if (text := _card_text(card)))


def _card_text(card: Payload) -> str:
    lines = [str(card.get("author_name") or ""), str(card.get("pretext") or ""), str(card.get("title") or "")]
    lines.append(str(card.get("text") or ""))
    lines += [f"{field.get('title', '')}: {field.get('value', '')}" for field in card.get("fields") or ()]
    lines.append(blocks_text(card.get("blocks") or ()) if not card.get("text") else "")
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    return "\n".join(found or [str(card.get("fallback") or "")])


def blocks_text(blocks: Collection[Payload]) -> str:
    """The words in blocks, for messages that have no text of their own."""
    found: list[str] = []
    for block in blocks:
        _collect_text(block, found)
    return "\n".join(found)


def _collect_text(block: Any, found: list[str]) -> None:
    """In order, however deep: without a call for each level, of which another app may send as many as it likes."""
    waiting = [block]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            if isinstance(node.get("text"), str) and node["text"].strip():
                found.append(node["text"].strip())
            waiting += [node.get(key) for key in ("rows", "fields", "elements", "text")]
        elif isinstance(node, list | tuple):
            waiting += reversed(node)


# --- With which files ------------------------------------------------------------------------------------------------


def attachments(message: Payload, body: Payload) -> tuple[Attachment, ...]:
    """The files of a message and of what was forwarded with it."""
    files = list(message.get("files") or ())
    for card in message.get("attachments") or ():
        files += card.get("files") or ()
    where = SlackFileRef(workspace(body), enterprise(body), str(message.get("channel") or ""))
    return tuple(attachment(one, where) for one in files if one.get("id") and one.get("mode") != "tombstone")


def attachment(file: Payload, where: SlackFileRef) -> Attachment:
    """A file as Slack describes it; of a Slack Connect file only the id is known until Slack is asked for more.

    where: the workspace and channel in which it was seen.
    """
    is_external = file.get("is_external") or file.get("mode") == "external"
    ref = replace(
        where,
        file_id=str(file["id"]),
        url=str(file.get("url_private_download") or file.get("url_private") or ""),
        external_service=str(file.get("external_type") or "another service") if is_external else "",
    )
    duration = file.get("duration_ms")
    return Attachment(
        name=str(file.get("name") or file.get("title") or file["id"]),
        mime_type=str(file.get("mimetype") or ""),
        size_bytes=int(file.get("size") or 0),
        ref=ref.to_ref(),
        kind=kind_of(file),
        duration_s=float(duration) / 1000 if duration else None,
        is_voice_note=file.get("subtype") == "slack_audio" or file.get("media_display_type") == "audio",
    )


def kind_of(file: Payload) -> Literal["image", "audio", "video", "file"]:
    """What it is by Slack's subtype first: a voice clip's mimetype may be video/mp4, or missing."""
    if file.get("subtype") == "slack_audio" or file.get("media_display_type") == "audio":
        return "audio"
    if file.get("subtype") == "slack_video":
        return "video"
    family = str(file.get("mimetype") or "").partition("/")[0]
    match family:
        case "image" | "audio" | "video":
            return family
    return "file"
