"""Owns what Slack accepts as an app's manifest: its keys, lengths, scopes, events, and what needs what. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from .events import SCOPES as EVENT_SCOPES

KEYS = {
    "": "_metadata display_information features oauth_config settings functions outgoing_domains",
    "display_information": "name description long_description background_color",
    "features": "app_home agent_view assistant_view bot_user shortcuts slash_commands unfurl_domains workflow_steps "
    "rich_previews",
    "features/app_home": "home_tab_enabled messages_tab_enabled messages_tab_read_only_enabled",
    "features/bot_user": "display_name always_online",
    "features/agent_view": "agent_description suggested_prompts actions",
    "features/assistant_view": "assistant_description suggested_prompts",
    "oauth_config": "redirect_urls scopes token_management_enabled pkce_enabled",
    "oauth_config/scopes": "bot user bot_optional user_optional",
    "settings": "allowed_ip_address_ranges event_subscriptions interactivity org_deploy_enabled socket_mode_enabled "
    "token_rotation_enabled is_hosted hermes_app_type function_runtime incoming_webhooks siws_links",
    "settings/event_subscriptions": "request_url bot_events user_events metadata_subscriptions",
    "settings/interactivity": "is_enabled request_url message_menu_options_url",
}
LENGTHS = {
    "display_information/name": 35,
    "display_information/description": 140,
    "display_information/long_description": 4000,
    "features/bot_user/display_name": 80,
    "features/agent_view/agent_description": 300,
    "features/assistant_view/assistant_description": 300,
}
COMMAND_KEYS = "command description usage_hint should_escape url"
SHORTCUT_KEYS = "name type callback_id description"
SCOPES = (
    "app_mentions:read assistant:write bookmarks:read bookmarks:write calls:read calls:write canvases:read "
    "canvases:write channels:history channels:join channels:manage channels:read chat:write chat:write.customize "
    "chat:write.public commands conversations.connect:read conversations.connect:write dnd:read emoji:read "
    "files:read files:write groups:history groups:read groups:write im:history im:read im:write incoming-webhook "
    "links.embed:write links:read links:write lists:read lists:write metadata.message:read mpim:history mpim:read "
    "mpim:write pins:read pins:write reactions:read reactions:write reminders:read reminders:write "
    "remote_files:read remote_files:share remote_files:write search:read.files search:read.public "
    "search:read.users team.preferences:read team:read triggers:read triggers:write usergroups:read "
    "usergroups:write users.profile:read users:read users:read.email users:write workflow.steps:execute"
)
EVENTS = (
    "agent_session_stopped app_context_changed app_home_opened app_mention app_uninstalled "
    "assistant_thread_started assistant_thread_context_changed channel_archive channel_created channel_deleted "
    "channel_id_changed channel_left channel_rename channel_shared channel_unarchive channel_unshared "
    "emoji_changed file_change file_created file_deleted file_public file_shared file_unshared function_executed "
    "group_archive group_deleted group_left group_rename group_unarchive im_history_changed link_shared "
    "member_joined_channel member_left_channel message.channels message.groups message.im message.mpim "
    "message_metadata_deleted message_metadata_posted message_metadata_updated pin_added pin_removed "
    "reaction_added reaction_removed shared_channel_invite_accepted shared_channel_invite_received "
    "subteam_created subteam_updated team_access_granted team_access_revoked team_join team_rename tokens_revoked "
    "user_change user_profile_changed user_status_changed"
)


def check_manifest(manifest: Mapping[str, Any]) -> list[str]:
    """What Slack would not accept in a manifest (parsed already), in words; empty when nothing.

    The lists are what we know of Slack's app manifest reference; a key or scope newer than this file is reported too.
    """
    return [*_keys(manifest, ""), *_lengths(manifest), *_features(manifest), *_scopes(manifest), *_addresses(manifest)]


def _at(manifest: Mapping[str, Any], path: str) -> Any:
    value: Any = manifest
    for name in filter(None, path.split("/")):
        value = value.get(name, {}) if isinstance(value, Mapping) else {}
    return value


def _keys(manifest: Mapping[str, Any], path: str) -> Iterator[str]:
    for place, allowed in KEYS.items():
        part = _at(manifest, place)
        for name in part if isinstance(part, Mapping) else ():
            if name not in allowed.split():
                yield f"{place}/{name}: unknown key"
    if not _at(manifest, "display_information/name"):
        yield "display_information/name: required"


def _lengths(manifest: Mapping[str, Any]) -> Iterator[str]:
    for place, most in LENGTHS.items():
        value = _at(manifest, place)
        if isinstance(value, str) and len(value) > most:
            yield f"{place}: more than {most} characters"


def _features(manifest: Mapping[str, Any]) -> Iterator[str]:
    features, socket = _at(manifest, "features"), bool(_at(manifest, "settings/socket_mode_enabled"))
    if "agent_view" in features and "assistant_view" in features:
        yield "features: agent_view and assistant_view exclude one another"
    for entry in features.get("slash_commands", ()):
        yield from _entry(entry, COMMAND_KEYS, "command", "description")
        if not str(entry.get("command", "")).startswith("/") or len(entry.get("command", "")) > 32:
            yield f"slash command {entry.get('command')}: begins with / and has at most 32 characters"
        if not socket and not entry.get("url"):
            yield f"slash command {entry.get('command')}: needs url without Socket Mode"
    for entry in features.get("shortcuts", ()):
        yield from _entry(entry, SHORTCUT_KEYS, "name", "type", "callback_id", "description")
        if len(entry.get("name", "")) > 24 or len(entry.get("description", "")) > 150:
            yield f"shortcut {entry.get('name')}: name at most 24, description at most 150 characters"
    if features.get("slash_commands") or features.get("shortcuts"):
        yield from _needs(manifest, "commands", "slash commands and shortcuts")
    if "agent_view" in features or "assistant_view" in features:
        yield from _needs(manifest, "assistant:write", "agent_view")


def _entry(entry: Mapping[str, Any], allowed: str, *required: str) -> Iterator[str]:
    named = entry.get("command") or entry.get("name")
    yield from (f"{named}: unknown key {name}" for name in entry if name not in allowed.split())
    yield from (f"{named}: {name} is required" for name in required if not entry.get(name))


def _scopes(manifest: Mapping[str, Any]) -> Iterator[str]:
    held = _at(manifest, "oauth_config/scopes/bot") or []
    yield from (f"unknown scope {scope}" for scope in held if scope not in SCOPES.split())
    for event in _at(manifest, "settings/event_subscriptions/bot_events") or []:
        if event not in EVENTS.split():
            yield f"unknown event {event}"
        if event in EVENT_SCOPES:
            yield from _needs(manifest, EVENT_SCOPES[event], event)


def _needs(manifest: Mapping[str, Any], scope: str, what: str) -> Iterator[str]:
    if scope not in (_at(manifest, "oauth_config/scopes/bot") or []):
        yield f"{what}: needs the scope {scope}"


def _addresses(manifest: Mapping[str, Any]) -> Iterator[str]:
    socket = bool(_at(manifest, "settings/socket_mode_enabled"))
    for url in _at(manifest, "oauth_config/redirect_urls") or []:
        if not str(url).startswith("https://"):
            yield f"redirect url {url}: must be https"
    for place in ("settings/event_subscriptions", "settings/interactivity"):
        part = _at(manifest, place)
        wanted = part.get("bot_events") or part.get("is_enabled")
        if wanted and not socket and not str(part.get("request_url", "")).startswith("https://"):
            yield f"{place}/request_url: must be an https address without Socket Mode"
