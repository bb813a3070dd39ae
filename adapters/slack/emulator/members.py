"""Who is in a channel and what a channel is: people join and leave, channels are closed, and the app hears of it if it may."""

from __future__ import annotations

from typing import Any

from .payloads import user_json
from .workspace import Channel, Json, Message, User
from .workspaces import Where, Who, Workspaces


class Members(Workspaces):
    """How people's rights change; `SlackEmulator` is one."""

    def join(self, user: Who, channel: Where) -> None:
        """A person joins, or is invited; the app hears `member_joined_channel` and Slack's message of it."""
        room = self.channel(channel)
        person = self._member(user, room)
        room.members.append(person.id)
        self._tell_membership("member_joined_channel", "join", person, room)

    def leave(self, user: Who, channel: Where) -> None:
        """A person leaves, or is taken out; the app hears `member_left_channel` and Slack's message of it."""
        room = self.channel(channel)
        person = self._member(user, room)
        room.members.remove(person.id)
        self._tell_membership("member_left_channel", "leave", person, room)

    def _tell_membership(self, event: str, what: str, person: User, room: Channel) -> None:
        body: Json = {"type": event, "user": person.id, "channel": room.id, "team": person.team_id}
        self.desk.events.in_channel(room, body | {"channel_type": room.id[0]})
        self._say(room, person.id, what, f"<@{person.id}> has {'joined' if what == 'join' else 'left'} the channel")

    def _say(self, room: Channel, user: str, what: str, text: str) -> None:
        """A message of Slack's own about a channel."""
        prefix = "group" if room.kind == "private" and what in ("join", "leave", "name", "archive") else "channel"
        message = Message(self.world.ids.ts(), room.id, user, text, subtype=f"{prefix}_{what}")
        self.desk.timeline.add(message)

    def kick_bot(self, channel: Where) -> None:
        """Take the bot out of a channel; the app hears `channel_left` or `group_left`."""
        room = self.channel(channel)
        bot = self.world.bot_user(room.team_id)
        assert bot is not None, "the app is not installed"
        room.members.remove(bot.id)
        self.world.changed("channel", id=room.id)
        self.desk.events.left(room)

    def make_private(self, channel: Where) -> None:
        """Turn a public channel into a private one; its members stay, and Slack says so in it."""
        room = self.channel(channel)
        room.kind = "private"
        self._say(room, room.members[0], "convert_to_private", "made this channel private")

    def archive(self, channel: Where) -> None:
        """Close a channel: its history stays, and nobody writes there any more."""
        room = self.channel(channel)
        room.is_archived = True
        self.desk.events.about_channel(room, "archive", {"channel": room.id, "user": room.members[0]})

    def rename(self, channel: Where, name: str) -> None:
        """Give a channel another name."""
        room = self.channel(channel)
        room.name = name
        self.desk.events.about_channel(
            room, "rename", {"channel": {"id": room.id, "name": name, "created": room.created}}
        )

    def delete_channel(self, channel: Where) -> None:
        """Delete a channel with all that was said there."""
        room = self.channel(channel)
        self.desk.events.about_channel(room, "deleted", {"channel": room.id})
        del self.world.channels[room.id]
        self.world.changed("channel", id=room.id)

    def change_user(self, user: Who, **fields: Any) -> None:
        """Change what a person is, such as `is_restricted=True` or `deleted=True`; the app hears `user_change`."""
        person = self.user(user)
        for name, value in fields.items():
            setattr(person, name, value)
        self.world.changed("user", id=person.id)
        self.desk.events.in_team(person.team_id, {"type": "user_change", "user": user_json(self.world, person)})
