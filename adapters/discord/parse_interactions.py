"""Commands, message menus, buttons and forms of Discord, as values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.discord.custom_ids import holds, parse_button_id
from adapters.discord.entities import Payload, name_of, people_in
from adapters.discord.parse_parts import (
    DIRECT,
    DM,
    THREADS,
    Lookup,
    MessageLocation,
    attachment,
    attachments,
    author_of,
    message_text,
    moment,
    quoted_in,
)
from adapters.discord.ref import DEFAULT_LIMIT, DiscordFileRef, DiscordRef
from adapters.discord.servers import CONNECT, MANAGE_MESSAGES, MANAGES, READ_HISTORY, VOICE_KINDS
from bot.types import Author, ButtonPress, Command, CommandSpec, InboundMessage, Intent, Quoted

VIEW_AND_SEND = (1 << 10) | (1 << 11)
SEND_IN_THREADS = (1 << 10) | (1 << 38)
"""Source: Discord, Topics, Permissions, Bitwise Permission Flags."""
WITH_US = 1
"""The context of direct messages with the bot itself. Source: Discord, Receiving and Responding, Interaction Context Types."""


def place_of(interaction: Payload) -> MessageLocation:
    """Where an interaction happened. A server in which only the person installed us belongs to no installation."""
    channel = interaction.get("channel") or {}
    owners = interaction.get("authorizing_integration_owners") or {}
    guild = str(interaction.get("guild_id") or "")
    is_installed = bool(guild) and ("0" in owners or not owners)
    at = str(interaction.get("channel_id") or channel.get("id") or "")
    is_thread = channel.get("type") in THREADS
    return MessageLocation(
        channel_id=at,
        workspace=guild if is_installed else DIRECT,
        channel=str(channel.get("parent_id") or at) if is_thread else at,
        thread=at if is_thread else "",
        is_direct=is_with_us(interaction),
        limit_bytes=int(interaction.get("attachment_size_limit") or DEFAULT_LIMIT),
    )


def is_with_us(interaction: Payload) -> bool:
    """Whether it happened in the direct messages of one person and the bot.

    Parley can be taken along into the direct messages and groups of others, who then read what it answers there.
    """
    channel = interaction.get("channel") or {}
    return channel.get("type") == DM and interaction.get("context") == WITH_US and not interaction.get("guild_id")


def is_member(interaction: Payload) -> bool:
    """Whether the bot itself may write there, without the interaction's token."""
    channel, owners = interaction.get("channel") or {}, interaction.get("authorizing_integration_owners") or {}
    if owners and "0" not in owners:
        return False
    if not interaction.get("guild_id"):
        return is_with_us(interaction)
    wanted = SEND_IN_THREADS if channel.get("type") in THREADS else VIEW_AND_SEND
    return int(interaction.get("app_permissions") or 0) & wanted == wanted


def asker(interaction: Payload) -> Author:
    """Who triggered it, and whether they may manage the channel and read its history, as Discord says itself."""
    member = interaction.get("member") or {}
    found = author_of(
        {
            "author": member.get("user") or interaction.get("user") or {},
            "member": member,
            "guild_id": interaction.get("guild_id"),
        }
    )
    manages = bool(permissions_of(interaction) & MANAGES)
    return replace(found, is_manager=manages, sees_history=may_read_history(interaction))


def permissions_of(interaction: Payload) -> int:
    """The person's permissions where it happened, as Discord reckoned them; none in direct messages."""
    return int((interaction.get("member") or {}).get("permissions") or 0)


def may_read_history(interaction: Payload) -> bool:
    """Whether the person may read what was said there before; in direct messages everybody may."""
    is_voice = (interaction.get("channel") or {}).get("type") in VOICE_KINDS
    needed = READ_HISTORY | (CONNECT if is_voice else 0)
    return not interaction.get("guild_id") or permissions_of(interaction) & needed == needed


def may_fetch(interaction: Payload) -> bool:
    """Whether we may read a message there for this person: both they and the bot may read the history."""
    is_voice = (interaction.get("channel") or {}).get("type") in VOICE_KINDS
    needed = READ_HISTORY | (CONNECT if is_voice else 0)
    ours = int(interaction.get("app_permissions") or 0)
    return (
        is_member(interaction)
        and may_read_history(interaction)
        and (not interaction.get("guild_id") or ours & needed == needed)
    )


def ref_of(interaction: Payload, *, edits_original: bool) -> DiscordRef:
    """What answering needs. edits_original: the answer goes where the interaction shows that work is going on."""
    place = place_of(interaction)
    return DiscordRef(
        channel_id=place.channel_id,
        user_id=asker(interaction).id,
        limit_bytes=place.limit_bytes,
        token=str(interaction.get("token") or ""),
        application_id=str(interaction.get("application_id") or ""),
        edits_original=edits_original,
        is_member=is_member(interaction),
        may_read_history=may_read_history(interaction),
    )


