"""Deliveries and values that hold very many things, or things very deep within one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.types import Attachment, Blob, File, Image, Message, Part, Text, ToolCall, ToolResult, UnreadAttachment
from tests.growth.shapes import TEXTS

Payload = dict[str, Any]
SOME_TEXTS = ("words", "nested calls", "angles", "blanks", "open entities", "commas", "empty lines")
"""What stands in a payload's words; all texts are tried on what reads them."""
BLOB = Blob("0" * 64, "application/pdf", 1_000)


def nested(size: int, key: str, inner: Callable[[Any], Any] = lambda one: [one]) -> Payload:
    """A node within a node within a node."""
    node: Payload = {"text": "a", "custom_id": "parley:stop:1:2"}
    for _ in range(size):
        node = {"type": "x", key: inner(node)}
    return node


def slack(**event: Any) -> Payload:
    """An event of Slack."""
    made = {"type": "message", "channel": "C1", "ts": "1.2", "user": "U2", "text": "<@U1> hi", **event}
    us = [{"team_id": "T1", "user_id": "U1", "is_bot": True}]
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "authorizations": us, "event": made}


def _card(**fields: Any) -> Payload:
    return {"is_share": True, **fields}


SLACK: dict[str, Callable[[int], Payload]] = {
    **{f"text of {name}": lambda size, make=TEXTS[name]: slack(text=make(size * 8)) for name in SOME_TEXTS},
    "many blocks": lambda size: slack(text="", blocks=[{"type": "section", "text": {"text": "a"}}] * size),
    "deep blocks": lambda size: slack(text="", blocks=[nested(size, "elements")]),
    "deep texts": lambda size: slack(text="", blocks=[nested(size, "text", lambda one: one)]),
    "many elements": lambda size: slack(text="", blocks=[{"elements": [{"text": f"{at}"} for at in range(size)]}]),
    "many rows": lambda size: slack(text="", blocks=[{"rows": [[{"text": "a"}] * 3] * size}]),
    "many cards": lambda size: slack(attachments=[_card(text=f"{at}") for at in range(size)]),
    "many fields": lambda size: slack(attachments=[_card(fields=[{"title": "a", "value": "b"}] * size)]),
    "cards of deep blocks": lambda size: slack(attachments=[_card(blocks=[nested(size, "elements")])]),
    "many files": lambda size: slack(files=[{"id": f"F{at}", "name": "a"} for at in range(size)]),
    "many workspaces": lambda size: {**slack(), "authorizations": [{"enterprise_id": ""}] * size},
    "many entities": lambda size: slack(app_context={"entities": [{"type": "a"}] * size}),
    "an edit": lambda size: slack(subtype="message_changed", message={"ts": "1.2", "user": "U2", "text": "a" * size}),
    "calls of many": lambda size: slack(text="".join(f"<@U{at}>" for at in range(size))),
    "a command": lambda size: {"command": "/parley", "text": "ask " * size, "team_id": "T1", "channel_id": "C1"},
    "a press": lambda size: {
        "type": "block_actions",
        "actions": [{"action_id": "parley:stop", "value": "v" * size}] * size,
    },
    "a shortcut": lambda size: {
        "type": "message_action",
        "callback_id": "parley:transcribe",
        "channel": {"id": "C1"},
        "message": slack(files=[{"id": "F1", "name": "n" * 20}] * size, text="> a\n" * size)["event"],
    },
    "a modal": lambda size: {
        "type": "view_submission",
        "view": {
            "callback_id": "parley:ask",
            "private_metadata": '{"channel": "C1", "text": "' + "a" * size + '"}',
            "state": {"values": {"words": {f"{at}": {"value": "a" * 10} for at in range(size)}}},
        },
    },
}
"""By what there is much of."""


def discord(**fields: Any) -> Payload:
    """A message of Discord."""
    author = {"id": "2", "username": "grace"}
    return {"id": "9", "type": 0, "channel_id": "5", "guild_id": "7", "author": author, "content": "hi", **fields}


def _snapshot(**fields: Any) -> Payload:
    return {"message": {"content": "a", **fields}}


