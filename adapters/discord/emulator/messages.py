"""Owns writing messages: mentions and pings, threads that wake, edits, deletions, reactions, and their news."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field

from . import model, permissions, unfurl, wire_messages, wire_people, wire_places, world
from .errors import ApiError
from .model import Attachment, Channel, Json, Message, Reference, Sticker
from .world import Event, World

NONCE_WINDOW_S = 300.0
"""How long an enforced nonce gives the same message back: the vendor says "the past few minutes"."""


@dataclass
class Draft:
    """A message before it is written; its fields have been checked already."""

    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    stickers: list[Sticker] = field(default_factory=list)
    reference: Reference | None = None
    snapshot: Message | None = None
    flags: int = 0
    kind: int = model.DEFAULT
    nonce: str | int | None = None
    enforce_nonce: bool = False
    allowed_mentions: Json | None = None
    webhook: bool = False
    interaction: Json | None = None
    ephemeral_to: int | None = None
    forced_id: int | None = None


def intent(channel: Channel, of_guild: int, of_direct: int) -> int:
    """The one intent of two that this channel's news need."""
    return of_direct if channel.guild_id is None else of_guild


def tell_message(at: World, name: str, message: Message) -> None:
    """Send a message's news; an ephemeral one is not the gateway's."""
    channel = at.channels[message.channel_id]

    def build(sees_content: bool) -> Json:
        return wire_messages.message_json(at, message, sees_content=sees_content, for_gateway=True)

    wanted = intent(channel, world.GUILD_MESSAGES, world.DIRECT_MESSAGES)
    at.emit(Event(name, build, wanted, channel, channel.guild_id, message, for_bot=message.ephemeral_to is None))


def write(at: World, channel: Channel, author_id: int, draft: Draft) -> Message:
    """Put a message into its channel and send the news; an enforced nonce gives an earlier message back."""
    earlier = _same_nonce(at, channel, author_id, draft)
    if earlier:
        return earlier
    _wake(at, channel, author_id)
    message = Message(
        draft.forced_id or at.new_id(),
        channel.id,
        author_id,
        draft.content,
        at.clock.time(),
        kind=model.REPLY if draft.reference and not draft.reference.kind and not draft.kind else draft.kind,
        flags=draft.flags,
        attachments=draft.attachments,
        embeds=draft.embeds,
        components=draft.components,
        stickers=draft.stickers,
        reference=draft.reference,
        snapshot=draft.snapshot,
        nonce=draft.nonce,
        by_app=author_id == at.app.bot_id,
        webhook=draft.webhook,
        interaction=draft.interaction,
        ephemeral_to=draft.ephemeral_to,
        versions=[draft.content],
    )
    resolve_mentions(at, message, draft.allowed_mentions)
    message.pinged = set(message.mentions)
    _count(channel, message)
    at.keep(message)
    tell_message(at, "MESSAGE_CREATE", message)
    if unfurl.unfurl(at, message):
        tell_message(at, "MESSAGE_UPDATE", message)  # not edited: only its previews came
    return message


def _same_nonce(at: World, channel: Channel, author_id: int, draft: Draft) -> Message | None:
    if draft.nonce is None or not draft.enforce_nonce:
        return None
    since = at.clock.time() - NONCE_WINDOW_S
    for message in reversed(at.history(channel.id)):
        if message.sent_at < since:
            return None
        if message.author_id == author_id and str(message.nonce) == str(draft.nonce):
            return message
    return None


def _wake(at: World, channel: Channel, author_id: int) -> None:
    """Sending opens an archived thread, unless it is locked and the author does not manage threads."""
    if not channel.is_thread:
        return
    manages = permissions.in_channel(at, channel, author_id) & permissions.MANAGE_THREADS
    if channel.locked and not manages:
        raise ApiError(160005)
    if channel.archived:
        channel.archived, channel.archive_at = False, at.clock.time()
        at.tell_channel("THREAD_UPDATE", channel)
    if author_id not in channel.thread_members:
        join_thread(at, channel, author_id)