def parse_command(interaction: Payload, specs: Mapping[str, CommandSpec]) -> Command:
    """A slash command; its options in the order of the spec are its text."""
    data, place = interaction.get("data") or {}, place_of(interaction)
    interaction_id, name = str(interaction["id"]), str(data.get("name") or "")
    given = {str(one.get("name")): one.get("value") for one in data.get("options") or ()}
    resolved = (data.get("resolved") or {}).get("attachments") or {}
    spec = specs.get(name)
    files = [attachment(resolved[str(value)], DiscordFileRef()) for value in given.values() if str(value) in resolved]
    return Command(
        event_id=f"interaction:{interaction_id}",
        address=place.address(),
        author=asker(interaction),
        name=name,
        text=command_text(given, spec, frozenset(resolved)),
        attachments=tuple(files),
        sent_at=moment("", interaction_id),
        message_id=interaction_id,
        is_direct=place.is_direct,
        ref=ref_of(interaction, edits_original=True).to_ref(),
    )


def command_text(given: Mapping[str, Any], spec: CommandSpec | None, files: frozenset[str] = frozenset()) -> str:
    """The options as the words of one line, as one would type them behind the command's name."""
    order = [option.name for option in spec.options if not option.is_attachment] if spec else list(given)
    words = {name: str(given[name]).strip() for name in order if name in given and str(given[name]) not in files}
    scope = words.pop("scope", "")
    if words.get("action") in (None, "", "show") and words.get("name") and words.get("value"):
        words = {"action": "set", **{name: word for name, word in words.items() if name != "action"}}
    line = " ".join(word for word in words.values() if word)
    return f"{line} for {scope}" if scope and line else line


def target_of(interaction: Payload) -> Payload:
    """The message on whose menu a command was chosen."""
    data = interaction.get("data") or {}
    messages = (data.get("resolved") or {}).get("messages") or {}
    found: Payload = messages.get(str(data.get("target_id"))) or next(iter(messages.values()), {})
    return found


def parse_about(
    interaction: Payload, target: Payload, intent: Intent, lookup: Lookup, question: str = ""
) -> InboundMessage:
    """A message menu's command on its target. question: what the person wants to know about it."""
    place, interaction_id = place_of(interaction), str(interaction["id"])
    people = {**lookup.names.people, **people_in(target)}
    known = replace(lookup, names=replace(lookup.names, people=people))
    words, author = message_text(target, known), name_of(target.get("author") or {}, target.get("member"))
    about = (Quoted(words, "message", author),) if words else ()
    ref = replace(ref_of(interaction, edits_original=True), about_id=str(target.get("id") or ""))
    return InboundMessage(
        event_id=f"interaction:{interaction_id}",
        message_id=interaction_id,
        address=place.address(interaction_id),
        author=asker(interaction),
        text=question,
        quoted=(*about, *quoted_in(target, known)),
        attachments=attachments(target, place, lookup.cdn_url),
        sent_at=moment("", interaction_id),
        is_direct=place.is_direct,
        mentions_bot=True,
        intent=intent,
        ephemeral=intent != "answer",
        about_message_id=ref.about_id,
        about_author_id=str((target.get("author") or {}).get("id") or ""),
        ref=ref.to_ref(),
    )


def parse_press(interaction: Payload, value: str = "") -> ButtonPress | None:
    """A button under a reply of ours, or the form that it opened; None for any other.

    Which button it was is what a client says. It counts only if it stands under the message that Discord sends along, for its id
    names the question, and with it whose conversation is read.
    """
    custom_id = str((interaction.get("data") or {}).get("custom_id") or "")
    message = interaction.get("message") or {}
    button = parse_button_id(custom_id)
    if button is None or not holds(message, custom_id):
        return None
    interaction_id, place = str(interaction["id"]), place_of(interaction)
    moderates = bool(permissions_of(interaction) & MANAGE_MESSAGES)
    ref = ref_of(interaction, edits_original=False)
    if ref.is_member:
        ref = replace(ref, token="", reply_to_id=str(message.get("id") or ""))
    return ButtonPress(
        event_id=f"interaction:{interaction_id}",
        message_id=button.question_id or str(message.get("id") or ""),
        address=place.address(button.root_id),
        author=replace(asker(interaction), is_manager=moderates),
        action=button.action,
        value=value,
        sent_at=moment("", interaction_id),
        ref=ref.to_ref(),
    )


def form_values(interaction: Payload) -> dict[str, str]:
    """What was entered into a form, by custom_id."""
    return dict(_entered((interaction.get("data") or {}).get("components") or ()))


def _entered(components: Sequence[Payload]) -> Iterable[tuple[str, str]]:
    waiting = [*components][::-1]
    while waiting:
        one = waiting.pop()
        if one.get("custom_id"):
            chosen = one.get("values") or ()
            yield str(one["custom_id"]), str(one.get("value") or (chosen[0] if chosen else "")).strip()
        waiting += [one["component"]] if one.get("component") else [*(one.get("components") or ())][::-1]
