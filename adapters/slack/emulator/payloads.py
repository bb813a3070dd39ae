"""Owns how things look as JSON, in answers and in events. Pure: state in, JSON out."""

from .workspace import Channel, File, Json, Message, Team, User
from .world import World


def message_json(world: World, message: Message, *, metadata: bool = False) -> Json:
    """A message as `conversations.history` and events show it."""
    channel = world.channels[message.channel]
    body: Json = {"type": "message", "user": message.user, "ts": message.ts, "text": message.text}
    body["team"] = world.users[message.user].team_id if message.user in world.users else channel.team_id
    _optional(body, message)
    if message.bot_id:
        body |= {"bot_id": message.bot_id, "app_id": message.app_id, "bot_profile": _profile(world, channel, message)}
    if message.files:
        body |= {"files": [file_json(world, world.files[name]) for name in message.files], "upload": False}
    if message.reactions:
        body["reactions"] = reactions_json(message)
    if metadata and message.metadata:
        body["metadata"] = message.metadata
    return body | message.extra | _thread(channel, message)


def _optional(body: Json, message: Message) -> None:
    values = {
        "subtype": message.subtype,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "client_msg_id": message.client_msg_id,
        "edited": message.edited,
        "username": message.username,
    }
    body.update({key: value for key, value in values.items() if value})


def _thread(channel: Channel, message: Message) -> Json:
    if message.thread_ts and message.thread_ts != message.ts:
        root = channel.messages.get(message.thread_ts)
        return {"thread_ts": message.thread_ts} | ({"parent_user_id": root.user} if root else {})
    replies = channel.replies(message.ts)
    if not replies:
        return {}
    people = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(people),
        "reply_users": people[:5],
        "latest_reply": replies[-1].ts,
        "is_locked": False,
        "subscribed": False,
    }


def reactions_json(message: Message) -> list[Json]:
    """The reactions of a message with who gave them."""
    given = message.reactions.items()
    return [{"name": name, "users": list(users), "count": len(users)} for name, users in given if users]


def _profile(world: World, channel: Channel, message: Message) -> Json:
    if message.bot_id == world.teams[channel.team_id].bot_id:
        return bot_profile(world, channel.team_id)
    author = world.users.get(message.user)
    name = author.real_name if author else message.username or "bot"
    return {"id": message.bot_id, "deleted": False, "name": name, "app_id": message.app_id, "team_id": channel.team_id}


def bot_profile(world: World, team_id: str) -> Json:
    """The app's bot as messages carry it."""
    icons = {f"image_{size}": f"{world.base_url}/icon/{size}.png" for size in (36, 48, 72)}
    return {
        "id": world.teams[team_id].bot_id,
        "deleted": False,
        "name": world.app.name,
        "updated": int(world.clock.now()),
        "app_id": world.app.app_id,
        "icons": icons,
        "team_id": team_id,
    }


def file_json(world: World, file: File, *, whole: bool = False) -> Json:
    """A file as events show it; a Slack Connect file only by its id, unless `whole` (files.info)."""
    if file.access == "check_file_info" and not whole:
        return {"id": file.id, "mode": "file_access", "file_access": "check_file_info"}
    if file.deleted:
        return {"id": file.id, "mode": "tombstone"}
    place = f"{world.base_url}/files-pri/{file.team_id}-{file.id}"
    domain = world.teams[file.team_id].domain
    body: Json = {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": file.mimetype,
        "filetype": file.filetype,
        "pretty_type": file.filetype.upper(),
        "user": file.user,
        "user_team": file.team_id,
        "editable": file.mode == "snippet",
        "size": len(file.content),
        "mode": file.mode,
        "is_external": False,
        "external_type": "",
        "is_public": any(world.channels[name].kind == "public" for name in file.channels),
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": f"{place}/{file.name}",
        "url_private_download": f"{place}/download/{file.name}",
        "media_display_type": _display(file),
        "permalink": f"https://{domain}.slack.com/files/{file.user}/{file.id}/{file.name}",
        "is_starred": False,
        "has_rich_preview": False,
        "file_access": "visible",
    }
    return body | _clip(world, file) | ({"alt_txt": file.alt_txt} if file.alt_txt else {})