def join_thread(at: World, channel: Channel, user_id: int) -> None:
    """Make a user part of a thread."""
    channel.thread_members[user_id] = at.clock.time()
    if user_id == at.app.bot_id and channel.kind == model.PRIVATE_THREAD:
        at.tell_channel("THREAD_CREATE", channel)  # it hears of a private thread when it is let in
    added = wire_places.thread_member_json(channel, user_id)
    body: Json = {"id": str(channel.id), "guild_id": str(channel.guild_id), "member_count": len(channel.thread_members)}
    intents = world.GUILDS if user_id == at.app.bot_id else world.GUILD_MEMBERS
    if user_id == at.app.bot_id:
        member = at.guilds[channel.guild_id or 0].members[user_id]
        added |= {"member": wire_people.member_json(at, member), "presence": None}
    body |= {"added_members": [added], "removed_member_ids": []}
    at.emit(Event("THREAD_MEMBERS_UPDATE", lambda _: body, intents, channel, channel.guild_id, channel))


def leave_thread(at: World, thread: Channel, user_id: int) -> None:
    """Make a user no part of a thread any more; without the members intent an app hears it of itself alone."""
    thread.thread_members.pop(user_id, None)
    body: Json = {"id": str(thread.id), "guild_id": str(thread.guild_id), "member_count": len(thread.thread_members)}
    body |= {"added_members": [], "removed_member_ids": [str(user_id)]}
    intents = world.GUILDS if user_id == at.app.bot_id else world.GUILD_MEMBERS
    at.emit(Event("THREAD_MEMBERS_UPDATE", lambda _: body, intents, thread, thread.guild_id, thread))


def _count(channel: Channel, message: Message) -> None:
    channel.last_message_id = message.id
    if channel.is_thread and message.kind != model.THREAD_STARTER and not message.ephemeral_to:
        message.position = channel.message_count
        if message.id != channel.id:
            channel.message_count += 1
            channel.total_sent += 1


def resolve_mentions(at: World, message: Message, allowed: Json | None) -> None:
    """Fill in whom the text mentions, as far as allowed_mentions lets it.

    Source: Discord, Message Resource, Allowed Mentions Object: absent means all, and the replied-to author too.
    """
    channel = at.channels[message.channel_id]
    text = message.content + _display_text(message.components)
    users = [int(found) for found in re.findall(r"<@!?(\d+)>", text)]
    roles = [int(found) for found in re.findall(r"<@&(\d+)>", text)]
    users = [user for user in users if user in at.users and _allows(allowed, "users", user)]
    message.mention_roles = _mentionable(at, channel, message, [r for r in roles if _allows(allowed, "roles", r)])
    everyone = bool(re.search(r"@(everyone|here)", text)) and _allows(allowed, "everyone", 0)
    message.mention_everyone = everyone and _may_ping_all(at, channel, message.author_id)
    replied = _replied_author(at, message, allowed)
    message.mentions = list(dict.fromkeys(([replied] if replied else []) + users))


def _display_text(components: list[Json]) -> str:
    return " ".join(str(c.get("content", "")) + _display_text(c.get("components", [])) for c in components)


def _allows(allowed: Json | None, kind: str, target: int) -> bool:
    if allowed is None or kind in (allowed.get("parse") or []):
        return True
    return target in [int(one) for one in allowed.get(kind) or []] if kind != "everyone" else False


def _may_ping_all(at: World, channel: Channel, user_id: int) -> bool:
    return bool(permissions.in_channel(at, channel, user_id) & permissions.MENTION_EVERYONE)


def _mentionable(at: World, channel: Channel, message: Message, roles: list[int]) -> list[int]:
    if channel.guild_id is None:
        return []
    known = at.guilds[channel.guild_id].roles
    pings_all = _may_ping_all(at, channel, message.author_id)
    return list(dict.fromkeys(role for role in roles if role in known and (pings_all or known[role].mentionable)))


