"""The links by which Parley gets into a server, or to a person, with no permission more than it needs."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    import click

    from adapters.discord import Options
    from bot.ports.plugins import CommandLine

NEEDED = {
    "View Channels": 1 << 10,
    "Send Messages": 1 << 11,
    "Attach Files": 1 << 15,
    "Read Message History": 1 << 16,
    "Send Messages in Threads": 1 << 38,
    "Send Voice Messages": 1 << 46,
}
"""Source: Discord, Topics, Permissions."""
MAKES_THREADS = {"Create Public Threads": 1 << 35}
AUTHORIZE = "https://discord.com/oauth2/authorize"


def bits(*, makes_threads: bool) -> int:
    """The permissions as Discord adds them up."""
    wanted = {**NEEDED, **(MAKES_THREADS if makes_threads else {})}
    return sum(wanted.values())


def missing_permissions(held: int) -> list[str]:
    """Names of what is needed and not held."""
    return [name for name, bit in NEEDED.items() if not held & bit]


def server_link(app_id: str, *, makes_threads: bool = False) -> str:
    """Adds Parley to a server."""
    query = {
        "client_id": app_id,
        "scope": "bot applications.commands",
        "permissions": str(bits(makes_threads=makes_threads)),
        "integration_type": "0",
    }
    return f"{AUTHORIZE}?{urlencode(query)}"


def person_link(app_id: str) -> str:
    """Adds Parley to a person, who then has its commands everywhere."""
    return f"{AUTHORIZE}?{urlencode({'client_id': app_id, 'scope': 'applications.commands', 'integration_type': '1'})}"


def app_id_of(token: str) -> str:
    """The id that a bot token begins with, or empty. It is the application's for all apps since 2016."""
    head = token.strip().partition(".")[0]
    try:
        found = base64.b64decode(head + "=" * (-len(head) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return found if found.isdigit() else ""


async def asked_app_id(options: Options) -> str:
    """What Discord says the application's id is. Raises DiscordError."""
    import discord

    from adapters.discord.client import at_address, translate_errors

    token = options.discord_bot_token.get_secret_value() if options.discord_bot_token else ""
    async with discord.Client(intents=discord.Intents(guilds=True)) as client:
        at_address(client, options.discord_api_url)
        await translate_errors("log in", client.login(token))
        return str(client.application_id or "")


def discord_group() -> click.Group:
    """The command `discord` of the command line."""
    import click

    @click.group(name="discord", help="Set up Discord.")
    def discord() -> None:
        pass

    @discord.command(
        help="Print the links that add Parley to a server or to a person, with just the permissions it needs."
    )
    @click.option("--id", "app_id", default="", help="Application ID; without it, Discord is asked by the bot token.")
    @click.pass_obj
    def invite(state: CommandLine, app_id: str) -> None:
        from bot.errors import ConfigError

        options = state.config(quiet=True)
        if not app_id:
            if not options.discord_bot_token:
                raise ConfigError("DISCORD_BOT_TOKEN is not set; or name the application by --id.")
            app_id = asyncio.run(asked_app_id(options))
        click.echo("Add Parley to a server:")
        click.echo(f"  {server_link(app_id, makes_threads=bool(options.discord_thread_long))}")
        click.echo("Add Parley for yourself, everywhere:")
        click.echo(f"  {person_link(app_id)}")

    return discord
