"""Owns the REST calls on the application: who it is, the gateway's address, and its commands."""

from __future__ import annotations

from typing import Any

from . import wire_people
from .errors import ApiError
from .model import Json
from .rest import Api, Call, Routes, body_of

routes = Routes()
GLOBAL = "/applications/{application_id}/commands"
IN_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"


@routes.add("GET", "/users/@me")
def me(api: Api, call: Call) -> Json:
    """Get Current User."""
    return {
        **wire_people.user_json(api.world.bot),
        "mfa_enabled": True,
        "locale": "en-US",
        "premium_type": 0,
        "email": None,
        "verified": True,
    }


@routes.add("GET", "/oauth2/applications/@me")
@routes.add("GET", "/applications/@me")
def application(api: Api, call: Call) -> Json:
    """Get Current Application."""
    app, world = api.world.app, api.world
    return {
        "id": str(app.id),
        "name": app.name,
        "icon": None,
        "description": "",
        "type": None,
        "bot": wire_people.user_json(world.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "integration_types_config": {"0": {}, "1": {}},
        "verify_key": "00" * 32,
        "flags": app.flags,
        "flags_new": str(app.flags),
        "redirect_uris": [],
        "interactions_endpoint_url": app.interactions_endpoint_url,
        "role_connections_verification_url": None,
        "owner": wire_people.user_json(world.users[app.owner_id]),
        "approximate_guild_count": sum(1 for guild in world.guilds.values() if app.bot_id in guild.members),
        "approximate_user_install_count": len(app.user_installs),
        "approximate_user_authorization_count": len(app.user_installs),
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
    }


@routes.add("GET", "/gateway")
def gateway(api: Api, call: Call) -> Json:
    """Get Gateway."""
    return {"url": api.gateway.url}


@routes.add("GET", "/gateway/bot")
def gateway_bot(api: Api, call: Call) -> Json:
    """Get Gateway Bot, with what the day still allows of IDENTIFYs."""
    app, gate = api.world.app, api.gateway
    reset_s = 0.0
    if gate.identifies:
        reset_s = max(0.0, gate.identifies[0] + 86_400 - api.world.clock.time())
    limit: Json = {
        "total": app.identify_limit,
        "remaining": max(0, gate.identifies_left),
        "reset_after": int(reset_s * 1000),
        "max_concurrency": app.max_concurrency,
    }
    return {"url": gate.url, "shards": app.shards, "session_start_limit": limit}


def _scope(api: Api, call: Call) -> int | None:
    """The server of the path, or None for everywhere; 20012 for another's application."""
    if call.number("application_id") != api.world.app.id:
        raise ApiError(20012)
    return api.world.guild(call.number("guild_id")).id if "guild_id" in call.params else None


def _told(call: Call, command: Json) -> Json:
    """Localisations are told only when asked for."""
    if call.method == "GET" and call.query.get("with_localizations", "").lower() not in ("true", "1"):
        hidden = ("name_localizations", "description_localizations")
        return {key: value for key, value in command.items() if key not in hidden}
    return command


def _list(call: Call) -> list[Any]:
    if not isinstance(call.body, list):
        message = "Only iterables may be used in a ListType"
        raise ApiError(50035, errors={"_errors": [{"code": "LIST_TYPE_CONVERT", "message": message}]})
    return call.body


class Created(dict[str, Any]):
    """An answer with status 201."""

    status = 201


for _base in (GLOBAL, IN_GUILD):

    @routes.add("GET", _base)
    def list_commands(api: Api, call: Call) -> list[Json]:
        """Get Application Commands."""
        return [_told(call, command) for command in api.commands.every(_scope(api, call))]

    @routes.add("PUT", _base)
    def replace_commands(api: Api, call: Call) -> list[Json]:
        """Bulk Overwrite Application Commands."""
        return api.commands.replace_all(_scope(api, call), _list(call))

    @routes.add("POST", _base)
    def create_command(api: Api, call: Call) -> Json:
        """Create Application Command: 201 when new, 200 when it replaced one."""
        made, is_new = api.commands.create(_scope(api, call), body_of(call))
        return Created(made) if is_new else made

    @routes.add("GET", _base + "/{command_id}")
    def get_command(api: Api, call: Call) -> Json:
        """Get Application Command."""
        return api.commands.find(_scope(api, call), call.number("command_id"))

    @routes.add("PATCH", _base + "/{command_id}")
    def edit_command(api: Api, call: Call) -> Json:
        """Edit Application Command."""
        return api.commands.edit(_scope(api, call), call.number("command_id"), body_of(call))

    @routes.add("DELETE", _base + "/{command_id}")
    def delete_command(api: Api, call: Call) -> None:
        """Delete Application Command."""
        api.commands.delete(_scope(api, call), call.number("command_id"))
