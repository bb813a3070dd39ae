"""Owns the whole state of the emulated Slack: its workspaces and how things in them are found, added and named."""

from collections.abc import Callable, Iterable

from .clock import Clock
from .config import AppConfig
from .ids import Ids
from .workspace import (
    Channel,
    ChannelKind,
    File,
    Installation,
    Json,
    Message,
    Session,
    Status,
    Team,
    Token,
    User,
    UserGroup,
    View,
)

STATUS_LIFE_S = 120
"""A status line disappears by itself after two minutes. Source: Slack, assistant.threads.setStatus."""


class World:
    """Every workspace with all that is in it; tells its watchers of each change."""

    def __init__(self, app: AppConfig, clock: Clock) -> None:
        self.app, self.clock, self.ids = app, clock, Ids(clock)
        self.base_url = ""
        self.enterprise_id: str | None = None
        self.enterprise_name = ""
        self.teams: dict[str, Team] = {}
        self.users: dict[str, User] = {}
        self.groups: dict[str, UserGroup] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.tokens: dict[str, Token] = {}
        self.installations: list[Installation] = []
        self.views: dict[str, View] = {}
        self.homes: dict[tuple[str, str], View] = {}
        self.statuses: dict[tuple[str, str], Status] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.prompts: dict[str, Json] = {}
        self.titles: dict[tuple[str, str], str] = {}
        self.watchers: list[Callable[[str, Json], None]] = []

    def changed(self, what: str, **about: object) -> None:
        """Tell all watchers that something in the workspace is not as it was."""
        for watcher in list(self.watchers):
            watcher(what, about)

    # -- growing

    def add_team(self, name: str, domain: str) -> Team:
        """A new workspace; part of the organisation when there is one."""
        team = Team(self.ids.new("T"), name, domain, self.enterprise_id)
        self.teams[team.id] = team
        return team

    def add_user(self, team: Team, name: str, real_name: str = "", **more: object) -> User:
        """A new member of the workspace."""
        user = User(self.ids.new("U"), team.id, name, real_name or name.title(), **more)  # type: ignore[arg-type]
        self.users[user.id] = user
        self.changed("user", id=user.id)
        return user

    def add_channel(self, team: Team, name: str, members: Iterable[str], kind: ChannelKind = "public") -> Channel:
        """A new conversation; its id starts with C, D (im) or G (mpim)."""
        prefix = {"im": "D", "mpim": "G"}.get(kind, "C")
        people = list(dict.fromkeys(members))
        channel = Channel(self.ids.new(prefix), team.id, name, kind, people, int(self.clock.now()), people[0])
        self.channels[channel.id] = channel
        self.changed("channel", id=channel.id)
        return channel

    def direct_channel(self, team: Team, members: Iterable[str]) -> Channel:
        """The direct or group message of exactly these people, opened when there is none."""
        people = set(members)
        kind: ChannelKind = "im" if len(people) <= 2 else "mpim"
        for channel in self.channels.values():
            if channel.kind == kind and channel.team_id == team.id and set(channel.members) == people:
                return channel
        return self.add_channel(team, _direct_name(self, people), sorted(people), kind)

    # -- finding

    def user_named(self, name: str, team_id: str | None = None) -> User:
        """The user with this id or name. Raises KeyError."""
        if name in self.users:
            return self.users[name]
        for user in self.users.values():
            if user.name == name.lstrip("@") and team_id in (None, user.team_id):
                return user
        raise KeyError(f"no user {name}")

    def channel_named(self, name: str, team_id: str | None = None) -> Channel:
        """The channel with this id or name. Raises KeyError."""
        if name in self.channels:
            return self.channels[name]
        for channel in self.channels.values():
            if channel.name == name.lstrip("#") and team_id in (None, channel.team_id):
                return channel
        raise KeyError(f"no channel {name}")

    def installation_for(self, team_id: str) -> Installation | None:
        """The active installation that covers this workspace, its own before the organisation's."""
        enterprise_id = self.teams[team_id].enterprise_id
        active = [each for each in self.installations if each.active]
        own = [each for each in active if each.team_id == team_id]
        wide = [each for each in active if each.team_id is None and each.enterprise_id == enterprise_id]
        return next(iter(own + wide), None)

    def bot_user(self, team_id: str) -> User | None:
        """The app's bot user in this workspace, if installed."""
        installation = self.installation_for(team_id)
        found = installation and installation.bot_user_ids.get(team_id)
        return self.users[found] if found else None

    def message(self, channel_id: str, ts: str) -> Message | None:
        """A message by its place, ephemeral ones too."""
        channel = self.channels[channel_id]
        hidden = {message.ts: message for message in channel.ephemerals}
        return channel.messages.get(ts) or hidden.get(ts)

    def status(self, channel_id: str, thread_ts: str) -> Status | None:
        """The status line under a thread, unless its two minutes are over."""
        status = self.statuses.get((channel_id, thread_ts))
        if status and self.clock.now() - status.set_at >= STATUS_LIFE_S:
            del self.statuses[channel_id, thread_ts]
            return None
        return status

    def drop_status(self, channel_id: str, thread_ts: str) -> None:
        """Remove a thread's status line, as the app's next message there does."""
        if self.statuses.pop((channel_id, thread_ts), None):
            self.changed("status", channel=channel_id, thread_ts=thread_ts)


def _direct_name(world: World, people: set[str]) -> str:
    names = sorted(world.users[user].name for user in people)
    return "mpdm-" + "--".join(names) + "-1" if len(people) > 2 else ""