def _replied_author(at: World, message: Message, allowed: Json | None) -> int | None:
    if message.kind != model.REPLY or message.reference is None:
        return None
    if allowed is not None and not allowed.get("replied_user"):
        return None
    target = at.messages.get(message.reference.message_id or 0)
    return target.author_id if target and target.author_id != message.author_id else None


def edit(at: World, message: Message, draft: Draft, changed: set[str]) -> Message:
    """Replace the named fields of a message; its news carry the whole message."""
    for name in changed & {"content", "embeds", "components", "attachments"}:
        setattr(message, name, getattr(draft, name))
    if "flags" in changed:
        kept = message.flags & ~model.SUPPRESS_EMBEDS
        message.flags = kept | draft.flags & (model.SUPPRESS_EMBEDS | model.COMPONENTS_V2)
    message.edited_at = at.clock.time()
    message.versions.append(message.content)
    resolve_mentions(at, message, draft.allowed_mentions)
    unfurl.unfurl(at, message)
    tell_message(at, "MESSAGE_UPDATE", message)
    return message


def delete(at: World, messages: list[Message], channel: Channel) -> None:
    """Take messages away: one by MESSAGE_DELETE, several by MESSAGE_DELETE_BULK."""
    for message in messages:
        message.is_deleted = True
        if channel.is_thread:
            channel.message_count = max(0, channel.message_count - 1)
    place: Json = {"channel_id": str(channel.id)} | ({"guild_id": str(channel.guild_id)} if channel.guild_id else {})
    body: Json = {"id": str(messages[0].id)} if len(messages) == 1 else {"ids": [str(m.id) for m in messages]}
    name = "MESSAGE_DELETE" if len(messages) == 1 else "MESSAGE_DELETE_BULK"
    wanted = intent(channel, world.GUILD_MESSAGES, world.DIRECT_MESSAGES)
    told = messages[0].ephemeral_to is None
    at.emit(Event(name, lambda _: body | place, wanted, channel, channel.guild_id, messages, for_bot=told))


def react(at: World, message: Message, user_id: int, emoji: str, *, add: bool) -> None:
    """Set or take a reaction; repeating it changes nothing."""
    users = message.reactions.setdefault(emoji, [])
    if add == (user_id in users):
        return
    (users.append if add else users.remove)(user_id)
    if not users:
        del message.reactions[emoji]
    channel = at.channels[message.channel_id]
    body: Json = {"user_id": str(user_id), "channel_id": str(channel.id), "message_id": str(message.id), "type": 0}
    body |= {"emoji": wire_messages.emoji_json(emoji), "burst": False}
    if channel.guild_id:
        body["guild_id"] = str(channel.guild_id)
    if add:
        body["message_author_id"] = str(message.author_id)
        member = at.guilds[channel.guild_id].members.get(user_id) if channel.guild_id else None
        body |= {"member": wire_people.member_json(at, member)} if member else {}
    name = "MESSAGE_REACTION_ADD" if add else "MESSAGE_REACTION_REMOVE"
    wanted = intent(channel, world.GUILD_REACTIONS, world.DIRECT_REACTIONS)
    at.emit(Event(name, lambda _: body, wanted, channel, channel.guild_id, message))


def type_in(at: World, channel: Channel, user_id: int) -> None:
    """Show that someone is writing; it lasts ten seconds."""
    body: Json = {"channel_id": str(channel.id), "user_id": str(user_id), "timestamp": int(at.clock.time())}
    if channel.guild_id:
        body["guild_id"] = str(channel.guild_id)
        member = at.guilds[channel.guild_id].members.get(user_id)
        body |= {"member": wire_people.member_json(at, member)} if member else {}
    wanted = intent(channel, world.GUILD_TYPING, world.DIRECT_TYPING)
    at.emit(Event("TYPING_START", lambda _: body, wanted, channel, channel.guild_id, (channel, user_id)))


def snapshot_of(message: Message) -> Message:
    """What a forward keeps of a message: its present content, without the author."""
    source = message.snapshot or message
    kept = copy.copy(source)
    kept.attachments, kept.embeds = list(source.attachments), copy.deepcopy(source.embeds)
    return kept
