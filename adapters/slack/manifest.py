"""The app manifest: all that Slack has to know about Parley, with nothing left to edit by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from adapters.slack import callback_ids
from adapters.slack.event_names import ASSISTANT_EVENTS, BOT_EVENTS
from bot.types import CommandSpec

if TYPE_CHECKING:
    import click

    from bot.ports.plugins import CommandLine

BOT_SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "usergroups:read",
    "users:read",
)
SHORTCUTS = (
    ("Ask about this", callback_ids.ASK, "Ask Parley about this message"),
    ("Summarise thread", callback_ids.SUMMARIZE, "The gist of this thread, for you alone"),
    ("Transcribe", callback_ids.TRANSCRIBE, "The words in this message's sound or video"),
    ("Describe image", callback_ids.DESCRIBE, "What is in this message's pictures"),
    ("Translate", callback_ids.TRANSLATE, "This message in English, or in your language"),
)
RESERVED = frozenset(
    (
        "archive",
        "away",
        "collapse",
        "dnd",
        "expand",
        "feed",
        "invite",
        "join",
        "leave",
        "me",
        "msg",
        "mute",
        "open",
        "remind",
        "remove",
        "rename",
        "search",
    )
)
"""Words that Slack keeps for itself: ours is then `/parley-NAME`."""
COMMANDS: Mapping[str, tuple[str, str]] = {
    "ask": ("Ask the model; the answer goes on in this conversation.", "TEXT"),
    "imagine": ("Make a picture from words, or change the last one.", "TEXT"),
    "say": ("Speak a text.", "TEXT"),
    "transcribe": ("Turn speech into text.", ""),
    "summarize": ("Sum up this conversation.", ""),
    "search": ("Find what was said, by words.", "WORDS"),
    "settings": ("Show or change how I answer.", ""),
    "persona": ("Choose who answers in this conversation, or see who can.", "[NAME | default]"),
    "usage": ("Show what your own questions used and cost.", "[DAYS]"),
    "reset": ("Begin a new conversation here; the old one stays findable.", ""),
    "forget": ("Delete this conversation, its messages and files, for good.", ""),
    "help": ("Show what I can do.", ""),
}
"""What each command's line says where the engine's own table is not at hand."""
DESCRIPTION = (
    "An AI teammate: answers in threads and direct messages, reads files, hears voice clips, makes pictures and speaks."
)


def command_name(name: str) -> str:
    """How Slack spells a command of ours."""
    return f"/parley-{name}" if name in RESERVED else f"/{name}"


def build(
    commands: Mapping[str, CommandSpec] | None = None,
    *,
    public_url: str = "",
    is_single: bool = False,
    is_assistant: bool = False,
    is_distributed: bool = False,
    is_socket: bool = False,
    name: str = "Parley",
) -> dict[str, Any]:
    """The manifest. public_url: where Slack reaches us by HTTP; empty means Socket Mode. is_assistant: the older assistant view.

    is_distributed: for many workspaces, which install at the public_url. is_socket: by Socket Mode even so.
    Raises ValueError when a distributed app has no address: Slack would lead people who install nowhere.

    Source: Slack, App manifest reference.
    """
    base = public_url.rstrip("/")
    if is_distributed and not base:
        raise ValueError("a distributed app needs the address at which people install it")
    events = f"{base}/slack/events" if base and not is_socket else ""
    lines = {n: (spec.summary, spec.usage) for n, spec in commands.items()} if commands else COMMANDS
    settings: dict[str, Any] = {
        "event_subscriptions": {"bot_events": sorted((*BOT_EVENTS, *(ASSISTANT_EVENTS if is_assistant else ())))},
        "interactivity": {"is_enabled": True},
        "org_deploy_enabled": True,
        "socket_mode_enabled": not events,
        "token_rotation_enabled": is_distributed,
    }
    oauth: dict[str, Any] = {"scopes": {"bot": list(BOT_SCOPES)}}
    if events:
        settings["event_subscriptions"]["request_url"] = events
        settings["interactivity"]["request_url"] = events
    if is_distributed:
        oauth["redirect_urls"] = [f"{base}/slack/oauth_redirect"]
    features = _agent(is_assistant) | {"slash_commands": _slash_commands(lines, events, is_single)}
    return {
        "display_information": {"name": name, "description": DESCRIPTION[:140], "background_color": "#1f3a5f"},
        "features": _features(name) | features,
        "oauth_config": oauth,
        "settings": settings,
    }


def _features(name: str) -> dict[str, Any]:
    """What every kind of app of ours has: its Home tab, its bot and its message shortcuts."""
    return {
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": name, "always_online": True},
        "shortcuts": [
            {"name": label, "type": "message", "callback_id": callback, "description": text}
            for label, callback, text in SHORTCUTS
        ],
    }


def _agent(is_assistant: bool) -> dict[str, Any]:
    from adapters.slack.home import PROMPTS

    prompts = [{"title": title, "message": message} for title, message in PROMPTS]
    if is_assistant:
        return {"assistant_view": {"assistant_description": DESCRIPTION, "suggested_prompts": prompts}}
    return {"agent_view": {"agent_description": DESCRIPTION, "suggested_prompts": prompts}}


def _slash_commands(lines: Mapping[str, tuple[str, str]], url: str, is_single: bool) -> list[dict[str, Any]]:
    """`/parley` always; each command by its own name unless one is wanted for all."""
    found = [("/parley", "Ask, or name a command: " + ", ".join(lines), "TEXT")]
    if not is_single:
        found += [(command_name(name), summary, usage) for name, (summary, usage) in lines.items()]
    return [
        {
            "command": command,
            "description": summary[:200],
            **({"usage_hint": usage[:200]} if usage else {}),
            "should_escape": True,
            **({"url": url} if url else {}),
        }
        for command, summary, usage in found
    ]


def as_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as JSON, which Slack takes as JSON and as YAML."""
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def slack_group() -> click.Group:
    """The command `slack` of the command line."""
    import click

    @click.group(name="slack", help="Set up Slack.")
    def slack() -> None:
        pass

    @slack.command(help="Print the app manifest: paste it at api.slack.com/apps, Create New App, From a manifest.")
    @click.option(
        "--url", envvar="SLACK_PUBLIC_URL", default="", help="Where Slack reaches this server; without it, Socket Mode."
    )
    @click.option("--name", default="Parley", show_default=True, help="Name of the app.")
    @click.option("--single-command", envvar="SLACK_SINGLE_COMMAND", is_flag=True, help="One /parley for all commands.")
    @click.option("--assistant", is_flag=True, help="The older assistant view, for workspaces that still have it.")
    @click.option(
        "--distributed", is_flag=True, help="For many workspaces: redirect address and token rotation; needs --url."
    )
    @click.option(
        "--socket", is_flag=True, help="Events by Socket Mode, though --url is given for people to install at."
    )
    @click.pass_obj
    def manifest(
        state: CommandLine | None,
        url: str,
        name: str,
        single_command: bool,
        assistant: bool,
        distributed: bool,
        socket: bool,
    ) -> None:
        if distributed and not url:
            raise click.UsageError("--distributed needs --url (or SLACK_PUBLIC_URL): people install the app there.")
        made = build(
            state.commands if state else None,
            public_url=url,
            is_single=single_command,
            is_assistant=assistant,
            is_distributed=distributed,
            is_socket=socket,
            name=name,
        )
        click.echo(as_text(made))

    return slack
