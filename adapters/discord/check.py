"""What `doctor` finds out about Discord: token, intents, permissions in each server, and whether the commands are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.discord.client import DiscordClient, DiscordError
from adapters.discord.invite import NEEDED, missing_permissions
from adapters.discord.parse_parts import PLATFORM
from adapters.discord.slash import command_set, differences
from bot.errors import BotError
from bot.types import Diagnostic

TOKEN = "DISCORD_BOT_TOKEN"
CONTENT = "DISCORD_MESSAGE_CONTENT"
CONTENT_FLAGS = (1 << 18) | (1 << 19)
"""The portal's switch for the Message Content intent, verified or limited. Source: Discord, Application Flags."""
MEMBERS = "DISCORD_SERVER_MEMBERS"
MEMBERS_FLAGS = (1 << 14) | (1 << 15)
"""The portal's switch for the Server Members intent, verified or limited. Source: the same."""
FEW_IDENTIFIES = 50
ADMINISTRATOR = 1 << 3


class Check:
    """Asks Discord."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client

    async def findings(self) -> Sequence[Diagnostic]:
        """One line for each thing that must be right."""
        try:
            app = await self._client.call("GET", "/oauth2/applications/@me")
        except BotError as error:
            return [Diagnostic(PLATFORM, "error", error.text, TOKEN)]
        found = [Diagnostic(PLATFORM, "ok", f"{app.get('name')} ({app.get('id')})", TOKEN), *self._intent(app)]
        found.append(self._members(app))
        for ask in (self._servers, self._commands, self._budget):
            try:
                found += await ask()
            except DiscordError as error:
                found.append(Diagnostic(PLATFORM, "warning", f"could not be checked: {error.text}", TOKEN))
        return found

    def _intent(self, app: dict[str, Any]) -> list[Diagnostic]:
        is_on = bool(int(app.get("flags") or 0) & CONTENT_FLAGS)
        is_wanted = bool(self._client.options.discord_message_content)
        found: list[Diagnostic] = []
        if app.get("interactions_endpoint_url"):
            text = "the app has an Interactions Endpoint URL: commands and buttons go there and not here; clear it"
            found.append(Diagnostic("discord ways in", "error", text, TOKEN))
        if is_wanted and not is_on:
            text = (
                "Message Content is off in the portal (Bot, Privileged Gateway Intents). Mentions, replies to Parley, commands and "
                "direct messages work; following threads without a mention and reading what was said before need it"
            )
            return [*found, Diagnostic("discord intents", "warning", text, CONTENT)]
        if not is_wanted:
            text = "without Message Content, Parley hears mentions, replies to it, commands and direct messages"
            return [*found, Diagnostic("discord intents", "off", text, CONTENT)]
        return [*found, Diagnostic("discord intents", "ok", "Message Content is on", CONTENT)]

    def _members(self, app: dict[str, Any]) -> Diagnostic:
        subject, is_on = "discord members", bool(int(app.get("flags") or 0) & MEMBERS_FLAGS)
        if is_on and self._client.options.discord_server_members:
            return Diagnostic(
                subject, "ok", "Server Members is on: who leaves or loses a role reads nothing from then on", MEMBERS
            )
        text = (
            "who leaves or loses a role is noticed within a minute; at once with Server Members on in the portal (Bot)"
        )
        return Diagnostic(subject, "off", text, MEMBERS)

    async def _servers(self) -> list[Diagnostic]:
        guilds = await self._client.call("GET", "/users/@me/guilds")
        if not guilds:
            return [
                Diagnostic("discord servers", "warning", "in no server yet: `parley discord invite` prints the link")
            ]
        found: list[Diagnostic] = []
        for guild in guilds:
            held = int(guild.get("permissions") or 0)
            if lacking := [] if held & ADMINISTRATOR else missing_permissions(held):
                text = f"{guild.get('name')}: lacks {', '.join(lacking)}; invite again by `parley discord invite`"
                found.append(Diagnostic("discord permissions", "warning", text))
        return found or [Diagnostic("discord permissions", "ok", f"all {len(NEEDED)} in {len(guilds)} server(s)")]

    async def _commands(self) -> list[Diagnostic]:
        app_id = await self._client.app_id()
        held = await self._client.call(
            "GET",
            "/applications/{application_id}/commands",
            application_id=app_id,
            params={"with_localizations": "true"},
        )
        wanted = command_set(self._client.host.commands)
        if wrong := differences(wanted, held):
            text = f"Discord has others: {', '.join(wrong[:12])}; they are told anew when the gateway starts"
            return [Diagnostic("discord commands", "warning", text)]
        return [Diagnostic("discord commands", "ok", f"all {len(wanted)} are known")]

    async def _budget(self) -> list[Diagnostic]:
        answer = await self._client.call("GET", "/gateway/bot")
        limit = answer.get("session_start_limit") or {}
        remaining, total = int(limit.get("remaining") or 0), int(limit.get("total") or 0)
        level = "warning" if remaining < FEW_IDENTIFIES else "ok"
        text = f"{answer.get('shards')} shard(s), {remaining} of {total} logins left today"
        return [Diagnostic("discord gateway", level, text)]  # type: ignore[arg-type]
