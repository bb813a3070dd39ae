"""Slack's payloads to values: events, commands, buttons, shortcuts and modals. Pure: names are looked up elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from bot.types import (
    ACTIONS,
    EPOCH,
    Address,
    Attachment,
    Author,
    ButtonPress,
    Command,
    Deletion,
    Edit,
    Inbound,
    InboundMessage,
)

PLATFORM = "slack"
Payload: TypeAlias = Mapping[str, Any]
Asks: TypeAlias = Literal["answer", "transcribe", "describe", "summarize", "translate"]
PREFIX = "parley"
SHORTCUTS: dict[str, Asks] = {
    "parley:summarize": "summarize",
    "parley:transcribe": "transcribe",
    "parley:describe": "describe",
    "parley:translate": "translate",
}
"""Message shortcuts that need no further word; "parley:ask" asks for one in a modal first."""
ASK = "parley:ask"
EDIT_IMAGE = "parley:edit_image"
SPOKEN_SUBTYPES = (None, "", "file_share", "thread_broadcast", "bot_message", "me_message")
"""Message subtypes by which somebody says something; all others report on a channel's life."""
MAX_QUOTED = 1_800
"""Characters of a message that ride in a modal; Slack allows 3,000 in all. Source: Slack, views, `private_metadata`."""
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_SPELLED = re.compile(rf"^/{PREFIX}[-\s]+(?=[a-z])")
_WRITTEN = re.compile(r"<(?:@([UW][A-Z0-9]+)|!(here|channel|everyone)|!subteam\^([A-Z0-9]+))(?:\|[^>]*)?>")


def parse(body: Payload, names: Collection[str] = ()) -> Inbound | None:
    """The value that a delivery stands for, or None when it is no person's doing. names: the slash commands there are."""
    match body.get("type"):
        case "event_callback":
            return parse_event(body)
        case "block_actions":
            return parse_press(body)
        case "view_submission":
            return parse_submission(body)
        case "message_action":
            return parse_shortcut(body)
        case None if body.get("command"):
            return parse_command(body, names)
    return None


# --- Events ----------------------------------------------------------------------------------------------------------


def parse_event(body: Payload) -> Inbound | None:
    """A message, an edit, a deletion or a stop."""
    event = body.get("event") or {}
    match event.get("type"), event.get("subtype"):
        case "app_mention", _:
            return _message(body, event)
        case "message", "message_changed":
            return _edit(body, event)
        case "message", "message_deleted":
            return _deletion(body, event)
        case "message", subtype if subtype in SPOKEN_SUBTYPES and not event.get("hidden"):
            return _message(body, event)
        case "agent_session_stopped", _:
            return _stopped(body, event)
    return None


def _message(body: Payload, event: Payload) -> InboundMessage | None:
    channel, ts = event.get("channel", ""), event.get("ts", "")
    if not channel or not ts:
        return None
    bot, raw = bot_user(body), str(event.get("text") or "")
    is_direct = event.get("channel_type") == "im" or channel.startswith("D")
    team = workspace(body)
    mentions = {found.group(1) for found in _MENTION.finditer(raw)}
    return InboundMessage(
        event_id=event_id(body, event),
        message_id=ts,
        address=Address(PLATFORM, team, channel, event.get("thread_ts") or ts),
        author=author(body, event),
        text=_said(event, bot),
        attachments=attachments(event, body),
        sent_at=moment(ts),
        is_direct=is_direct,
        mentions_bot=event.get("type") == "app_mention" or (bool(bot) and bot in mentions),
        mentions_others=bool(mentions - {bot}),
        ref=_ref(body, event.get("user", ""), raw, event),
    )


def _said(event: Payload, bot: str) -> str:
    """The words without the mention of us that begins them, a command by its own name, with what was forwarded along."""
    text = str(event.get("text") or "")
    if bot:
        text = re.sub(rf"^\s*<@{re.escape(bot)}(?:\|[^>]*)?>[\s,:]*", "", text)
    text = _SPELLED.sub("/", text.strip())
    forwarded = [card for card in event.get("attachments") or () if card.get("is_share") or card.get("is_msg_unfurl")]
    return "\n\n".join(part for part in (text.strip(), cards_text(forwarded)) if part)


