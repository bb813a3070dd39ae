"""What `doctor` finds out about Slack: tokens, scopes, the app-level token, and what the manifest names but Slack lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from adapters.slack import NAME
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.event_names import BOT_EVENTS, RIGHTS_EVENTS, SPOKEN_EVENTS
from adapters.slack.manifest import BOT_SCOPES
from adapters.slack.ref import TokenScope
from adapters.slack.tokens import secret
from bot.errors import BotError
from bot.types import Diagnostic


class Check:
    """Asks Slack what is set up and what is missing."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def findings(self) -> Sequence[Diagnostic]:
        """One line for each thing that must be right."""
        options = self._client.options
        found: list[Diagnostic] = []
        if options.slack_bot_token:
            found += await self._bot_token()
        found += await self._ways_in()
        if options.slack_client_id:
            key = options.parley_secret_key
            level, text = (
                ("ok", "tokens are kept encrypted") if key else ("error", "no token can be kept without a key")
            )
            found.append(Diagnostic("slack install", level, text, "PARLEY_SECRET_KEY"))  # type: ignore[arg-type]
            if not options.slack_public_url:
                text = "Slack has to know where people install: without it, the address a browser asked for is taken"
                found.append(Diagnostic("slack install", "warning", text, "SLACK_PUBLIC_URL"))
        return found

    async def _bot_token(self) -> list[Diagnostic]:
        variable = "SLACK_BOT_TOKEN"
        try:
            identity = await self._client.identity(TokenScope(""))
        except BotError as error:
            return [Diagnostic(NAME, "error", error.text, variable)]
        found = [Diagnostic(NAME, "ok", f"{identity.team_name} ({identity.url or identity.team})", variable)]
        lacking = missing_from(BOT_SCOPES, identity.scopes)
        if lacking and identity.scopes:
            text = f"missing scopes: {', '.join(lacking)}; update the app by `parley slack manifest` and reinstall it"
            found.append(Diagnostic("slack scopes", "error", text, variable))
        elif identity.scopes:
            found.append(Diagnostic("slack scopes", "ok", f"all {len(BOT_SCOPES)} are granted", variable))
        return [*found, *await self._events(identity.bot_id)]

    async def _events(self, bot_id: str) -> list[Diagnostic]:
        """The subscriptions, which Slack tells only to a configuration token."""
        variable, token = "SLACK_CONFIG_TOKEN", secret(self._client.options.slack_config_token)
        if not token:
            text = f"not checked: set {variable} to compare the app with `parley slack manifest`"
            return [Diagnostic("slack events", "off", text, variable)]
        try:
            bot = await self._client.call(TokenScope(""), "bots.info", bot=bot_id)
            app_id = str((bot.get("bot") or {}).get("app_id") or "")
            answer = await self._client.call_without_bot("apps.manifest.export", token=token, app_id=app_id)
        except SlackError as error:
            return [Diagnostic("slack events", "warning", f"could not be read: {error.text}", variable)]
        return list(manifest_findings(answer.get("manifest") or {}))

    async def _ways_in(self) -> list[Diagnostic]:
        options = self._client.options
        if not options.slack_app_token:
            return [
                Diagnostic("slack way in", "ok", "HTTP at /slack/events, signatures checked", "SLACK_SIGNING_SECRET")
            ]
        try:
            await self._client.call_without_bot("apps.connections.open", token=secret(options.slack_app_token))
        except SlackError as error:
            text = f"Slack refuses it ({error.slack_code or error.text}); it must begin with xapp- and have connections:write"
            return [Diagnostic("slack way in", "error", text, "SLACK_APP_TOKEN")]
        return [
            Diagnostic("slack way in", "ok", f"Socket Mode, {options.slack_socket_count} sockets", "SLACK_APP_TOKEN")
        ]


def missing_from(wanted: Collection[str], held: Collection[str]) -> list[str]:
    """What is wanted and not held."""
    return sorted(set(wanted) - set(held))


def manifest_findings(manifest: Mapping[str, Any]) -> Sequence[Diagnostic]:
    """How the app at Slack differs from what Parley needs."""
    settings, features = manifest.get("settings") or {}, manifest.get("features") or {}
    held = (settings.get("event_subscriptions") or {}).get("bot_events") or ()
    found: list[Diagnostic] = []
    if lacking := missing_from(SPOKEN_EVENTS, held):
        found.append(Diagnostic("slack events", "error", f"not subscribed: {', '.join(lacking)}", "SLACK_CONFIG_TOKEN"))
    if lacking := missing_from(RIGHTS_EVENTS, held):
        text = (
            f"not subscribed: {', '.join(lacking)}; so who left a channel may find its messages for up to a minute more"
        )
        found.append(Diagnostic("slack events", "warning", text, "SLACK_CONFIG_TOKEN"))
    if not (settings.get("interactivity") or {}).get("is_enabled"):
        found.append(
            Diagnostic("slack events", "error", "interactivity is off: buttons do nothing", "SLACK_CONFIG_TOKEN")
        )
    if not ("agent_view" in features or "assistant_view" in features):
        found.append(Diagnostic("slack events", "warning", "the agent panel is off", "SLACK_CONFIG_TOKEN"))
    return found or [Diagnostic("slack events", "ok", f"all {len(BOT_EVENTS)} are subscribed", "SLACK_CONFIG_TOKEN")]
