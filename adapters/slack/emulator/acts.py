"""What people do in a workspace: write, edit, upload, press, open; each returns when its events are on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .delivery import Delivery
from .interactivity import view_json
from .looks import Looks
from .mrkdwn import rich_text
from .workspace import Channel, File, Json, Message, User, View
from .workspaces import Where, Who

Attached = File | tuple[str, bytes] | tuple[str, bytes, str]


class Acts(Looks):
    """What a person can do; `SlackEmulator` is one."""

    def post(
        self,
        user: Who,
        channel: Where,
        text: str = "",
        *,
        thread_ts: str | None = None,
        files: Sequence[Attached] = (),
        **more: Any,
    ) -> Message:
        """Write a message as a person (or as another bot, with `bot_id=`); its events are on their way on return.

        text: as Slack sends it, so escaped and with `<@U...>`. files: File values, or (name, bytes[, mimetype]).
        more: fields of `Message`, such as `subtype`.
        """
        room = self.channel(channel)
        person = self._member(user, room)
        attached = [self._attached(person, each) for each in files]
        if person.team_id != room.team_id:
            foreign = {"user_team": person.team_id, "source_team": person.team_id}
            more["extra"] = {**foreign, **more.get("extra", {})}
        return self.desk.timeline.typed(person.id, room, text, attached, thread_ts=thread_ts, **more)

    def _attached(self, user: User, given: Attached) -> File:
        if isinstance(given, File):
            return given
        return self.desk.uploads.make(self.world.teams[user.team_id], user.id, *given)

    def file(self, user: Who, name: str, content: bytes, mimetype: str | None = None, **more: Any) -> File:
        """A file that is not shared yet; `more` sets fields of `File`, such as `access="check_file_info"`."""
        person = self.user(user)
        made = self.desk.uploads.make(self.world.teams[person.team_id], person.id, name, content, mimetype)
        for field, value in more.items():
            setattr(made, field, value)
        return made

    def upload_clip(
        self,
        user: Who,
        channel: Where,
        content: bytes,
        *,
        mimetype: str = "audio/mp4",
        name: str = "audio_message.m4a",
        subtype: str = "slack_audio",
        duration_ms: int = 3000,
        transcript: str | None = None,
        text: str = "",
        thread_ts: str | None = None,
    ) -> Message:
        """Record a voice or video clip: `file_share`, usually without text; any mimetype, "" too."""
        person = self._member(user, self.channel(channel))
        clip = self.file(person, name, content, mimetype, subtype=subtype, duration_ms=duration_ms)
        if transcript is not None:
            preview = {"content": transcript[:100], "has_more": len(transcript) > 100}
            clip.transcription = {"status": "complete", "locale": "en-US", "preview": preview}
        return self.post(person, channel, text, thread_ts=thread_ts, files=[clip])

    def edit(self, message: Message, text: str) -> list[Delivery]:
        """Edit a message as its author."""
        blocks = rich_text(text, self.world.ids.token(text, 5))
        return self.desk.timeline.change(message, message.user, text=text, blocks=blocks)

    def unfurl(self, message: Message, title: str = "A page") -> list[Delivery]:
        """Add a link preview: `message_changed` though the text is the same."""
        return self.desk.timeline.change(message, None, attachments=[{"id": 1, "title": title, "fallback": title}])

    def delete(self, message: Message) -> list[Delivery]:
        """Delete a message as its author."""
        return self.desk.timeline.remove(message)

    def react(self, user: Who, message: Message, name: str, *, remove: bool = False) -> list[Delivery]:
        """Add a reaction, or take it back."""
        person = self._member(user, self.world.channels[message.channel])
        return self.desk.timeline.react(message, name, person.id, added=not remove)

    async def slash(self, user: Who, channel: Where, command: str, text: str = "") -> Delivery:
        """Run a slash command and wait for its acknowledgement. Raises LookupError for one that is not registered."""
        room = self.channel(channel)
        return await self.desk.interactivity.slash(self._member(user, room), room, command, text)

    async def shortcut(self, user: Who, callback_id: str, message: Message | None = None) -> Delivery:
        """Use a message shortcut, or a global one without a message. Raises LookupError when the app has none such."""
        person = self._member(user, self.world.channels[message.channel]) if message else self.user(user)
        return await self.desk.interactivity.shortcut(person, callback_id, message)

    async def click(self, user: Who, message: Message, action_id: str, value: Any = None) -> Delivery:
        """Press a button or choose in a message. Raises LookupError when the element is not there."""
        person = self._member(user, self.world.channels[message.channel])
        return await self.desk.interactivity.act(person, message, action_id, value)

    async def click_view(self, user: Who, view: View, action_id: str, value: Any = None) -> Delivery:
        """Press a button or choose in a modal or Home tab."""
        return await self.desk.interactivity.act_in_view(self.user(user), view, action_id, value)

    async def suggest(self, user: Who, view: View, action_id: str, typed: str) -> list[Json]:
        """The options that an external select offers for the typed letters."""
        return await self.desk.interactivity.suggest(self.user(user), view, action_id, typed)

    async def submit_modal(self, user: Who, view: View, values: Json | None = None) -> Delivery:
        """Send a modal, its values by action or block id. Errors that the app answers are in `view.errors`."""
        return await self.desk.interactivity.submit(self.user(user), view, values or {})

    async def close_modal(self, user: Who, view: View) -> Delivery | None:
        """Close a modal; a delivery when the app asked to hear of it."""
        return await self.desk.interactivity.dismiss(self.user(user), view)

    def open_dm(self, user: Who) -> Channel:
        """Open the app's messages tab: the direct channel with the bot, and `app_home_opened`."""
        person = self.user(user)
        channel = self.dm(person)
        self._home_event(person, channel, "messages")
        return channel

    def dm(self, user: Who) -> Channel:
        """The direct channel of a person and the bot, without an event."""
        person = self.user(user)
        team = self.world.teams[person.team_id]
        return self.world.direct_channel(team, [person.id, team.bot_user_id])

    def open_home(self, user: Who) -> list[Delivery]:
        """Open the app's Home tab."""
        person = self.user(user)
        return self._home_event(person, self.dm(person), "home")

    def _home_event(self, person: User, channel: Channel, tab: str) -> list[Delivery]:
        event: Json = {"type": "app_home_opened", "user": person.id, "channel": channel.id, "tab": tab}
        view = self.world.homes.get((person.team_id, person.id))
        if view and tab == "home":
            event["view"] = view_json(self.world, view)
        return self.desk.events.in_team(person.team_id, event)

    def change_context(self, user: Who, channel: Where) -> list[Delivery]:
        """Look at a channel while the agent's panel is open."""
        room = self.channel(channel)
        person = self._member(user, room)
        entity = {"type": "slack#/types/channel_id", "value": room.id, "team_id": room.team_id}
        event: Json = {"type": "app_context_changed", "user": person.id, "context": {"entities": [entity]}}
        return self.desk.events.in_team(person.team_id, event | {"channel": self.dm(person).id})

    def start_assistant_thread(self, user: Who, channel: Where | None = None) -> Message:
        """Open the older assistant view: a thread in the direct channel, and `assistant_thread_started`."""
        person = self.user(user)
        room = self.dm(person)
        bot = self.world.teams[person.team_id].bot_user_id
        root = self.desk.timeline.add(Message(self.world.ids.ts(), room.id, bot, "New Assistant Thread"))
        root.thread_ts = root.ts
        context = {"channel_id": self.channel(channel).id, "team_id": person.team_id} if channel else {}
        thread = {"user_id": person.id, "context": context, "channel_id": room.id, "thread_ts": root.ts}
        self.desk.events.in_team(person.team_id, {"type": "assistant_thread_started", "assistant_thread": thread})
        return root

    def stop_session(self, user: Who, channel: Where, thread_ts: str) -> list[Delivery]:
        """Press Stop: Slack ends the thread's live streams and tells the app. Raises LookupError when nothing runs."""
        room = self.channel(channel)
        person = self._member(user, room)
        live = [m for m in room.in_order() if m.is_streaming and thread_ts in (m.ts, m.thread_ts)]
        session = self.session(room, thread_ts)
        if session is None or session.status != "processing":
            raise LookupError("no Stop button: the session is not processing")
        for message in live:
            assert message.stream is not None
            message.stream.live, message.extra = False, {}
            self.desk.timeline.touch(message)
        event: Json = {"type": "agent_session_stopped", "channel": room.id, "thread_ts": thread_ts, "user": person.id}
        event["streaming_message_ts"] = [message.ts for message in live]
        return self.desk.events.in_channel(room, event)
