"""Owns the `files.*` methods."""

import asyncio
from typing import Any

from .chat import authorship, read_blocks
from .mrkdwn import rich_text
from .payloads import file_json, shares_json
from .registry import Call, SlackError, method
from .uploads import Slot
from .workspace import Channel, File, Json, Message

SHARE_DELAY_S = 0.02
"""Sharing happens after the answer, as on Slack; so no answer can promise the message's timestamp."""


@method("files.getUploadURLExternal", "files:write", tier="t4")
def get_upload_url(call: Call) -> Json:
    """An address for the bytes. Source: Slack, files.getUploadURLExternal."""
    name, length = call.text("filename"), call.number("length", 0)
    if length <= 0:
        raise SlackError("invalid_arguments", messages=["[ERROR] missing required field: length"])
    url, file_id = call.desk.uploads.announce(call.team, call.me, name, length, call.args)
    return {"upload_url": url, "file_id": file_id}


@method("files.completeUploadExternal", "files:write", tier="t4")
def complete_upload(call: Call) -> Json:
    """Finish uploads and share them. Source: Slack, files.completeUploadExternal."""
    slots = [_slot(call, entry) for entry in _entries(call)]
    channels = _channels(call)
    thread_ts = call.text("thread_ts", required=False) or None
    if thread_ts and any(channel.root(thread_ts) is None for channel in channels):
        raise SlackError("invalid_thread_ts")
    blocks, comment = read_blocks(call), call.text("initial_comment", required=False)
    files = [slot.file for slot in slots]
    for slot, entry in zip(slots, _entries(call), strict=True):
        slot.completed, slot.file.title = True, entry.get("title") or slot.file.name
    for channel in channels:
        call.desk.spawn(_share(call, channel, files, comment, blocks, thread_ts))
    world = call.desk.world
    shown = [file_json(world, file) | {"shares": shares_json(world, file)} for file in files]
    return {"files": shown}


async def _share(
    call: Call, channel: Channel, files: list[File], comment: str, blocks: list[Json], thread_ts: str | None
) -> None:
    await asyncio.sleep(SHARE_DELAY_S)
    ids = call.desk.world.ids
    message = Message(ids.ts(), channel.id, call.me, comment, thread_ts=thread_ts, **authorship(call))
    message.blocks = blocks or rich_text(comment, ids.secret("", 5))
    message.files, message.subtype = [file.id for file in files], "file_share"
    call.desk.timeline.add(message)


def _entries(call: Call) -> list[Json]:
    entries: Any = call.structure("files")
    if not isinstance(entries, list) or not entries:
        raise SlackError("invalid_arguments", messages=["[ERROR] missing required field: files"])
    return entries


def _slot(call: Call, entry: Json) -> Slot:
    slot = call.desk.uploads.slot_of(str(entry.get("id")))
    if slot is None or slot.completed:
        raise SlackError("file_not_found")
    if not slot.filled:
        raise SlackError("file_upload_size_limit_exceeded" if slot.length > 1_000_000_000 else "file_not_found")
    return slot


def _channels(call: Call) -> list[Channel]:
    named = call.text("channels", required=False) or call.text("channel_id", required=False)
    channels = []
    for name in filter(None, named.split(",")):
        channel = call.desk.world.channels.get(name)
        if channel is None or channel.team_id != call.team.id:
            raise SlackError("channel_not_found")
        if call.me not in channel.members:
            raise SlackError("not_in_channel")
        channels.append(channel)
    return channels


def _file(call: Call) -> File:
    file = call.desk.world.files.get(call.text("file"))
    if file is None or file.deleted:
        raise SlackError("file_not_found" if file is None else "file_deleted")
    channels = [call.desk.world.channels[name] for name in file.channels]
    mine = file.user == call.me or any(call.me in channel.members or channel.kind == "public" for channel in channels)
    if not mine:
        raise SlackError("file_not_found")
    return file


@method("files.info", "files:read", tier="t4")
def info(call: Call) -> Json:
    """A file with everything about it, Slack Connect files too. Source: Slack, files.info."""
    file, world = _file(call), call.desk.world
    shown = file_json(world, file, whole=True) | {"shares": shares_json(world, file), "channels": file.channels}
    return {"file": shown, "comments": [], "response_metadata": {"next_cursor": ""}}


@method("files.delete", "files:write", tier="t3")
def delete(call: Call) -> Json:
    """Delete a file of the app's own. Source: Slack, files.delete."""
    file = _file(call)
    if file.user != call.me:
        raise SlackError("cant_delete_file")
    file.deleted, file.content = True, b""
    for channel_id, ts, _ in file.shares:
        call.desk.world.changed("message", channel=channel_id, ts=ts)
    return {}
