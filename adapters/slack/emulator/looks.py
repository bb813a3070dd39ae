"""What there is to see: messages, status lines, views, and what went to and fro."""

from __future__ import annotations

from .delivery import Delivery
from .desk import CallRecord
from .members import Members
from .payloads import message_json
from .socket_mode import Socket
from .workspace import Json, Message, Session, View
from .workspaces import Where, Who


class Looks(Members):
    """What a person or a test can look at; `SlackEmulator` is one."""

    def messages(self, channel: Where, thread_ts: str | None = None) -> list[Message]:
        """A channel's messages outside threads, or one thread with its root; oldest first."""
        room = self.channel(channel)
        if thread_ts is None:
            return [m for m in room.in_order() if m.thread_ts in (None, m.ts) or m.broadcast]
        return [m for m in room.in_order() if thread_ts in (m.ts, m.thread_ts)]

    def from_bot(self, channel: Where, thread_ts: str | None = None) -> list[Message]:
        """As `messages`, only those of the app."""
        room = self.channel(channel)
        bot = self.world.bot_user(room.team_id)
        return [m for m in self.messages(room, thread_ts) if bot and m.user == bot.id]

    def ephemerals(self, channel: Where, user: Who) -> list[Message]:
        """What only this person sees in a channel."""
        room = self.channel(channel)
        person = self._member(user, room)
        return [m for m in room.ephemerals if m.ephemeral_to == person.id]

    def replies(self, message: Message) -> list[Message]:
        """The thread under a message, without it."""
        return self.world.channels[message.channel].replies(message.thread_ts or message.ts)

    def as_json(self, message: Message) -> Json:
        """A message as Slack would answer it."""
        return message_json(self.world, message, metadata=True)

    def status(self, channel: Where, thread_ts: str) -> str:
        """The status line under a thread; "" when there is none."""
        status = self.world.status(self.channel(channel).id, thread_ts)
        return status.text if status else ""

    def session(self, channel: Where, thread_ts: str) -> Session | None:
        """The agent's session in a thread."""
        return self.world.sessions.get((self.channel(channel).id, thread_ts))

    def home(self, user: Who) -> View | None:
        """What the app has published to a person's Home tab."""
        person = self.user(user)
        return self.world.homes.get((person.team_id, person.id))

    def modals(self, user: Who) -> list[View]:
        """The open modals of a person, the topmost last."""
        person = self.user(user)
        opened = [view for view in self.world.views.values() if view.user == person.id and view.is_open]
        return [view for view in opened if view.payload["type"] == "modal"]

    @property
    def calls(self) -> list[CallRecord]:
        """Every call to the Web API, oldest first."""
        return self.desk.calls

    def calls_to(self, *methods: str) -> list[CallRecord]:
        """The calls to these methods."""
        return [call for call in self.desk.calls if call.method in methods]

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery to the app with its attempts, oldest first."""
        return self.desk.post.log

    @property
    def fetched(self) -> list[str]:
        """The addresses that Slack fetched a preview from, for what the app posted."""
        return [*self.desk.fetched, *self.desk.interactivity.fetched]

    @property
    def sockets(self) -> list[Socket]:
        """The open sockets; `freeze()` makes one silently dead, `disconnect()` recycles it."""
        return self.desk.sockets.sockets
