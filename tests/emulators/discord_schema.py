"""Owns our own description of what Parley asks of Discord and of the messages that come back.

Objects are closed, so that a field nobody knows is an error. Written from Discord's documentation of the API (v10), for the routes
that Parley and the emulator's own tests use, and no more.
"""

from __future__ import annotations

from typing import Any

from tests.emulators.closed import ANY, FLAG, NUMBER, Schema, closed, each, nullable, problems, text

ID: Schema = {"anyOf": [{"type": "string", "pattern": "^[0-9]{1,20}$"}, NUMBER]}
"""discord.py sends some ids as numbers, which Discord takes as well."""

EMOJI = closed(id=nullable(ID), name=nullable(text(100)), animated=FLAG)
OPTION = closed(label=text(100), value=text(100), description=nullable(text(100)), emoji=EMOJI, default=FLAG)
BUTTON = closed(
    type={"const": 2},
    id=NUMBER,
    style={"type": "integer", "minimum": 1, "maximum": 6},
    label=nullable(text(80)),
    emoji=nullable(EMOJI),
    custom_id=nullable(text(100)),
    url=nullable(text(512)),
    disabled=FLAG,
)
SELECT = closed(
    type={"const": 3},
    id=NUMBER,
    custom_id=text(100),
    placeholder=text(150),
    options=each(OPTION, 25),
    min_values=NUMBER,
    max_values=NUMBER,
    required=FLAG,
    disabled=FLAG,
)
ROW = closed(type={"const": 1}, id=NUMBER, components=each({"anyOf": [BUTTON, SELECT]}, 5))
WORDS = closed(type={"const": 10}, id=NUMBER, content=text(4_000))
GALLERY = closed(
    type={"const": 12},
    id=NUMBER,
    items=each(closed(media=closed(url=text(2_048)), description=nullable(text(1_024)), spoiler=FLAG), 10),
)
INPUT = closed(
    type={"const": 4},
    id=NUMBER,
    custom_id=text(100),
    style={"enum": [1, 2]},
    label=nullable(text(45)),
    min_length=NUMBER,
    max_length={"type": "integer", "minimum": 1, "maximum": 4_000},
    required=FLAG,
    value=text(4_000),
    placeholder=text(100),
)
LABEL = closed(
    type={"const": 18}, id=NUMBER, label=text(45), description=text(100), component={"anyOf": [INPUT, SELECT]}
)
COMPONENTS = each({"anyOf": [ROW, WORDS, GALLERY]}, 40)
ATTACHMENT = closed(
    id=ID,
    filename=text(1_024),
    title=text(1_024),
    description=nullable(text(1_024)),
    duration_secs={"type": "number", "minimum": 0},
    waveform=text(400),
)
MENTIONS = closed(
    parse=each({"enum": ["users", "roles", "everyone"]}, 3),
    users=each(ID, 100),
    roles=each(ID, 100),
    replied_user=FLAG,
)
REFERENCE = closed(
    type={"enum": [0, 1]}, message_id=ID, channel_id=ID, guild_id=nullable(ID), fail_if_not_exists=nullable(FLAG)
)
SHOWN: dict[str, Schema] = {
    "content": nullable(text(2_000)),
    "tts": FLAG,
    "flags": NUMBER,
    "embeds": each(ANY, 10),
    "allowed_mentions": nullable(MENTIONS),
    "components": nullable(COMPONENTS),
    "attachments": each(ATTACHMENT, 10),
}
"""What every form of a message has."""
POSTED = closed(
    **SHOWN,
    nonce={"anyOf": [text(25), NUMBER]},
    enforce_nonce=FLAG,
    message_reference=REFERENCE,
    sticker_ids=each(ID, 3),
)
EDITED = closed(**SHOWN)
BY_WEBHOOK = closed(**SHOWN, username=text(80), avatar_url=text(2_048), thread_name=text(100))
THREAD: dict[str, Schema] = {
    "name": text(100),
    "auto_archive_duration": {"enum": [60, 1_440, 4_320, 10_080]},
    "rate_limit_per_user": nullable(NUMBER),
}
OPENED = closed(**THREAD, type=NUMBER, invitable=FLAG, applied_tags=each(ID, 5), message=EDITED)
CHOICE = closed(name=text(100), value=ANY, name_localizations=nullable({"type": "object"}))
ANSWERED = closed(
    type={"enum": [1, 4, 5, 6, 7, 8, 9]},
    data=closed(
        **{**SHOWN, "components": each({"anyOf": [ROW, WORDS, GALLERY, LABEL]}, 40)},
        choices=each(CHOICE, 25),
        custom_id=text(100),
        title=text(45),
    ),
)
PARAMETER = closed(
    type={"type": "integer", "minimum": 1, "maximum": 11},
    name={"type": "string", "pattern": r"^[-_'\p{L}\p{N}]{1,32}$"},
    name_localizations=nullable({"type": "object"}),
    description=text(100),
    description_localizations=nullable({"type": "object"}),
    required=FLAG,
    choices=each(CHOICE, 25),
    autocomplete=FLAG,
    min_value={"type": "number"},
    max_value={"type": "number"},
    min_length=NUMBER,
    max_length=NUMBER,
    channel_types=each(NUMBER, 20),
    options=each(ANY, 25),
)
COMMAND = closed(
    id=ID,
    type={"enum": [1, 2, 3]},
    name=text(32),
    name_localizations=nullable({"type": "object"}),
    description=text(100),
    description_localizations=nullable({"type": "object"}),
    options=each(PARAMETER, 25),
    default_member_permissions=nullable({"anyOf": [ID, {"type": "string"}]}),
    dm_permission=nullable(FLAG),
    contexts=nullable(each({"enum": [0, 1, 2]}, 3)),
    integration_types=nullable(each({"enum": [0, 1]}, 2)),
    nsfw=FLAG,
)
MESSAGE_ROUTE = "/channels/{channel_id}/messages/{message_id}"
FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"
REQUESTS: dict[str, Schema] = {
    "POST /channels/{channel_id}/messages": POSTED,
    f"PATCH {MESSAGE_ROUTE}": EDITED,
    f"POST {MESSAGE_ROUTE}/threads": closed(**THREAD),
    "POST /channels/{channel_id}/threads": OPENED,
    "PATCH /channels/{channel_id}": closed(**THREAD, archived=FLAG, locked=FLAG, invitable=FLAG),
    f"POST {FOLLOW_UP}": BY_WEBHOOK,
    f"PATCH {FOLLOW_UP}/messages/{{message_id}}": EDITED,
    "POST /interactions/{interaction_id}/{interaction_token}/callback": ANSWERED,
    "POST /attachments/refresh-urls": closed(attachment_urls=each(text(2_048), 50)),
    "POST /users/@me/channels": closed(recipient_id=ID),
    "PUT /applications/{application_id}/commands": each(COMMAND, 130),
    "PUT /applications/{application_id}/guilds/{guild_id}/commands": each(COMMAND, 130),
}
"""The body of each call that has one."""
BODILESS = frozenset(
    (
        "DELETE",
        "GET",
        "POST /channels/{channel_id}/typing",
        "PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me",
    )
)
"""Calls that have none: whole methods, and single routes."""
MESSAGE: Schema = {
    "type": "object",
    "required": ["id", "channel_id", "author", "content", "timestamp", "attachments", "embeds", "components", "type"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]{1,20}$"},
        "channel_id": {"type": "string", "pattern": "^[0-9]{1,20}$"},
        "author": {"type": "object", "required": ["id", "username"]},
        "content": text(4_000),
        "attachments": each({"type": "object", "required": ["id", "filename", "size", "url"]}, 10),
    },
}
"""What Parley reads of a message that Discord answers with; Discord sends more."""
ANSWERS: dict[str, Schema] = {
    "POST /channels/{channel_id}/messages": MESSAGE,
    f"PATCH {MESSAGE_ROUTE}": MESSAGE,
    f"GET {MESSAGE_ROUTE}": MESSAGE,
    "GET /channels/{channel_id}/messages": each(MESSAGE, 100),
    f"PATCH {FOLLOW_UP}/messages/{{message_id}}": MESSAGE,
}


def problems_of_request(method: str, route: str, body: Any) -> list[str]:
    """What is wrong with a call by our own description; a call that is not described is wrong too."""
    name = f"{method} {route}"
    if name in REQUESTS:
        return [f"request {name} {problem}" for problem in problems(REQUESTS[name], body)]
    if method in BODILESS or name in BODILESS:
        return [] if body is None else [f"request {name} takes no body"]
    return [f"request {name} is not described in tests/emulators/discord_schema.py"]


def problems_of_answer(method: str, route: str, answer: Any) -> list[str]:
    """What is wrong with an answer, where we describe it."""
    name = f"{method} {route}"
    if name not in ANSWERS:
        return []
    return [f"answer {name} {problem}" for problem in problems(ANSWERS[name], answer)]
