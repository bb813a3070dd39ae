"""Owns which events the app gets and the envelope around each."""

from .delivery import Delivery, Post
from .payloads import channel_type
from .workspace import Channel, Json
from .world import World

SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "file_shared": "files:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    **dict.fromkeys(
        ("channel_archive", "channel_deleted", "channel_left", "channel_rename", "channel_unarchive"), "channels:read"
    ),
    **dict.fromkeys(("group_archive", "group_deleted", "group_left", "group_rename", "group_unarchive"), "groups:read"),
    "user_change": "users:read",
    "team_join": "users:read",
}
"""The scope without which Slack sends no such event. Source: Slack, Events reference."""
MESSAGE_EVENTS = {"public": "message.channels", "private": "message.groups", "im": "message.im", "mpim": "message.mpim"}


class Events:
    """Turns what happens in a workspace into deliveries, for the app that is installed and has subscribed."""

    def __init__(self, world: World, post: Post) -> None:
        self._world, self._post = world, post

    def message(self, channel: Channel, event: Json) -> list[Delivery]:
        """A message event, and the `app_mention` beside it when its text mentions the bot outside direct messages."""
        event = event | {"channel": channel.id, "channel_type": channel_type(channel)}
        event.setdefault("event_ts", event.get("ts"))
        sent = self._to_members(channel, MESSAGE_EVENTS[channel.kind], event)
        return sent + self._mentions(channel, event)

    def _mentions(self, channel: Channel, event: Json) -> list[Delivery]:
        bots = [bot.id for team in self._teams(channel) if (bot := self._world.bot_user(team))]
        mentioned = any(f"<@{bot}" in event.get("text", "") for bot in bots)
        quiet = channel.kind == "im" or event.get("subtype") not in (
            None,
            "file_share",
            "bot_message",
            "thread_broadcast",
        )
        if quiet or not mentioned or event.get("user") in bots:
            return []
        mention = {key: value for key, value in event.items() if key not in ("channel_type", "subtype")}
        return self._to_members(channel, "app_mention", mention | {"type": "app_mention"})

    def in_channel(self, channel: Channel, event: Json) -> list[Delivery]:
        """Any other event of a channel, when the app's bot is a member."""
        event.setdefault("event_ts", self._world.ids.ts())
        return self._to_members(channel, event["type"], event)

    def in_team(self, team_id: str, event: Json) -> list[Delivery]:
        """An event that belongs to no channel's members, such as `app_home_opened`."""
        event.setdefault("event_ts", self._world.ids.ts())
        return self._send(team_id, event["type"], event, None)

    def _teams(self, channel: Channel) -> list[str]:
        return [channel.team_id, *(team for team in channel.connected_team_ids if team in self._world.teams)]

    def _to_members(self, channel: Channel, name: str, event: Json) -> list[Delivery]:
        sent: list[Delivery] = []
        for team_id in self._teams(channel):
            bot = self._world.bot_user(team_id)
            if bot and bot.id in channel.members and not sent:
                sent += self._send(team_id, name, event, channel)
        return sent

    def _send(self, team_id: str, name: str, event: Json, channel: Channel | None) -> list[Delivery]:
        installation = self._world.installation_for(team_id)
        if installation is None or name not in self._world.app.bot_events:
            return []
        if _scope_for(name, channel) not in ("", *installation.scopes):
            return []
        return [self._post.send("events_api", self._envelope(team_id, event, channel))]

    def _envelope(self, team_id: str, event: Json, channel: Channel | None) -> Json:
        world = self._world
        installation, enterprise = world.installation_for(team_id), world.teams[team_id].enterprise_id
        bot = world.bot_user(team_id)
        wide = installation is not None and installation.team_id is None
        authorization: Json = {"enterprise_id": enterprise, "team_id": None if wide else team_id}
        authorization |= {"user_id": bot.id if bot else None, "is_bot": True, "is_enterprise_install": wide}
        envelope: Json = {
            "token": world.app.verification_token,
            "team_id": team_id,
            "context_team_id": team_id,
            "context_enterprise_id": enterprise,
            "api_app_id": world.app.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": world.ids.new("Ev"),
            "event_time": int(world.clock.now()),
            "authorizations": [authorization],
            "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
            "event_context": f"4-{world.ids.secret('context', 20)}",
        }
        return envelope | ({"enterprise_id": enterprise} if enterprise else {})

    def left(self, channel: Channel) -> list[Delivery]:
        """The bot was taken out of a channel: it is told though it is no member any more."""
        event = {"type": "channel_left" if channel.kind == "public" else "group_left", "channel": channel.id}
        return self._send(channel.team_id, str(event["type"]), event | {"event_ts": self._world.ids.ts()}, channel)

    def about_channel(self, channel: Channel, what: str, event: Json) -> list[Delivery]:
        """A `channel_…` event to every app of the workspace, or a `group_…` event to the apps that are members."""
        if channel.kind == "public":
            return self.in_team(channel.team_id, {"type": f"channel_{what}", **event})
        return self.in_channel(channel, {"type": f"group_{what}", **event})

    def revoked(self, team_id: str, *, bots: list[str], users: list[str], uninstalled: bool) -> None:
        """Tell the app that tokens are gone, and that it is; sent though it is no longer installed."""
        events: list[Json] = [{"type": "tokens_revoked", "tokens": {"oauth": users, "bot": bots}}]
        events += [{"type": "app_uninstalled"}] if uninstalled else []
        for event in events:
            if event["type"] in self._world.app.bot_events:
                event["event_ts"] = self._world.ids.ts()
                self._post.send("events_api", self._envelope(team_id, event, None))


def _scope_for(name: str, channel: Channel | None) -> str:
    """The scope that an event needs, or empty: about a private channel it is the private channels' one."""
    if name.startswith("member_") and channel is not None and channel.kind == "private":
        return "groups:read"
    return SCOPES.get(name, "")
