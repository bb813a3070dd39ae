"""Owns the way from a request's body and files to a draft: uploads, kept files, voice rules, references."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from . import components, limits, media, model, permissions
from .errors import ApiError, Form
from .messages import Draft, snapshot_of
from .model import Attachment, Channel, Json, Message
from .rest import Call, Upload, body_of
from .world import World

WAVEFORM_BYTES = 256
"""The most points of a voice message's waveform, one byte each. Source: Discord, Message Resource, Voice Messages."""

CREATE_FLAGS = (
    model.SUPPRESS_EMBEDS | model.EPHEMERAL | model.SUPPRESS_NOTIFICATIONS | model.IS_VOICE | model.COMPONENTS_V2
)


@dataclass
class Place:
    """Where a draft is going, and what is allowed there."""

    channel: Channel
    upload_limit_bytes: int
    takes_voice: bool = True
    flags: int = CREATE_FLAGS
    path: tuple[str, ...] = ()


def place_of(world: World, channel: Channel, *, path: tuple[str, ...] = ()) -> Place:
    """A channel's own limits."""
    guild = world.guilds.get(channel.guild_id or 0)
    flags = CREATE_FLAGS & ~model.EPHEMERAL
    return Place(channel, guild.upload_limit_bytes if guild else 10 * 1024 * 1024, flags=flags, path=path)


def read(world: World, call: Call, place: Place, body: Json | None = None) -> Draft:
    """The draft of a new message; raises what Discord would refuse it with.

    body: the message's part of the call's body, where that is not the whole.
    """
    body = body_of(call) if body is None else body
    flags = int(body.get("flags") or 0)
    _check(call, body, place, flags)
    draft = _draft(world, body, flags)
    draft.attachments = _uploaded(world, body, call.files, place)
    draft.stickers = [_sticker(world, int(one)) for one in body.get("sticker_ids") or []]
    if flags & model.IS_VOICE:
        _check_voice(draft, place)
    return draft