def _display(file: File) -> str:
    return {"slack_audio": "audio", "slack_video": "video"}.get(file.subtype or "", "unknown")


def _clip(world: World, file: File) -> Json:
    if not file.subtype:
        return {}
    clip: Json = {"subtype": file.subtype, "transcription": file.transcription or {"status": "processing"}}
    if file.duration_ms is not None:
        clip["duration_ms"] = file.duration_ms
    return clip | {"vtt": f"{world.base_url}/files-tmb/{file.team_id}-{file.id}/file.vtt"}


def shares_json(world: World, file: File) -> Json:
    """Where a file was shared, by kind of channel and channel, as `files.info` shows it."""
    shares: Json = {}
    for channel_id, ts, thread_ts in file.shares:
        channel = world.channels[channel_id]
        side = shares.setdefault("public" if channel.kind == "public" else "private", {})
        entry = {"ts": ts, "channel_name": channel.name, "team_id": channel.team_id, "share_user_id": file.user}
        side.setdefault(channel_id, []).append(entry | ({"thread_ts": thread_ts} if thread_ts else {}))
    return shares


def user_json(world: World, user: User, *, locale: bool = False) -> Json:
    """A user as `users.info` shows it."""
    names = {"real_name": user.real_name, "real_name_normalized": user.real_name}
    names |= {"display_name": user.name, "display_name_normalized": user.name}
    profile: Json = {**names, "title": "", "team": user.team_id, "image_48": f"{world.base_url}/icon/48.png"}
    if user.is_bot:
        profile |= {"bot_id": user.bot_id, "api_app_id": user.app_id or "", "always_active": True}
    else:
        profile["email"] = f"{user.name}@example.com"
    more = ({"locale": user.locale} if locale else {}) | ({"is_stranger": True} if user.is_stranger else {})
    return more | {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz,
        "tz_offset": 3600,
        "profile": profile,
        "is_admin": user.is_admin or user.is_owner,
        "is_owner": user.is_owner,
        "is_primary_owner": False,
        "is_restricted": user.is_restricted or user.is_ultra_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": int(world.clock.now()),
    }


def channel_json(world: World, channel: Channel, viewer: str | None) -> Json:
    """A conversation as `conversations.info` shows it to `viewer`."""
    body: Json = {
        "id": channel.id,
        "created": channel.created,
        "creator": channel.creator,
        "is_archived": channel.is_archived,
        "is_im": channel.kind == "im",
        "is_org_shared": False,
        "context_team_id": channel.team_id,
        "updated": channel.created * 1000,
    }
    if channel.kind == "im":
        other = [user for user in channel.members if user != viewer]
        return body | {"user": (other or channel.members)[0], "is_user_deleted": False, "is_open": True, "priority": 0}
    is_private = channel.kind != "public"
    topic = {"value": channel.topic, "creator": channel.creator, "last_set": channel.created}
    if channel.is_ext_shared:
        body["connected_team_ids"] = channel.connected_team_ids
    return body | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind in ("public", "private"),
        "is_group": channel.kind == "private",
        "is_mpim": channel.kind == "mpim",
        "is_private": is_private,
        "is_general": channel.is_general,
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_pending_ext_shared": False,
        "shared_team_ids": [channel.team_id, *channel.connected_team_ids],
        "topic": topic,
        "purpose": {**topic, "value": channel.purpose},
        "previous_names": [],
    }


def team_json(world: World, team: Team) -> Json:
    """A workspace as `team.info` shows it."""
    body: Json = {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": "", "is_verified": False}
    body |= {"url": f"https://{team.domain}.slack.com/", "icon": {"image_default": True}}
    if team.enterprise_id:
        body |= {"enterprise_id": team.enterprise_id, "enterprise_name": world.enterprise_name}
    return body


def channel_type(channel: Channel) -> str:
    """The `channel_type` of message events."""
    return {"public": "channel", "private": "group"}.get(channel.kind, channel.kind)