def _ref(body: Payload, user: str, raw: str = "", event: Payload | None = None) -> dict[str, str]:
    """What answering needs: whose token, to whom, and whom the asker named."""
    written = sorted({next(filter(None, found.groups())) for found in _WRITTEN.finditer(raw)} - {bot_user(body)})
    found = {
        "team": workspace(body),
        "enterprise": enterprise(body),
        "user": user,
        "bot": bot_user(body),
        "user_team": str((event or {}).get("user_team") or (event or {}).get("team") or ""),
        "mentions": ",".join(written),
        "looking_at": looking_at((event or {}).get("app_context") or {}),
    }
    return {name: value for name, value in found.items() if value}


def looking_at(context: Payload) -> str:
    """The channel that a person has before them while they write in the agent panel, or empty."""
    for entity in context.get("entities") or ():
        if str(entity.get("type", "")).endswith("channel_id"):
            return str(entity.get("value") or "")
    return str(context.get("channel_id") or "")


def _edit(body: Payload, event: Payload) -> Edit | Deletion | None:
    message, before = event.get("message") or {}, event.get("previous_message") or {}
    if message.get("subtype") == "tombstone":
        return _deletion(body, {**event, "deleted_ts": message.get("ts"), "previous_message": before or message})
    is_ours = message.get("bot_id") or message.get("subtype") == "bot_message" or message.get("user") == bot_user(body)
    if is_ours or message.get("text") == before.get("text"):
        return None  # our own streaming, a link that unfolded, or files that were processed
    ts, channel = str(message.get("ts") or ""), str(event.get("channel") or "")
    if not ts:
        return None
    raw, bot = str(message.get("text") or ""), bot_user(body)
    is_meant = bool(bot) and bot in {found.group(1) for found in _MENTION.finditer(raw)}
    return Edit(
        event_id=event_id(body, event),
        message_id=ts,
        address=Address(PLATFORM, workspace(body), channel, message.get("thread_ts") or ts),
        author=author(body, message),
        text=_said(message, bot),
        sent_at=moment(str(event.get("event_ts") or event.get("ts") or ts)),
        ref=_ref(body, str(message.get("user") or ""), raw, message),
        mentions_bot=is_meant,
    )


def _deletion(body: Payload, event: Payload) -> Deletion | None:
    before = event.get("previous_message") or {}
    ts = str(event.get("deleted_ts") or before.get("ts") or "")
    if not ts:
        return None
    return Deletion(
        event_id=event_id(body, event),
        message_id=ts,
        address=Address(PLATFORM, workspace(body), str(event.get("channel") or ""), before.get("thread_ts") or ts),
        author=Author("", is_bot=bool(before.get("bot_id"))),
        sent_at=moment(str(event.get("event_ts") or ts)),
        ref={"team": workspace(body)},
    )


def _stopped(body: Payload, event: Payload) -> ButtonPress | None:
    """The Stop button of an agent session. What is being answered there is found out by whoever hears this."""
    channel, thread = str(event.get("channel") or event.get("channel_id") or ""), str(event.get("thread_ts") or "")
    streaming = event.get("streaming_message_ts") or ()
    if not channel:
        return None
    return ButtonPress(
        event_id=event_id(body, event),
        message_id=str(streaming[0]) if streaming else thread,
        address=Address(PLATFORM, workspace(body), channel, thread),
        author=author(body, event),
        action="stop",
        sent_at=moment(str(event.get("event_ts") or "")),
        ref={**_ref(body, str(event.get("user") or "")), "session": "1"},
    )


# --- Commands --------------------------------------------------------------------------------------------------------


def parse_command(body: Payload, names: Collection[str] = ()) -> Command:
    """A slash command; `/parley NAME …` is the command NAME, and `/parley` with other words asks."""
    name, text = str(body.get("command") or "").lstrip("/"), str(body.get("text") or "").strip()
    name = name.removeprefix(f"{PREFIX}-")
    if name == PREFIX:
        first, _, rest = text.partition(" ")
        known = first.lower().lstrip("/")
        name, text = (known, rest.strip()) if known in names else ("ask" if text else "help", text)
    channel, user, trigger = (str(body.get(key) or "") for key in ("channel_id", "user_id", "trigger_id"))
    is_direct = body.get("channel_name") == "directmessage" or channel.startswith("D")
    ref = _ref(body, user, text) | {"response_url": str(body.get("response_url") or "")}
    return Command(
        event_id=f"command:{trigger}",
        address=Address(PLATFORM, workspace(body), channel),
        author=Author(_person(user, workspace(body), workspace(body)), str(body.get("user_name") or "")),
        name=name,
        text=text,
        message_id=f"command:{trigger}",
        is_direct=is_direct,
        ref=ref,
    )


