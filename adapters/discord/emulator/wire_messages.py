"""Owns the JSON of messages and what stands in them, as REST answers and gateway events carry it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import model
from .clock import iso
from .model import Json, Message
from .wire_people import member_json, user_json
from .wire_places import channel_json

if TYPE_CHECKING:
    from .world import World


def attachment_json(world: World, attachment: model.Attachment) -> Json:
    """A file with a freshly signed address; a second look gives another address."""
    url = world.cdn.sign(attachment)
    body: Json = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": url,
        "proxy_url": url,
        "content_type": attachment.mime_type,
    }
    if attachment.is_spoiler:
        body["flags"] = 1 << 3
    optional = {
        "width": attachment.width,
        "height": attachment.height,
        "duration_secs": attachment.duration_s,
        "waveform": attachment.waveform,
        "description": attachment.description,
        "title": attachment.title,
        "ephemeral": attachment.ephemeral or None,
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def message_json(world: World, message: Message, *, sees_content: bool, for_gateway: bool = False) -> Json:
    """A message as the app may read it.

    sees_content: whether the message-content intent counts here; without it content, embeds, attachments and
    components are empty but in the app's own messages, its direct messages and those that mention it.
    for_gateway: adds guild_id, member and channel_type, which REST leaves out.
    """
    body = _content_part(world, message, sees_content or world.app_may_read(message))
    body |= {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "author": user_json(world.users[message.author_id]),
        "mention_everyone": message.mention_everyone,
        "pinned": message.pinned,
        "tts": False,
    }
    body |= _optional_part(world, message)
    if message.kind in (model.REPLY, model.THREAD_STARTER) or message.reference:
        body |= _reference_part(world, message, sees_content)
    return body | (_gateway_part(world, message, body) if for_gateway else {})


def _content_part(world: World, message: Message, readable: bool) -> Json:
    files = {a.filename: attachment_json(world, a) for a in message.attachments}
    return {
        "type": message.kind,
        "content": message.content if readable else "",
        "mentions": [user_json(world.users[user]) for user in message.mentions],
        "mention_roles": [str(role) for role in message.mention_roles],
        "attachments": list(_shown_files(message, files)) if readable else [],
        "embeds": resolved(message.embeds, files) if readable else [],
        "components": component_json(message.components, files) if readable else [],
        "timestamp": iso(message.sent_at),
        "edited_timestamp": iso(message.edited_at) if message.edited_at else None,
        "flags": message.flags,
    }


def _shown_files(message: Message, files: dict[str, Json]) -> Iterable[Json]:
    """All files but those that an embed or a component already shows."""
    shown = repr(message.embeds) + repr(message.components)
    used = {name for name in files if f"attachment://{name}'" in shown}
    return (file for name, file in files.items() if name not in used or message.flags & model.COMPONENTS_V2)


def resolved(value: Any, files: dict[str, Json]) -> Any:
    """Embeds whose images point at attachment://name, pointed at the file's signed address."""
    if isinstance(value, list):
        return [resolved(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    file = files.get(str(value.get("url")).removeprefix("attachment://"))
    if file and str(value["url"]).startswith("attachment://"):
        return {**value, **_pick(file)}
    return {key: resolved(item, files) for key, item in value.items()}


def _pick(file: Json) -> Json:
    return {key: file[key] for key in ("url", "proxy_url", "width", "height", "content_type") if key in file}


def component_json(value: Any, files: dict[str, Json]) -> Any:
    """Components with their media unfurled: an address, the file's size and id, and all that Discord fills in."""
    if isinstance(value, list):
        return [component_json(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: component_json(item, files) for key, item in value.items()}
    for key in ("media", "file"):
        if isinstance(value.get(key), dict):
            file = files.get(str(value[key].get("url")).removeprefix("attachment://"))
            made[key] = _unfurled(value[key], file)
            made |= {"name": file["filename"], "size": file["size"]} if file and key == "file" else {}
    if "items" in made:
        made["items"] = [{"description": None, "spoiler": False, **item} for item in made["items"]]
    return made


def _unfurled(media: Json, file: Json | None) -> Json:
    if file is None:
        return {"id": str(zlib.crc32(media["url"].encode())), "url": media["url"], "proxy_url": media["url"]}
    return {**_pick(file), "id": file["id"], "attachment_id": file["id"]}


def _optional_part(world: World, message: Message) -> Json:
    body: Json = {}
    if message.nonce is not None:
        body["nonce"] = message.nonce
    if message.position is not None:
        body["position"] = message.position
    if message.by_app:
        body["application_id"] = str(world.app.id)
    if message.webhook:
        body["webhook_id"] = str(world.app.id)
    if message.interaction:
        body["interaction_metadata"] = message.interaction
    if message.stickers:
        body["sticker_items"] = [
            {"id": str(s.id), "name": s.name, "format_type": s.format_type} for s in message.stickers
        ]
    if message.reactions:
        body["reactions"] = [_reaction(world, name, users) for name, users in message.reactions.items()]
    if message.flags & model.HAS_THREAD and message.id in world.channels:
        body["thread"] = channel_json(world, world.channels[message.id])
    return body


def emoji_json(name: str) -> Json:
    """An emoji from how paths name it: a character, or name:id."""
    label, _, emoji_id = name.partition(":")
    return {"id": emoji_id or None, "name": label}


def _reaction(world: World, name: str, users: list[int]) -> Json:
    return {
        "emoji": emoji_json(name),
        "count": len(users),
        "count_details": {"burst": 0, "normal": len(users)},
        "burst_colors": [],
        "me_burst": False,
        "me": world.app.bot_id in users,
    }


def _reference_part(world: World, message: Message, sees_content: bool) -> Json:
    reference = message.reference
    if reference is None:
        return {}
    at: Json = {"type": reference.kind, "channel_id": str(reference.channel_id)}
    if reference.message_id:
        at["message_id"] = str(reference.message_id)
    if reference.guild_id:
        at["guild_id"] = str(reference.guild_id)
    if message.snapshot:
        readable = sees_content or world.app_may_read(message)
        return {
            "message_reference": at,
            "message_snapshots": [{"message": _content_part(world, message.snapshot, readable)}],
        }
    if message.kind not in (model.REPLY, model.THREAD_STARTER):
        return {"message_reference": at}
    target = world.messages.get(reference.message_id or 0)
    if target is None or target.is_deleted:
        return {"message_reference": at, "referenced_message": None}
    told = message_json(world, target, sees_content=sees_content)
    told.pop("referenced_message", None)
    return {"message_reference": at, "referenced_message": told}


def _gateway_part(world: World, message: Message, body: Json) -> Json:
    channel = world.channels[message.channel_id]
    extra: Json = {"channel_type": channel.kind}
    if channel.guild_id is None:
        return extra
    members = world.guilds[channel.guild_id].members
    extra["guild_id"] = str(channel.guild_id)
    if message.author_id in members and not message.webhook:
        extra["member"] = member_json(world, members[message.author_id], with_user=False)
    for user in body["mentions"]:
        if int(user["id"]) in members:
            user["member"] = member_json(world, members[int(user["id"])], with_user=False)
    return extra
