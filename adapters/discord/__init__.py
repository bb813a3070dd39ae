"""Discord as a platform: mentions, reply chains, threads, direct messages, commands, message menus, files, voice messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from bot.ports.plugins import AdapterPlugin, FolderOptions
from bot.types import Capabilities

if TYPE_CHECKING:
    import click

    from adapters.discord.adapter import Discord
    from bot.ports import Host

CAPABILITIES = Capabilities()
"""With the Message Content intent; `Discord.capabilities` says whether it was granted."""


class Options(FolderOptions):
    """Discord's variables."""

    discord_bot_token: SecretStr | None = Field(
        None, description="Bot token, from the page Bot of the app at discord.com/developers."
    )
    discord_api_url: str = Field(
        "https://discord.com/api/v10", description="Where Discord's REST API is; another for an emulator."
    )
    discord_gateway_url: str = Field(
        "", description="Where Discord's gateway is; empty for the one that the API names. For an emulator."
    )
    discord_cdn_url: str = Field(
        "https://cdn.discordapp.com", description="Where Discord's files are; another for an emulator."
    )
    discord_message_content: bool = Field(
        True,
        description="Ask for the Message Content intent. Without it Parley answers mentions, replies to it, commands and direct "
        "messages, but does not follow threads without a mention nor read what was said before.",
    )
    discord_server_members: bool = Field(
        True,
        description="Ask for the Server Members intent if it is on in the portal. With it Parley knows at once who left or lost a "
        "role; without it, within a minute.",
    )
    discord_backfill_hours: float = Field(
        12, ge=0, description="After a downtime, missed messages up to this old are answered; 0 answers none."
    )
    discord_thread_long: int = Field(
        0, ge=0, description="Make a thread for a reply chain that has this many answers; 0 makes none."
    )


def missing(options: Options) -> tuple[str, ...]:
    """What has to be set before Discord is on: the bot token."""
    return () if options.discord_bot_token else ("DISCORD_BOT_TOKEN",)


def create(options: Options, host: Host) -> Discord:
    """Make the adapter; cheap."""
    from adapters.discord.adapter import Discord

    return Discord(options, host)


def commands() -> list[click.Command]:
    """What the command line gets from here: `discord invite`."""
    from adapters.discord.invite import discord_group

    return [discord_group()]


PLUGIN = AdapterPlugin(options=Options, capabilities=CAPABILITIES, create=create, missing=missing, commands=commands)