# --- Buttons, shortcuts, modals --------------------------------------------------------------------------------------


def parse_press(body: Payload) -> ButtonPress | None:
    """A button of ours under a reply; None for any other, and for those that open a modal."""
    action = first_action(body)
    prefix, _, name = str(action.get("action_id") or "").partition(":")
    value = str(action.get("value") or "")
    if name == "feedback":
        name, _, value = value.partition(" ")
    if prefix != PREFIX or name not in ACTIONS or name == "edit_image":
        return None
    return _press(body, name, value)


def _press(body: Payload, name: str, question: str, words: str = "") -> ButtonPress:
    container = body.get("container") or {}
    channel = str(container.get("channel_id") or (body.get("channel") or {}).get("id") or "")
    ts = str(container.get("message_ts") or "")
    thread = str(container.get("thread_ts") or (body.get("message") or {}).get("thread_ts") or "")
    user = body.get("user") or {}
    assert name in ACTIONS
    return ButtonPress(
        event_id=f"press:{body.get('trigger_id') or ts}:{name}",
        message_id=question or ts,
        address=Address(PLATFORM, workspace(body), channel, thread),
        author=author(body, {"user": user.get("id", ""), "team": user.get("team_id", "")}),
        action=name,
        value=words,
        sent_at=moment(str(first_action(body).get("action_ts") or "")),
        ref=_ref(body, str(user.get("id") or "")) | {"response_url": str(body.get("response_url") or "")},
    )


def first_action(body: Payload) -> Payload:
    """The button that was pressed, or nothing."""
    found: Payload = next(iter(body.get("actions") or ()), {})
    return found


def parse_shortcut(body: Payload) -> InboundMessage | None:
    """A message shortcut that is answered at once; None for "Ask about this", which asks for a question first."""
    intent = SHORTCUTS.get(str(body.get("callback_id") or ""))
    if intent is None:
        return None
    return _about(body, target_of(body), intent, "")


def target_of(body: Payload) -> dict[str, Any]:
    """The message that a shortcut was used on: small enough to ride in a modal."""
    message = body.get("message") or {}
    text = (
        _said(message, "") or cards_text(message.get("attachments") or ()) or blocks_text(message.get("blocks") or ())
    )
    files = [
        {
            name: one.get(name)
            for name in ("id", "name", "mimetype", "filetype", "size", "subtype", "duration_ms")
            if one.get(name)
        }
        for one in message.get("files") or ()
    ][:10]
    target = {
        "channel": (body.get("channel") or {}).get("id", ""),
        "ts": body.get("message_ts") or message.get("ts") or "",
        "thread": message.get("thread_ts") or message.get("ts") or body.get("message_ts") or "",
        "is_alone": not (message.get("thread_ts") or message.get("reply_count")),
        "text": text,
        "files": files,
        "url": body.get("response_url") or "",
        "member": (body.get("channel") or {}).get("name", ""),
    }
    return target


