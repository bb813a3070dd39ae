"""Owns what people do in the emulated Discord: write, edit, react, run commands, click, fill in forms."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from . import (
    commands,
    components,
    drafts,
    interactions,
    limits,
    messages,
    model,
    permissions,
    threads,
    wire_messages,
    wire_people,
    wire_places,
)
from .errors import ApiError, Refused
from .interactions import Interaction, Interactions
from .messages import Draft
from .model import Channel, Json, Message, User
from .rest import Upload
from .world import World

FileLike = tuple[str, bytes] | tuple[str, bytes, str]
"""A file that a person drops: name, bytes, and the MIME type where the name's ending does not tell."""


def upload(index: int, file: FileLike) -> Upload:
    """A dropped file as an upload."""
    return Upload(index, file[0], file[2] if len(file) > 2 else None, file[1])


class People:
    """Acts as any user, by the rules that Discord's own clients keep; raises Refused where those would not let one."""

    world: World
    interactions: Interactions
    registered: commands.Commands

    # -- messages ------------------------------------------------------------------------------------------------

    def post(
        self,
        user: User,
        channel: Channel,
        content: str = "",
        *,
        files: Sequence[FileLike] = (),
        reply_to: Message | None = None,
        ping: bool = True,
        forward_of: Message | None = None,
        embeds: Sequence[Json] = (),
        stickers: Sequence[model.Sticker] = (),
    ) -> Message:
        """Write a message. ping: whether a reply mentions whom it answers."""
        self._may_write(user, channel)
        if len(content) > limits.CONTENT * 2:
            raise Refused("a message has at most 4,000 characters")
        draft = Draft(content, embeds=list(embeds), stickers=list(stickers))
        draft.attachments = [self._attach(channel, index, file) for index, file in enumerate(files)]
        if reply_to:
            draft.reference = model.Reference(reply_to.id, reply_to.channel_id, channel.guild_id)
            draft.allowed_mentions = {"parse": ["users", "roles", "everyone"], "replied_user": ping}
        if forward_of:
            source = self.world.channels[forward_of.channel_id]
            draft.reference = model.Reference(forward_of.id, source.id, source.guild_id, kind=1)
            draft.snapshot, draft.flags = messages.snapshot_of(forward_of), model.HAS_SNAPSHOT
        draft.nonce = str(self.world.new_id())
        return messages.write(self.world, channel, user.id, draft)

    def voice_note(self, user: User, channel: Channel, ogg: bytes, duration: float, waveform: bytes = b"") -> Message:
        """Send a voice message. duration: seconds; waveform: up to 256 bytes, one a point."""
        self._may_write(user, channel)
        said: Json = {"duration_secs": duration, "waveform": base64.b64encode(waveform or b"\0").decode()}
        made = drafts.new_attachment(self.world, channel, Upload(0, "voice-message.ogg", "audio/ogg", ogg), said)
        return messages.write(self.world, channel, user.id, Draft(attachments=[made], flags=model.IS_VOICE))

    def _attach(self, channel: Channel, index: int, file: FileLike) -> model.Attachment:
        guild = self.world.guilds.get(channel.guild_id or 0)
        if len(file[1]) > (guild.upload_limit_bytes if guild else 10 * 1024 * 1024):
            raise Refused("the file is too large for this server")
        return drafts.new_attachment(self.world, channel, upload(index, file), {})

    def _may_write(self, user: User, channel: Channel) -> None:
        if not channel.takes_messages:
            raise Refused("a forum takes posts, not messages")
        try:
            permissions.require_send(self.world, channel, user.id)
        except ApiError as error:
            raise Refused(f"{user.shown} may not write in {channel.name or 'this conversation'}") from error

    def edit(self, message: Message, content: str) -> Message:
        """Change a message's text, as its author."""
        if message.is_voice:
            raise Refused("voice messages cannot be edited")
        return messages.edit(self.world, message, Draft(content), {"content"})

    def delete(self, *targets: Message) -> None:
        """Take messages away, as their author or a moderator; several at once are a bulk deletion."""
        messages.delete(self.world, list(targets), self.world.channels[targets[0].channel_id])

    def react(self, user: User, message: Message, emoji: str) -> None:
        """Set a reaction."""
        messages.react(self.world, message, user.id, emoji, add=True)

    def unreact(self, user: User, message: Message, emoji: str) -> None:
        """Take a reaction back."""
        messages.react(self.world, message, user.id, emoji, add=False)

    def type(self, user: User, channel: Channel) -> None:
        """Be seen typing."""
        messages.type_in(self.world, channel, user.id)

    def dismiss(self, message: Message) -> None:
        """Put an ephemeral answer away; the app is not told."""
        message.is_deleted = True

    # -- threads -------------------------------------------------------------------------------------------------

    def create_thread(
        self, user: User, channel: Channel, name: str, *, message: Message | None = None, private: bool = False
    ) -> Channel:
        """Begin a thread: under a message, or on its own."""
        if message:
            return threads.from_message(self.world, message, user.id, {"name": name})
        kind = model.PRIVATE_THREAD if private else model.PUBLIC_THREAD
        made = threads.new(self.world, channel, user.id, {"name": name}, kind)
        if not private:
            threads.announce(self.world, channel, made, user.id)
        return made

    def create_forum_post(
        self,
        user: User,
        forum: Channel,
        name: str,
        content: str,
        *,
        tags: Sequence[model.Tag] = (),
        files: Sequence[FileLike] = (),
    ) -> tuple[Channel, Message]:
        """Begin a forum's post: the thread, and its first message, which has the thread's id."""
        body: Json = {"name": name, "applied_tags": [tag.id for tag in tags]}
        made = threads.new_post(self.world, forum, user.id, body)
        draft = Draft(content, forced_id=made.id)
        draft.attachments = [self._attach(made, index, file) for index, file in enumerate(files)]
        return made, messages.write(self.world, made, user.id, draft)

    def archive(self, thread: Channel, *, locked: bool = False) -> None:
        """Close a thread."""
        threads.change(self.world, thread, {"archived": True, "locked": locked})

    def invite(self, user: User, thread: Channel) -> None:
        """Take someone into a thread, or the bot."""
        messages.join_thread(self.world, thread, user.id)

    # -- commands ------------------------------------------------------------------------------------------------

    def slash(
        self,
        user: User,
        channel: Channel,
        name: str,
        options: Mapping[str, Any] | None = None,
        attachments: Mapping[str, FileLike] | None = None,
    ) -> Interaction:
        """Run a slash command; name: with its subcommands, as in "settings model". Values are plain: ids or records."""
        data = self._chat_input(user, channel, name, {**(options or {}), **(attachments or {})})
        return self.interactions.open(interactions.COMMAND, user, channel, data)

    def autocomplete(
        self,
        user: User,
        channel: Channel,
        name: str,
        focused: str,
        value: str,
        options: Mapping[str, Any] | None = None,
    ) -> Interaction:
        """Type into an option that completes itself; the choices come as `interaction.choices`."""
        data = self._chat_input(user, channel, name, {**(options or {}), focused: value}, focused=focused)
        return self.interactions.open(interactions.AUTOCOMPLETE, user, channel, data)

    def context_menu(
        self, user: User, name: str, target: Message | User, channel: Channel | None = None
    ) -> Interaction:
        """Run a command of a message's or a person's menu; for a person, say in which channel."""
        kind = commands.MESSAGE if isinstance(target, Message) else commands.USER
        place = self.world.channels[target.channel_id] if isinstance(target, Message) else channel
        if place is None:
            raise Refused("say in which channel")
        command = self._command(user, place, name, kind)
        data = self._named(command) | {"target_id": str(target.id), "resolved": {}}
        if isinstance(target, Message):
            told = wire_messages.message_json(self.world, target, sees_content=True)
            data["resolved"] = {"messages": {str(target.id): told}}
        else:
            self._resolve(data["resolved"], commands.USER_OPTION, target, place)
        return self.interactions.open(interactions.COMMAND, user, place, data)

    def _named(self, command: Json) -> Json:
        data = {"id": command["id"], "name": command["name"], "type": command["type"]}
        return data | ({"guild_id": command["guild_id"]} if "guild_id" in command else {})

    def _command(self, user: User, channel: Channel, name: str, kind: int) -> Json:
        """The command that this person sees here under that name."""
        command = self.registered.named(channel.guild_id, name, kind)
        if command is None:
            raise Refused(f"there is no command {name}")
        if not self.sees_command(user, channel, command):
            raise Refused(f"{name} is not offered to {user.shown} here")
        return command

    def sees_command(self, user: User, channel: Channel, command: Json) -> bool:
        """Whether a command shows: by its contexts, who installed the app, and the person's permissions."""
        bot = self.world.app.bot_id
        with_bot = bot in channel.recipients
        if channel.guild_id is not None:
            with_bot = bot in self.world.guilds[channel.guild_id].members
        kinds = command["integration_types"]
        installed = (0 in kinds and with_bot) or (1 in kinds and user.id in self.world.app.user_installs)
        context = 0 if channel.guild_id is not None else (1 if with_bot else 2)
        allowed = command["contexts"]
        if allowed is None:
            allowed = [0, 1] if command.get("dm_permission", True) else [0]
        return installed and context in allowed and self._permitted(user, channel, command)

    def _permitted(self, user: User, channel: Channel, command: Json) -> bool:
        if channel.guild_id is None:
            return True
        have = permissions.in_channel(self.world, channel, user.id)
        needed = int(command["default_member_permissions"] or 0)
        return bool(have & permissions.USE_APPLICATION_COMMANDS) and have & needed == needed

    def _chat_input(
        self, user: User, channel: Channel, name: str, values: dict[str, Any], focused: str | None = None
    ) -> Json:
        first, *rest = name.split()
        command = self._command(user, channel, first, commands.CHAT_INPUT)
        data = self._named(command)
        level = data
        resolved: Json = {}
        known: list[Json] = command.get("options") or []
        for word in rest:
            sub = next((one for one in known if one["name"] == word and one["type"] in (1, 2)), None)
            if sub is None:
                raise Refused(f"there is no subcommand {name}")
            level["options"] = [{"type": sub["type"], "name": word}]
            level, known = level["options"][0], sub.get("options") or []
        level["options"] = self._options(known, values, channel, resolved, focused)
        return data | ({"resolved": resolved} if resolved else {})

    def _options(
        self, known: list[Json], values: dict[str, Any], channel: Channel, resolved: Json, focused: str | None
    ) -> list[Json]:
        unknown = set(values) - {option["name"] for option in known}
        if unknown:
            raise Refused(f"there is no option {', '.join(sorted(unknown))}")
        missing = [one["name"] for one in known if one.get("required") and one["name"] not in values]
        if missing and focused is None:
            raise Refused(f"the option {missing[0]} is required")
        filled = []
        for option in known:
            if option["name"] in values:
                value = self._value(option, values[option["name"]], channel, resolved, checked=focused is None)
                filled.append({"name": option["name"], "type": option["type"], "value": value})
                if option["name"] == focused:
                    filled[-1]["focused"] = True
        return filled

    def _value(self, option: Json, value: Any, channel: Channel, resolved: Json, *, checked: bool) -> Any:
        """An option's value on the wire; raises Refused for what the client would not let one enter."""
        kind = option["type"]
        if kind == commands.ATTACHMENT:
            made = self._attach(channel, 0, value)
            made.ephemeral = True
            resolved.setdefault("attachments", {})[str(made.id)] = wire_messages.attachment_json(self.world, made)
            return str(made.id)
        if kind in (commands.USER_OPTION, commands.CHANNEL, commands.ROLE, commands.MENTIONABLE):
            return self._resolve(resolved, kind, value, channel)
        if checked and option.get("choices") and value not in [choice["value"] for choice in option["choices"]]:
            raise Refused(f"{value} is not among the choices of {option['name']}")
        if (
            checked
            and kind == commands.STRING
            and not option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000)
        ):
            raise Refused(f"the text of {option['name']} has a wrong length")
        if checked and kind in (commands.INTEGER, commands.NUMBER):
            _check_range(option, value)
        return value

    def _resolve(self, resolved: Json, kind: int, value: Any, channel: Channel) -> str:
        """Put a user, member, role or channel beside the options, and give its id."""
        number = int(getattr(value, "id", value))
        guild = self.world.guilds.get(channel.guild_id or 0)
        if number in self.world.users and kind in (commands.USER_OPTION, commands.MENTIONABLE):
            resolved.setdefault("users", {})[str(number)] = wire_people.user_json(self.world.users[number])
            if guild and number in guild.members:
                member = wire_people.member_json(self.world, guild.members[number], with_user=False)
                member["permissions"] = wire_people.permissions_text(self.world, channel, number)
                resolved.setdefault("members", {})[str(number)] = member
        elif guild and number in guild.roles:
            resolved.setdefault("roles", {})[str(number)] = wire_people.role_json(guild.roles[number])
        elif number in self.world.channels:
            told = wire_places.channel_json(self.world, self.world.channels[number])
            resolved.setdefault("channels", {})[str(number)] = told
        else:
            raise Refused(f"there is nothing with the id {number}")
        return str(number)

    # -- components ----------------------------------------------------------------------------------------------

    def click(self, user: User, message: Message, custom_id: str) -> Interaction:
        """Press a message's button."""
        button = self._component(message, custom_id)
        data: Json = {"component_type": button["type"], "custom_id": custom_id, "id": button["id"]}
        return self._component_use(user, message, data)

    def select(self, user: User, message: Message, custom_id: str, values: Sequence[str]) -> Interaction:
        """Choose from a message's menu."""
        menu = self._component(message, custom_id)
        if not menu.get("min_values", 1) <= len(values) <= menu.get("max_values", 1):
            raise Refused("too few or too many chosen")
        data: Json = {"component_type": menu["type"], "custom_id": custom_id, "id": menu["id"], "values": list(values)}
        if menu["type"] != components.STRING_SELECT:
            kind = {5: 6, 6: 8, 7: 9, 8: 7}[menu["type"]]
            channel = self.world.channels[message.channel_id]
            for value in values:
                self._resolve(data.setdefault("resolved", {}), kind, value, channel)
        return self._component_use(user, message, data)

    def _component(self, message: Message, custom_id: str) -> Json:
        found = next((c for c in components.walk(message.components) if c.get("custom_id") == custom_id), None)
        if found is None or found.get("disabled") or message.is_deleted:
            raise Refused(f"there is nothing to press: {custom_id}")
        return found

    def _component_use(self, user: User, message: Message, data: Json) -> Interaction:
        if message.ephemeral_to not in (None, user.id):
            raise Refused("this answer is shown to somebody else")
        channel = self.world.channels[message.channel_id]
        return self.interactions.open(interactions.COMPONENT, user, channel, data, message=message)

    def submit_modal(self, interaction: Interaction, values: Mapping[str, Any]) -> Interaction:
        """Send the form that answered an interaction. values: by custom_id; files for uploads, lists for menus."""
        modal = interaction.modal
        if modal is None:
            raise Refused("no form is open")
        resolved: Json = {}
        filled = [self._filled(one, dict(values), resolved, interaction.channel) for one in modal["components"]]
        data: Json = {"custom_id": modal["custom_id"], "components": filled}
        data |= {"resolved": resolved} if resolved else {}
        return self.interactions.open(
            interactions.MODAL_SUBMIT,
            interaction.user,
            interaction.channel,
            data,
            message=interaction.message,
            parent=interaction,
        )

    def _filled(self, component: Json, values: dict[str, Any], resolved: Json, channel: Channel) -> Json:
        """One component of a form with what was entered."""
        body: Json = {"type": component["type"], "id": component["id"]}
        if component["type"] == components.ROW:
            return body | {"components": [self._filled(c, values, resolved, channel) for c in component["components"]]}
        if component["type"] == components.LABEL:
            return body | {"component": self._filled(component["component"], values, resolved, channel)}
        if component["type"] == components.TEXT_DISPLAY:
            return body
        entered = values.get(component["custom_id"], _unset(component))
        body["custom_id"] = component["custom_id"]
        if component["type"] == components.TEXT_INPUT:
            _check_entered(component, str(entered))
        if component["type"] in (components.TEXT_INPUT, components.CHECKBOX, components.RADIOS):
            return body | {"value": entered}
        if component["type"] == components.UPLOAD:
            entered = [self._value({"type": commands.ATTACHMENT}, f, channel, resolved, checked=True) for f in entered]
        return body | {"values": list(entered)}


def _check_range(option: Json, value: float) -> None:
    if not option.get("min_value", value) <= value <= option.get("max_value", value):
        raise Refused(f"{value} is out of the range of {option['name']}")


def _unset(component: Json) -> Any:
    """What a form holds before anybody touches it."""
    if component["type"] == components.TEXT_INPUT:
        return component.get("value") or ""
    chosen = [option["value"] for option in component.get("options") or [] if option.get("default")]
    if component["type"] == components.RADIOS:
        return chosen[0] if chosen else None
    return bool(component.get("default")) if component["type"] == components.CHECKBOX else chosen


def _check_entered(component: Json, entered: str) -> None:
    required = component.get("required", True)
    if required and not entered:
        raise Refused(f"{component['custom_id']} is required")
    if entered and not component.get("min_length", 0) <= len(entered) <= component.get("max_length", 4000):
        raise Refused(f"the text of {component['custom_id']} has a wrong length")
