"""Owns how messages come to be, change and go, with the events that follow; the one place that writes them."""

from typing import Any

from .delivery import Delivery
from .events import Events
from .mrkdwn import rich_text
from .payloads import file_json, message_json
from .workspace import Channel, File, Json, Message
from .world import World


class Timeline:
    """Posting, editing, deleting and reacting, by people and by the app alike."""

    def __init__(self, world: World, events: Events) -> None:
        self._world, self._events = world, events

    def typed(self, user: str, channel: Channel, text: str, files: list[File], **more: Any) -> Message:
        """A message as Slack's composer makes it, with rich text and `file_share`; or one of another bot."""
        message = Message(self._world.ids.ts(), channel.id, user, text, **more)
        author = self._world.users[user]
        if author.is_bot:
            message.bot_id, message.app_id = author.bot_id, author.app_id
        else:
            message.client_msg_id = self._world.ids.secret("client-", 12)
        message.blocks = rich_text(text, self._world.ids.token(message.ts, 5))
        message.files = [file.id for file in files]
        if files:
            message.subtype = message.subtype or "file_share"
        return self.add(message)

    def add(self, message: Message) -> Message:
        """Keep a new message and send its events."""
        channel = self._world.channels[message.channel]
        channel.messages[message.ts] = message
        if message.app_id == self._world.app.app_id:
            self._world.drop_status(channel.id, message.thread_ts or message.ts)
        for name in message.files:
            self._share(self._world.files[name], message)
        self._world.changed("message", channel=channel.id, ts=message.ts)
        self._events.message(channel, message_json(self._world, message))
        if message.broadcast:
            self._broadcast(channel, message)
        return message

    def _broadcast(self, channel: Channel, message: Message) -> None:
        event = message_json(self._world, message) | {"subtype": "thread_broadcast"}
        self._events.message(channel, event | {"root": {"ts": message.thread_ts}})

    def _share(self, file: File, message: Message) -> None:
        file.shares.append((message.channel, message.ts, message.thread_ts))
        if message.channel not in file.channels:
            file.channels.append(message.channel)
        event = {"type": "file_shared", "file_id": file.id, "user_id": message.user, "channel_id": message.channel}
        self._events.in_channel(self._world.channels[message.channel], event | {"file": {"id": file.id}})

    def hide(self, message: Message) -> Message:
        """Keep a message that only one person sees; no event follows."""
        self._world.channels[message.channel].ephemerals.append(message)
        self._world.changed("message", channel=message.channel, ts=message.ts)
        return message

    def change(self, message: Message, editor: str | None, **values: Any) -> list[Delivery]:
        """Set fields of a message and send `message_changed`; `editor` None leaves no "edited" mark (an unfurl)."""
        before = message_json(self._world, message)
        for name, value in values.items():
            setattr(message, name, value)
        if editor and message.ephemeral_to is None:
            message.edited = {"user": editor, "ts": self._world.ids.ts()}
        message.revisions += 1
        self._world.changed("message", channel=message.channel, ts=message.ts)
        return [] if message.ephemeral_to else self._announce(message, before)

    def _announce(self, message: Message, before: Json) -> list[Delivery]:
        event: Json = {"type": "message", "subtype": "message_changed", "hidden": True, "ts": self._world.ids.ts()}
        event |= {"message": message_json(self._world, message), "previous_message": before}
        return self._events.message(self._world.channels[message.channel], event)

    def touch(self, message: Message) -> None:
        """Note that a streamed message has grown: people see it, no event is sent."""
        message.revisions += 1
        self._world.changed("message", channel=message.channel, ts=message.ts)

    def remove(self, message: Message) -> list[Delivery]:
        """Delete a message; a root with replies stays as a tombstone."""
        channel = self._world.channels[message.channel]
        if message.ephemeral_to:
            channel.ephemerals.remove(message)
            self._world.changed("message", channel=channel.id, ts=message.ts)
            return []
        before = message_json(self._world, message)
        if channel.replies(message.ts):
            self._entomb(message)
        else:
            del channel.messages[message.ts]
        self._world.changed("message", channel=channel.id, ts=message.ts)
        event: Json = {"type": "message", "subtype": "message_deleted", "hidden": True, "ts": self._world.ids.ts()}
        return self._events.message(channel, event | {"deleted_ts": message.ts, "previous_message": before})

    def _entomb(self, message: Message) -> None:
        message.subtype, message.text, message.user = "tombstone", "This message was deleted.", "USLACKBOT"
        message.blocks, message.files, message.attachments, message.markdown = [], [], [], None

    def react(self, message: Message, name: str, user: str, *, added: bool) -> list[Delivery]:
        """Add or take back a reaction."""
        people = message.reactions.setdefault(name, [])
        people.append(user) if added else people.remove(user)
        if not people:
            del message.reactions[name]
        self._world.changed("message", channel=message.channel, ts=message.ts)
        item = {"type": "message", "channel": message.channel, "ts": message.ts}
        event = {"type": "reaction_added" if added else "reaction_removed", "user": user, "reaction": name}
        channel = self._world.channels[message.channel]
        return self._events.in_channel(channel, event | {"item": item, "item_user": message.user})

    def file_payload(self, file: File) -> Json:
        """The file with all its fields, as `files.info` shows it."""
        return file_json(self._world, file, whole=True)
