"""The workspaces of an emulator: people, channels, groups, and the app's installation in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .desk import Desk
from .oauth import Grant, install
from .people import deactivate
from .workspace import Channel, ChannelKind, Team, Token, User, UserGroup
from .world import World

Who = User | str
Where = Channel | str


class Workspaces:
    """Who and what there is; `SlackEmulator` is one."""

    world: World
    desk: Desk
    team: Team
    """The first workspace."""

    def add_team(
        self,
        name: str,
        *,
        people: Sequence[str] = ("ada", "grace"),
        channels: Sequence[str] = ("general", "random"),
        installed: bool = True,
    ) -> Team:
        """A workspace with people and public channels; the bot, when installed, is in the first channel."""
        team = self.world.add_team(name, name.lower().replace(" ", "-"))
        members = [self.world.add_user(team, person).id for person in people]
        for index, channel in enumerate(channels):
            self.world.add_channel(team, channel, members).is_general = index == 0
        if installed:
            self.install(team)
            for channel in channels[:1]:
                self.world.channel_named(channel, team.id).members.append(team.bot_user_id)
        return team

    def install(self, team: Team | None = None, *, scopes: Iterable[str] | None = None, wide: bool = False) -> Token:
        """Install the app (again, with other scopes), in one workspace or in the whole organisation; its token."""
        team = team or self.team
        person = next(user.id for user in self.world.users.values() if user.team_id == team.id)
        granted = list(self.world.app.bot_scopes if scopes is None else scopes)
        return install(self.world, Grant(person, team.id, granted, "", wide))[1]

    def uninstall(self, team: Team | None = None) -> None:
        """Remove the app from a workspace: its tokens end, and it is told."""
        team = team or self.team
        tokens = [token for token in self.world.tokens.values() if token.team_id == team.id and token.kind != "app"]
        bots = [team.bot_user_id]
        self.desk.events.revoked(team.id, bots=bots, users=[], uninstalled=True)
        for token in tokens:
            token.revoked = True
        deactivate(self.world.installations, team.id, team.enterprise_id)

    def revoke(self, token: str) -> None:
        """Revoke one bot token; the app is told."""
        found = self.world.tokens[token]
        found.revoked = True
        self.desk.events.revoked(found.team_id or self.team.id, bots=[found.user_id or ""], users=[], uninstalled=False)

    @property
    def bot_token(self) -> str:
        """The newest valid bot token of the first workspace; "" before it is installed."""
        return self.token_of(self.team)

    def token_of(self, team: Team) -> str:
        """The newest valid bot token of a workspace, or of its organisation; "" without one."""
        found = [t for t in self.world.tokens.values() if t.kind == "bot" and not t.revoked]
        own = [token.value for token in found if token.team_id == team.id]
        wide = [t.value for t in found if t.team_id is None and t.enterprise_id == team.enterprise_id]
        return (wide + own or [""])[-1]

    @property
    def bot(self) -> User:
        """The app's bot user in the first workspace."""
        return self.world.users[self.team.bot_user_id]

    def user(self, name: Who, team: Team | None = None) -> User:
        """A user by name or id. Raises KeyError."""
        return name if isinstance(name, User) else self.world.user_named(name, team.id if team else None)

    def channel(self, name: Where, team: Team | None = None) -> Channel:
        """A channel by name or id. Raises KeyError."""
        return name if isinstance(name, Channel) else self.world.channel_named(name, team.id if team else None)

    def add_user(self, name: str, *, team: Team | None = None, **more: Any) -> User:
        """A new member; `is_bot=True, bot_id="B..."` makes another app's bot."""
        return self.world.add_user(team or self.team, name, **more)

    def add_group(self, handle: str, users: Iterable[Who] = ()) -> UserGroup:
        """A new user group."""
        members = [self.user(user).id for user in users]
        group = UserGroup(self.world.ids.new("S"), self.team.id, handle, handle.title(), members)
        self.world.groups[group.id] = group
        return group

    def add_channel(
        self,
        name: str,
        members: Iterable[Who] = (),
        kind: ChannelKind = "public",
        *,
        bot: bool = True,
        team: Team | None = None,
    ) -> Channel:
        """A new conversation of these people (everyone when none is named), and of the bot."""
        team = team or self.team
        everyone = [user for user in self.world.users.values() if user.team_id == team.id and not user.is_bot]
        people = [self.user(member, team).id for member in members] or [user.id for user in everyone]
        bots = [team.bot_user_id] if bot and team.bot_user_id else []
        return self.world.add_channel(team, name, [*people, *bots], kind)

    def invite_bot(self, channel: Where) -> None:
        """Make the bot a member of a channel; the app hears `member_joined_channel`."""
        room = self.channel(channel)
        bot = self.world.bot_user(room.team_id)
        assert bot is not None, "the app is not installed"
        if bot.id not in room.members:
            room.members.append(bot.id)
            event = {"type": "member_joined_channel", "user": bot.id, "channel": room.id, "team": room.team_id}
            self.desk.events.in_channel(room, event | {"channel_type": room.id[0]})

    def share_channel(self, channel: Where, team: Team, members: Iterable[Who] = ()) -> None:
        """Share a channel with another workspace (Slack Connect)."""
        room = self.channel(channel)
        room.connected_team_ids.append(team.id)
        for member in members:
            user = self.user(member, team)
            user.is_stranger = True
            room.members.append(user.id)

    def _member(self, user: Who, room: Channel) -> User:
        """The user of this name in the channel's own workspace, else in any."""
        team = self.world.teams[room.team_id]
        named = any(each.team_id == team.id and user in (each.name, each.id) for each in self.world.users.values())
        return self.user(user, team if named else None)
