"""Owns the command that starts the emulator for a person: `python -m adapters.slack.emulator`."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .config import AppConfig, Shortcut
from .emulator import SlackEmulator

COMMANDS = (
    "/parley", "/ask", "/imagine", "/say", "/transcribe", "/summarize", "/parley-search", "/settings", "/persona", "/usage",
    "/reset", "/forget", "/help",
)  # fmt: skip
SHORTCUTS = (
    Shortcut("Ask about this", "parley:ask"),
    Shortcut("Summarise thread", "parley:summarize"),
    Shortcut("Transcribe", "parley:transcribe"),
    Shortcut("Describe image", "parley:describe"),
    Shortcut("Translate", "parley:translate"),
)
"""The app that is emulated unless `--manifest` names another: as Parley's own manifest says, which a test compares."""


def main(argv: Sequence[str] | None = None, *, app: AppConfig | None = None) -> int:
    """Serve until interrupted. app: the app to emulate, instead of a default or of `--manifest`."""
    options = parser().parse_args(argv)
    try:
        asyncio.run(serve(options, configured(options, app)))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"cannot listen on port {options.port}: {error.strerror}\n")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    prog = "python -m adapters.slack.emulator" if sys.argv[0].endswith("__main__.py") else None
    made = argparse.ArgumentParser(prog, description="A Slack workspace on this machine, with a page.")
    made.add_argument("--port", type=int, default=3001, help="port on 127.0.0.1; 0 takes a free one (default 3001)")
    made.add_argument("--events-url", default="", help="deliver by HTTP to this address instead of Socket Mode")
    made.add_argument("--manifest", type=Path, help="the app's manifest, as JSON")
    made.add_argument("--limits", choices=("off", "strict"), default="off", help="enforce Slack's rate limits")
    made.add_argument("--enterprise", default="", help="name of an Enterprise Grid organisation around the workspace")
    made.add_argument("--not-installed", action="store_true", help="leave the installing to OAuth")
    return made


def configured(options: argparse.Namespace, app: AppConfig | None) -> AppConfig:
    """The app to emulate: given, or by its manifest, or a default with everything on."""
    if app is None and options.manifest:
        app = AppConfig.from_manifest(json.loads(options.manifest.read_text(encoding="utf-8")))
    app = app or AppConfig(slash_commands=COMMANDS, escaped_commands=COMMANDS, shortcuts=SHORTCUTS)
    return replace(app, events_url=options.events_url, socket_mode=False) if options.events_url else app


async def serve(options: argparse.Namespace, app: AppConfig) -> None:
    """Run the emulator until cancelled."""
    slack = SlackEmulator(
        app,
        port=options.port,
        limits=options.limits,
        enterprise=options.enterprise,
        installed=not options.not_installed,
    )
    async with slack:
        sys.stdout.write(announcement(slack) + "\n")
        sys.stdout.flush()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def announcement(slack: SlackEmulator) -> str:
    """What a person needs to know: the page, and the lines that point Parley here."""
    lines = "\n".join(f"  export {name}={value}" for name, value in slack.environment().items())
    way = "Socket Mode" if slack.app.socket_mode else f"HTTP to {slack.app.events_url}"
    return (
        f"Slack emulator at {slack.url}  (deliveries by {way})\n\nPoint the bot here with:\n{lines}\n\nCtrl-C stops it."
    )


if __name__ == "__main__":
    raise SystemExit(main())
