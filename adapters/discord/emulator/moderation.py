"""Owns what managers of a server do: time-outs, roles, leaving and throwing out, thread members; each with its news."""

from __future__ import annotations

from . import messages, threads, wire_people
from .model import Channel, Guild, Json, Member, Overwrite, Role, User
from .world import GUILD_MEMBERS, GUILDS, Event, World


class Moderation:
    """Changes who may do what. The gateway tells the app as far as its intents go."""

    world: World

    def overwrite(self, channel: Channel, target: Role | User | Guild, *, allow: int = 0, deny: int = 0) -> None:
        """Set what a channel allows or forbids a role, a member, or with the server everyone."""
        kind = 1 if isinstance(target, User) else 0
        channel.overwrites[target.id] = Overwrite(target.id, kind, allow, deny)
        self.world.tell_channel("CHANNEL_UPDATE", channel)

    def time_out(self, guild: Guild, user: User, seconds: float) -> None:
        """Silence a member for so long; 0 ends it."""
        member = guild.members[user.id]
        member.timed_out_until = self.world.clock.time() + seconds if seconds else 0.0
        self._tell_member("GUILD_MEMBER_UPDATE", guild, member)

    def set_roles(self, guild: Guild, user: User, *roles: Role) -> None:
        """Give a member these roles and no others."""
        member = guild.members[user.id]
        member.roles = [role.id for role in roles]
        self._tell_member("GUILD_MEMBER_UPDATE", guild, member)

    def _tell_member(self, name: str, guild: Guild, member: Member) -> None:
        body = {**wire_people.member_json(self.world, member), "guild_id": str(guild.id)}
        intent = GUILDS if member.user_id == self.world.app.bot_id else GUILD_MEMBERS
        self.world.emit(Event(name, lambda _: body, intent, guild_id=guild.id))

    def join(self, guild: Guild, user: User) -> Member:
        """Let somebody in."""
        return self.world.join(guild, user)

    def leave(self, guild: Guild, user: User) -> None:
        """Somebody leaves a server, or is thrown out; with it all its threads."""
        for thread in [one for one in self.world.channels_of(guild.id) if user.id in one.thread_members]:
            self.leave_thread(user, thread)
        del guild.members[user.id]
        body: Json = {"guild_id": str(guild.id), "user": wire_people.user_json(user)}
        self.world.emit(Event("GUILD_MEMBER_REMOVE", lambda _: body, GUILD_MEMBERS, guild_id=guild.id))

    def change_role(self, guild: Guild, role: Role, permissions: int) -> None:
        """Give a role other permissions; with the server's id it is everyone's."""
        role.permissions = permissions
        body = {"guild_id": str(guild.id), "role": wire_people.role_json(role)}
        self.world.emit(Event("GUILD_ROLE_UPDATE", lambda _: body, GUILDS, guild_id=guild.id))

    def delete_role(self, guild: Guild, role: Role) -> None:
        """Take a role away from everybody. Discord tells of the role alone, not of its members."""
        del guild.roles[role.id]
        for member in guild.members.values():
            member.roles = [one for one in member.roles if one != role.id]
        for channel in self.world.channels_of(guild.id):
            channel.overwrites.pop(role.id, None)
        body = {"guild_id": str(guild.id), "role_id": str(role.id)}
        self.world.emit(Event("GUILD_ROLE_DELETE", lambda _: body, GUILDS, guild_id=guild.id))

    def delete_channel(self, channel: Channel) -> None:
        """Delete a channel with its threads, or a thread."""
        threads.remove(self.world, channel)

    def leave_thread(self, user: User, thread: Channel) -> None:
        """Somebody leaves a thread, or is taken out of it."""
        messages.leave_thread(self.world, thread, user.id)