def modal_state(target: Mapping[str, Any]) -> str:
    """The target as a modal's `private_metadata`, cut to what Slack takes."""
    small = {**target, "text": str(target.get("text", ""))[:MAX_QUOTED]}
    while len(json.dumps(small)) > 3_000 and small["files"]:
        small["files"] = small["files"][:-1]
    while len(json.dumps(small)) > 3_000:
        small["text"] = small["text"][: len(small["text"]) // 2]
    return json.dumps(small)


def _about(body: Payload, target: Mapping[str, Any], intent: Asks, question: str) -> InboundMessage:
    team, user, ts = workspace(body), body.get("user") or {}, str(target.get("ts") or "")
    quoted = str(target.get("text") or "")
    if question:
        quote = "\n".join(f"> {line}" for line in quoted.splitlines())
        quoted = "\n\n".join(part for part in (quote, question) if part)
    trigger = str(body.get("trigger_id") or (body.get("view") or {}).get("id") or ts)
    channel = str(target.get("channel") or "")
    ref = _ref(body, str(user.get("id") or ""), question)
    ref |= {"response_url": str(target.get("url") or ""), "about": ts, "shortcut": "1"}
    ref |= {"alone": "1"} if target.get("is_alone") else {}
    return InboundMessage(
        event_id=f"shortcut:{trigger}",
        message_id=f"shortcut:{trigger}",
        address=Address(PLATFORM, team, channel, str(target.get("thread") or ts)),
        author=author(body, {"user": user.get("id", ""), "team": user.get("team_id", "")}),
        text=quoted,
        attachments=attachments({**target, "channel": channel}, body),
        is_direct=channel.startswith("D"),
        mentions_bot=True,
        intent=intent,
        ephemeral=intent != "answer",
        ref={name: value for name, value in ref.items() if value},
    )


def parse_submission(body: Payload) -> InboundMessage | ButtonPress | None:
    """A modal of ours that was sent off."""
    view = body.get("view") or {}
    words = view_value(view, "words")
    try:
        state = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return None
    if not isinstance(state, dict):
        return None
    match view.get("callback_id"):
        case "parley:ask" if words:
            return _about(body, state, "answer", words)
        case "parley:edit_image" if words:
            place = {"container": state, "trigger_id": view.get("id")}
            return _press({**body, **place}, "edit_image", str(state.get("question") or ""), words)
    return None


def view_value(view: Payload, name: str) -> str:
    """What was typed or chosen in the block of this name."""
    for element in ((view.get("state") or {}).get("values") or {}).get(name, {}).values():
        chosen = element.get("selected_option") or {}
        return str(element.get("value") or chosen.get("value") or "").strip()
    return ""


# --- Parts of payloads -----------------------------------------------------------------------------------------------


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


def bot_user(body: Payload) -> str:
    """Our user id in that workspace, as the delivery tells it, or empty."""
    return next((str(one.get("user_id") or "") for one in body.get("authorizations") or () if one.get("is_bot")), "")


def author(body: Payload, message: Payload) -> Author:
    """Who said it. People of another company in a shared channel have its id behind theirs, so that they stay apart."""
    user = str(message.get("user") or "")
    home = str(message.get("user_team") or message.get("source_team") or message.get("team") or "")
    is_bot = (
        bool(message.get("bot_id"))
        or message.get("subtype") == "bot_message"
        or (bool(user) and user == bot_user(body))
    )
    return Author(_person(user, home, workspace(body)), is_bot=is_bot)


def _person(user: str, home: str, team: str) -> str:
    return f"{user}@{home}" if user and home and team and home != team and not home.startswith("E") else user


def event_id(body: Payload, event: Payload) -> str:
    """Slack's id of the event, or one made of what it is about."""
    made = "-".join(str(event.get(name) or "") for name in ("type", "channel", "event_ts", "ts"))
    return str(body.get("event_id") or f"{workspace(body)}-{made}")


def moment(ts: str) -> datetime:
    """The time that a `ts` names; the epoch when it is none."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except ValueError:
        return EPOCH


def attachments(message: Payload, body: Payload) -> tuple[Attachment, ...]:
    """The files of a message and of what was forwarded with it."""
    files = list(message.get("files") or ())
    for card in message.get("attachments") or ():
        files += card.get("files") or ()
    place = {"team": workspace(body), "enterprise": enterprise(body), "channel": str(message.get("channel") or "")}
    return tuple(attachment(one, place) for one in files if one.get("id") and one.get("mode") != "tombstone")


def attachment(file: Payload, place: Mapping[str, str]) -> Attachment:
    """A file as Slack describes it; of a Slack Connect file only the id is known until it is asked for."""
    kind = kind_of(file)
    ref = {
        **place,
        "file": str(file["id"]),
        "url": str(file.get("url_private_download") or file.get("url_private") or ""),
    }
    if file.get("is_external") or file.get("mode") == "external":
        ref["external"] = str(file.get("external_type") or "another service")
    duration = file.get("duration_ms")
    return Attachment(
        name=str(file.get("name") or file.get("title") or file["id"]),
        mime_type=str(file.get("mimetype") or ""),
        size_bytes=int(file.get("size") or 0),
        ref={name: value for name, value in ref.items() if value},
        kind=kind,
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
        _words(block, found)
    return "\n".join(found)


def _words(node: Any, found: list[str]) -> None:
    if isinstance(node, Mapping):
        if isinstance(node.get("text"), str) and node["text"].strip():
            found.append(node["text"].strip())
        for key in ("text", "elements", "fields", "rows"):
            if not isinstance(node.get(key), str):
                _words(node.get(key), found)
    elif isinstance(node, list | tuple):
        for item in node:
            _words(item, found)


assert set(get_args(Asks)) >= set(SHORTCUTS.values())
