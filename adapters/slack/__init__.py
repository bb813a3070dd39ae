"""Slack as a platform: mentions, threads, direct messages, the agent panel, commands, shortcuts, files, by socket or HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from bot.ports.plugins import AdapterPlugin, FolderOptions
from bot.types import Capabilities

if TYPE_CHECKING:
    import click

    from adapters.slack.adapter import Slack
    from bot.ports import Host

NAME = "slack"
"""The platform's name in addresses, settings and the log."""
CAPABILITIES = Capabilities()


class Options(FolderOptions):
    """Slack's variables."""

    slack_bot_token: SecretStr | None = Field(
        None, description="Bot token (`xoxb-…`) of a single workspace. With OAuth installations it may be unset."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="App-level token (`xapp-…`, scope `connections:write`): events come by Socket Mode."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="Signing secret: events come by HTTP at `/slack/events`."
    )
    slack_client_id: str = Field("", description="Client ID: other workspaces can install by `/slack/install`.")
    slack_client_secret: SecretStr | None = Field(None, description="Client secret that goes with SLACK_CLIENT_ID.")
    slack_api_url: str = Field(
        "https://slack.com/api/", description="Where Slack's Web API is; another for an emulator."
    )
    slack_socket_count: int = Field(2, ge=1, le=10, description="Sockets held at once; Slack allows ten for an app.")
    slack_backfill_hours: float = Field(
        12, ge=0, description="After a downtime, missed messages up to this old are answered; 0 answers none."
    )
    slack_single_command: bool = Field(
        False,
        description="One `/parley` with sub-commands instead of a slash command for each; `slack manifest` follows it.",
    )
    slack_config_token: SecretStr | None = Field(
        None,
        description="App configuration token (`xoxe.xoxp-…`): lets `doctor` compare the app's events with the manifest.",
    )
    slack_public_url: str = Field(
        "", description="Address at which Slack reaches this server, for the manifest and OAuth."
    )


def missing(options: Options) -> tuple[str, ...]:
    """What has to be set before Slack is on: a token or OAuth, and a way in."""
    lacking: list[str] = []
    has_oauth = bool(options.slack_client_id and options.slack_client_secret)
    if not options.slack_bot_token and not has_oauth:
        lacking.append("SLACK_BOT_TOKEN")
    if not options.slack_app_token and not options.slack_signing_secret:
        lacking.append("SLACK_APP_TOKEN")
    return tuple(lacking)


def create(options: Options, host: Host) -> Slack:
    """Make the adapter; cheap."""
    from adapters.slack.adapter import Slack

    return Slack(options, host)


def commands() -> list[click.Command]:
    """What the command line gets from here: `slack manifest`."""
    from adapters.slack.manifest import slack_group

    return [slack_group()]


PLUGIN = AdapterPlugin(options=Options, capabilities=CAPABILITIES, create=create, missing=missing, commands=commands)