DISCORD: dict[str, Callable[[int], Payload]] = {
    **{f"text of {name}": lambda size, make=TEXTS[name]: discord(content=make(size * 8)) for name in SOME_TEXTS},
    "many embeds": lambda size: discord(embeds=[{"title": "a", "description": "<@1>"}] * size),
    "many fields": lambda size: discord(embeds=[{"fields": [{"name": "a", "value": "b"}] * size}]),
    "forwarded": lambda size: discord(message_snapshots=[_snapshot(content="a\n" * 3)] * size),
    "forwarded lines": lambda size: discord(message_snapshots=[_snapshot(content="a\n" * size)]),
    "many attachments": lambda size: discord(attachments=[{"id": "1", "filename": "a", "url": "u"}] * size),
    "many stickers": lambda size: discord(sticker_items=[{"id": "1", "name": "a", "format_type": 3}] * size),
    "many answers": lambda size: discord(
        poll={"question": {"text": "a"}, "answers": [{"poll_media": {"text": "b"}}] * size}
    ),
    "many mentions": lambda size: discord(mentions=[{"id": f"{at}", "username": "a"} for at in range(size)]),
    "mentions in words": lambda size: discord(content="".join(f"<@{at}>" for at in range(size))),
    "roles in words": lambda size: discord(content="".join(f"<@&{at}>" for at in range(size))),
    "many roles": lambda size: discord(member={"roles": [f"{at}" for at in range(size)]}, mention_roles=["1"] * size),
    "deep components": lambda size: discord(author={"id": "1"}, components=[nested(size, "components")]),
    "many components": lambda size: discord(author={"id": "1"}, components=[{"custom_id": "a"}] * size),
    "many options": lambda size: interaction(options=[{"name": f"o{at}", "value": "a"} for at in range(size)]),
    "a long option": lambda size: interaction(options=[{"name": "text", "value": "a " * size}]),
    "many resolved": lambda size: interaction(resolved={"messages": {f"{at}": discord() for at in range(size)}}),
    "many files": lambda size: interaction(resolved={"attachments": {f"{at}": {"id": "1"} for at in range(size)}}),
    "a deep form": lambda size: interaction(components=[nested(size, "component", lambda one: one)]),
    "a wide form": lambda size: interaction(components=[{"custom_id": "a", "value": "b"}] * size),
}


def interaction(**data: Any) -> Payload:
    """An interaction of Discord."""
    member = {"user": {"id": "2", "username": "grace"}, "permissions": "0"}
    channel = {"id": "5", "type": 0}
    made = {"id": "9", "guild_id": "7", "channel": channel, "member": member, "token": "t"}
    return {**made, "data": {"name": "ask", "custom_id": "parley:stop:1:2", **data}, "message": discord()}


def _deep(size: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(min(size, 30)):
        made = {"a": made, "b": [1] * (size // 30)}
    return made


MESSAGES: dict[str, Callable[[int], Message]] = {
    **{
        f"text of {name}": lambda size, make=TEXTS[name]: Message("user", (Text(make(size * 8)),), "Grace")
        for name in SOME_TEXTS
    },
    "many texts": lambda size: Message("user", (Text("a" * 300),) * size, "Grace"),
    "many files": lambda size: Message("user", tuple(File(BLOB, f"{at}", "a" * 300) for at in range(size))),
    "many pictures": lambda size: Message("user", (Image(BLOB, "a.png", "text", "a cat"),) * size),
    "many calls": lambda size: Message("assistant", tuple(ToolCall(f"{at}", "draw", {"a": 1}) for at in range(size))),
    "wide arguments": lambda size: Message("assistant", (ToolCall("1", "draw", {f"{at}": at for at in range(size)}),)),
    "deep arguments": lambda size: Message("assistant", (ToolCall("1", "draw", _deep(size)),)),
    "many results": lambda size: Message("tool", tuple(ToolResult(f"{at}", "ok") for at in range(size))),
    "many unread": lambda size: Message("user", (UnreadAttachment(Attachment("a", "", 0, {})),) * size),
}
"""By what there is much of."""


def parts_of(make: Callable[[int], Message]) -> Callable[[int], tuple[Part, ...]]:
    """The parts of such a message."""
    return lambda size: make(size).parts