def _check(call: Call, body: Json, place: Place, flags: int) -> None:
    form = Form()
    limits.check_message(form, body, place.path, flags=flags)
    if flags & ~place.flags:
        message = f"Message flags must be only a combination of {place.flags}"
        form.bad((*place.path, "flags"), "MESSAGE_FLAGS_INVALID", message)
    form.finish()
    if any(len(file.data) > place.upload_limit_bytes for file in call.files):
        raise ApiError(40005)
    if len(call.files) > limits.FILES:
        raise ApiError(50035, errors={"files": {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": "Too many."}]}})


def _draft(world: World, body: Json, flags: int) -> Draft:
    return Draft(
        content=(body.get("content") or "").strip(),
        embeds=[{"type": "rich", **embed} for embed in body.get("embeds") or []],
        components=components.numbered(body.get("components") or []),
        flags=flags,
        nonce=body.get("nonce"),
        enforce_nonce=bool(body.get("enforce_nonce")),
        allowed_mentions=body.get("allowed_mentions"),
    )


def _sticker(world: World, sticker_id: int) -> model.Sticker:
    found = world.sticker(sticker_id)
    if found is None:
        raise ApiError(50081)
    return found


def _uploaded(world: World, body: Json, files: list[Upload], place: Place) -> list[Attachment]:
    """The files that came along, each with what `attachments` says of it."""
    said = {str(one["id"]): one for one in body.get("attachments") or []}
    indexes = {str(file.index) for file in files}
    for key in said:
        if key not in indexes and int(key) not in world.cdn.files:
            errors = {"attachments": {"_errors": [{"code": "ATTACHMENT_NOT_FOUND", "message": "Unknown attachment"}]}}
            raise ApiError(50035, errors=errors)
    return [new_attachment(world, place.channel, file, said.get(str(file.index), {})) for file in files]


def new_attachment(world: World, channel: Channel, file: Upload, said: Json) -> Attachment:
    """Store an uploaded file; said: its entry in `attachments`."""
    name = said.get("filename") or file.filename
    size = media.picture_size(file.data)
    return world.cdn.keep(
        Attachment(
            world.new_id(),
            channel.id,
            name.replace(" ", "_"),
            media.mime_type(name, file.mime_type),
            file.data,
            description=said.get("description"),
            title=said.get("title"),
            width=size[0] if size else None,
            height=size[1] if size else None,
            duration_s=said.get("duration_secs"),
            waveform=said.get("waveform"),
            is_spoiler=bool(said.get("is_spoiler")) or name.startswith("SPOILER_"),
        )
    )


def _check_voice(draft: Draft, place: Place) -> None:
    """A voice message is one audio file with its length and waveform, and nothing else."""
    if not place.takes_voice:
        message = "Voice messages cannot be sent here."
        raise ApiError(50035, errors={"flags": {"_errors": [{"code": "MESSAGE_FLAGS_INVALID", "message": message}]}})
    if draft.content or draft.embeds or draft.components or draft.stickers or draft.reference:
        raise ApiError(50159)
    if len(draft.attachments) != 1 or not draft.attachments[0].mime_type.startswith("audio/"):
        raise ApiError(50160)
    file = draft.attachments[0]
    if file.duration_s is None or not _is_waveform(file.waveform):
        raise ApiError(50161)


def _is_waveform(waveform: str | None) -> bool:
    try:
        return 0 < len(base64.b64decode(waveform or "", validate=True)) <= WAVEFORM_BYTES
    except binascii.Error:
        return False


def require_content(draft: Draft) -> None:
    """Raise 50006 for a message in which nothing would show."""
    if not (draft.content or draft.embeds or draft.attachments or draft.stickers or draft.components or draft.snapshot):
        raise ApiError(50006)


def refer(world: World, draft: Draft, body: Json, channel: Channel) -> None:
    """Fill in what a message answers or forwards."""
    wanted = body.get("message_reference")
    if not wanted:
        return
    target = world.messages.get(int(wanted["message_id"]))
    if target is None or target.is_deleted or target.ephemeral_to:
        if wanted.get("fail_if_not_exists", True):
            raise _bad_reference("REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return
    if wanted.get("type") == 1:
        _forward(world, draft, target)
    else:
        _reply(world, draft, target, channel)


def _reply(world: World, draft: Draft, target: Message, channel: Channel) -> None:
    if target.channel_id != channel.id:
        message = "Cannot reply to a message in a different channel"
        raise _bad_reference("REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL", message)
    if target.kind not in (model.DEFAULT, model.REPLY, model.CHAT_INPUT, model.CONTEXT_MENU):
        raise _bad_reference("REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message")
    if not permissions.in_channel(world, channel, world.app.bot_id) & permissions.READ_MESSAGE_HISTORY:
        raise ApiError(160002)
    draft.reference = model.Reference(target.id, target.channel_id, channel.guild_id)


def _forward(world: World, draft: Draft, target: Message) -> None:
    """A forward carries nothing of its own, and its content must be the app's to read."""
    source = world.channel(target.channel_id)
    if draft.content or draft.embeds or draft.attachments or draft.components:
        raise _bad_reference("MESSAGE_FORWARD_CANNOT_HAVE_CONTENT", "Forwarded messages cannot have additional content")
    if not (world.app.message_content or world.app_may_read(target)):
        raise ApiError(50001)
    draft.reference = model.Reference(target.id, source.id, source.guild_id, kind=1)
    draft.snapshot, draft.flags = snapshot_of(target), draft.flags | model.HAS_SNAPSHOT


def _bad_reference(code: str, message: str) -> ApiError:
    return ApiError(50035, errors={"message_reference": {"_errors": [{"code": code, "message": message}]}})


def read_edit(
    world: World, call: Call, message: Message, place: Place, body: Json | None = None
) -> tuple[Draft, set[str]]:
    """The changes of an edit, and the names of the fields they touch; body: as in `read`."""
    if message.is_voice:
        raise ApiError(50162)
    body = body_of(call) if body is None else body
    flags = message.flags | int(body.get("flags") or 0)
    form = Form()
    limits.check_message(form, body, place.path, flags=flags)
    form.finish()
    if any(len(file.data) > place.upload_limit_bytes for file in call.files):
        raise ApiError(40005)
    draft = _draft(world, body, int(body.get("flags") or 0))
    changed: set[str] = {name for name in ("content", "embeds", "components", "flags") if name in body}
    if "attachments" in body or call.files:
        changed.add("attachments")
        draft.attachments = _kept(message, body) + _uploaded(world, body, call.files, place)
    _require_rest(message, draft, changed)
    return draft, changed


def _kept(message: Message, body: Json) -> list[Attachment]:
    """The old files that stay: all, or those that `attachments` names."""
    if body.get("attachments") is None:
        return [] if "attachments" in body else list(message.attachments)
    named = {str(one["id"]) for one in body["attachments"]}
    return [file for file in message.attachments if str(file.id) in named]


def _require_rest(message: Message, draft: Draft, changed: set[str]) -> None:
    """Raise 50006 when an edit would leave nothing."""
    names = ("content", "embeds", "components", "attachments")
    left = [getattr(draft if name in changed else message, name) for name in names]
    if not any(left) and not message.stickers and not message.snapshot:
        raise ApiError(50006)
