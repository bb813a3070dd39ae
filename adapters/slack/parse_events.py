"""What people say, change and delete at Slack, and the Stop button of its agent sessions, as values. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.slack import NAME
from adapters.slack.parse_parts import (
    SPOKEN_SUBTYPES,
    Payload,
    attachments,
    author,
    bot_user,
    event_id,
    forwards,
    mentioned_users,
    message_text,
    moment,
    ref_of,
    workspace,
)
from adapters.slack.ref import SlackRef
from bot.types import Address, Author, ButtonPress, Deletion, Edit, Inbound, InboundMessage


def parse_event(body: Payload) -> Inbound | None:
    """The message, edit, deletion or stop that an event reports, or None for any other event."""
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
            return _session_stop(body, event)
    return None


def _message(body: Payload, event: Payload) -> InboundMessage | None:
    channel, ts = event.get("channel", ""), event.get("ts", "")
    if not channel or not ts:
        return None
    bot, raw = bot_user(body), str(event.get("text") or "")
    mentions = mentioned_users(raw)
    return InboundMessage(
        event_id=event_id(body, event),
        message_id=ts,
        address=Address(NAME, workspace(body), channel, event.get("thread_ts") or ts),
        author=author(body, event),
        text=message_text(event, bot),
        attachments=attachments(event, body),
        sent_at=moment(ts),
        is_direct=event.get("channel_type") == "im",
        mentions_bot=event.get("type") == "app_mention" or (bool(bot) and bot in mentions),
        mentions_others=bool(mentions - {bot}),
        quoted=forwards(event),
        ref=ref_of(body, str(event.get("user") or ""), raw, event).to_ref(),
    )


def _edit(body: Payload, event: Payload) -> Edit | Deletion | None:
    message, before = event.get("message") or {}, event.get("previous_message") or {}
    if message.get("subtype") == "tombstone":
        return _deletion(body, {**event, "deleted_ts": message.get("ts"), "previous_message": before or message})
    if author(body, message).is_bot or message.get("text") == before.get("text"):
        return None  # our own streaming, a link that unfolded, or files that were processed
    ts, channel = str(message.get("ts") or ""), str(event.get("channel") or "")
    if not ts:
        return None
    raw, bot = str(message.get("text") or ""), bot_user(body)
    return Edit(
        event_id=event_id(body, event),
        message_id=ts,
        address=Address(NAME, workspace(body), channel, message.get("thread_ts") or ts),
        author=author(body, message),
        text=message_text(message, bot),
        sent_at=moment(str(event.get("event_ts") or event.get("ts") or ts)),
        ref=ref_of(body, str(message.get("user") or ""), raw, message).to_ref(),
        mentions_bot=bool(bot) and bot in mentioned_users(raw),
    )


def _deletion(body: Payload, event: Payload) -> Deletion | None:
    before = event.get("previous_message") or {}
    ts = str(event.get("deleted_ts") or before.get("ts") or "")
    if not ts:
        return None
    return Deletion(
        event_id=event_id(body, event),
        message_id=ts,
        address=Address(NAME, workspace(body), str(event.get("channel") or ""), before.get("thread_ts") or ts),
        author=Author("", is_bot=bool(before.get("bot_id"))),
        sent_at=moment(str(event.get("event_ts") or ts)),
        ref=SlackRef(team=workspace(body)).to_ref(),
    )


def _session_stop(body: Payload, event: Payload) -> ButtonPress | None:
    """The Stop button of an agent session. The listener finds out which question is being answered there."""
    channel, thread = str(event.get("channel") or event.get("channel_id") or ""), str(event.get("thread_ts") or "")
    streaming = event.get("streaming_message_ts") or ()
    if not channel:
        return None
    return ButtonPress(
        event_id=event_id(body, event),
        message_id=str(streaming[0]) if streaming else thread,
        address=Address(NAME, workspace(body), channel, thread),
        author=author(body, event),
        action="stop",
        sent_at=moment(str(event.get("event_ts") or "")),
        ref=replace(ref_of(body, str(event.get("user") or "")), stops_session=True).to_ref(),
    )
