"""Owns what an app is to Slack: its name, secrets, scopes, subscriptions and addresses, as its manifest says them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

BOT_SCOPES = [
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "chat:write.customize",
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
    "reactions:read",
    "reactions:write",
    "team:read",
    "usergroups:read",
    "users:read",
]
BOT_EVENTS = [
    "agent_session_stopped",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_deleted",
    "channel_id_changed",
    "channel_left",
    "channel_rename",
    "channel_shared",
    "channel_unarchive",
    "channel_unshared",
    "file_shared",
    "group_archive",
    "group_deleted",
    "group_left",
    "group_rename",
    "group_unarchive",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "team_join",
    "tokens_revoked",
    "user_change",
]


@dataclass(frozen=True)
class Shortcut:
    """A shortcut of the app; `kind` is `message` or `global`."""

    name: str
    callback_id: str
    kind: str = "message"


@dataclass(frozen=True)
class AppConfig:
    """The app under test, all permitted by default; narrow it to see what a missing scope or event does."""

    name: str = "Parley"
    app_id: str = "A0PARLEYAPP"
    bot_name: str = "parley"
    signing_secret: str = field(default="emulator-signing-secret", repr=False)
    client_id: str = "1000000000001.2000000000002"
    client_secret: str = field(default="emulator-client-secret", repr=False)
    verification_token: str = field(default="emulatorVerificationToken", repr=False)
    bot_scopes: tuple[str, ...] = tuple(BOT_SCOPES)
    bot_events: tuple[str, ...] = tuple(BOT_EVENTS)
    slash_commands: tuple[str, ...] = ("/parley",)
    shortcuts: tuple[Shortcut, ...] = ()
    escaped_commands: tuple[str, ...] = ()
    """Those with `should_escape`: people, channels and links in their text come as ids."""
    socket_mode: bool = True
    events_url: str = ""
    interactivity_url: str = ""
    """Empty: the events' address, as Bolt serves all on one."""
    redirect_urls: tuple[str, ...] = ()
    token_rotation: bool = False
    distributed: bool = False
    """Commercially distributed outside the Marketplace: history gives 15 messages, once a minute."""
    agent_view: bool = True
    agent_description: str = ""
    suggested_prompts: tuple[tuple[str, str], ...] = ()
    home_tab: bool = True

    def url_for(self, envelope_type: str) -> str:
        """Where deliveries of this type go over HTTP; empty when nowhere."""
        if envelope_type == "events_api":
            return self.events_url
        return self.interactivity_url or self.events_url

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], **others: Any) -> "AppConfig":
        """The app that a manifest (already parsed from YAML or JSON) describes; `others` set what a manifest lacks."""
        features, settings = manifest.get("features", {}), manifest.get("settings", {})
        events, oauth = settings.get("event_subscriptions", {}), manifest.get("oauth_config", {})
        agent = features.get("agent_view") or features.get("assistant_view") or {}
        config = cls(
            name=manifest.get("display_information", {}).get("name", "App"),
            bot_name=features.get("bot_user", {}).get("display_name", "app").lower().replace(" ", "-"),
            bot_scopes=tuple(oauth.get("scopes", {}).get("bot", ())),
            bot_events=tuple(events.get("bot_events", ())),
            redirect_urls=tuple(oauth.get("redirect_urls", ())),
            slash_commands=tuple(command["command"] for command in features.get("slash_commands", ())),
            escaped_commands=tuple(c["command"] for c in features.get("slash_commands", ()) if c.get("should_escape")),
            shortcuts=tuple(map(_shortcut, features.get("shortcuts", ()))),
            socket_mode=bool(settings.get("socket_mode_enabled")),
            events_url=events.get("request_url", ""),
            interactivity_url=settings.get("interactivity", {}).get("request_url", ""),
            token_rotation=bool(settings.get("token_rotation_enabled")),
            agent_view="agent_view" in features,
            agent_description=agent.get("agent_description") or agent.get("assistant_description") or "",
            suggested_prompts=tuple((p["title"], p["message"]) for p in agent.get("suggested_prompts", ())),
            home_tab=bool(features.get("app_home", {}).get("home_tab_enabled")),
        )
        return replace(config, **others)


def _shortcut(entry: Mapping[str, Any]) -> Shortcut:
    return Shortcut(entry["name"], entry["callback_id"], entry.get("type", "global"))
