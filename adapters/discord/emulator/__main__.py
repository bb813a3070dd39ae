"""Owns the command line: `python -m adapters.discord.emulator --port 3002`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from .emulator import DiscordEmulator
from .world import AppConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted, after printing the environment that points a bot here; gives the exit code."""
    parser = argparse.ArgumentParser(prog="discord-emulator", description="A Discord on this machine, with a page.")
    parser.add_argument("--port", type=int, default=3002, help="where to listen on 127.0.0.1 (3002)")
    parser.add_argument("--name", default="Parley", help="the app's name (Parley)")
    parser.add_argument("--no-message-content", action="store_true", help="withhold the message-content intent")
    options = parser.parse_args(argv)
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"cannot listen on port {options.port}: {error.strerror}\n")
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    app = AppConfig(name=options.name, id=FIXED_ID, token=FIXED_TOKEN, message_content=not options.no_message_content)
    async with DiscordEmulator(app, port=options.port) as discord:
        sys.stdout.write(greeting(discord))
        sys.stdout.flush()
        await asyncio.Event().wait()


FIXED_ID = 1_000_000_000_000_000_000
FIXED_TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMA.EMULAT.offline-discord-emulator-token"
"""The same at each start, so that the environment stays."""


def greeting(discord: DiscordEmulator) -> str:
    """What to put into the bot's environment, and where to look."""
    variables = {
        "DISCORD_BOT_TOKEN": discord.token,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
        "DISCORD_CDN_URL": discord.cdn_url,
    }
    lines = [f"export {name}={value}" for name, value in variables.items()]
    return "\n".join(["# A Discord on this machine. Start the bot with:", *lines, f"# and open {discord.url}/", ""])


if __name__ == "__main__":
    sys.exit(main())
