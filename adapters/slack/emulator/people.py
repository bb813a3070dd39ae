"""Owns the methods about who is who: `auth.*`, `users.*`, `usergroups.*`, `bots.*`, `team.*`, `apps.*`, `api.test`."""

from .conversations import paged
from .payloads import bot_profile, team_json, user_json
from .registry import Call, SlackError, method
from .workspace import Installation, Json, User


@method("api.test", tier="none", token="none")
def api_test(call: Call) -> Json:
    """Echo the arguments. Source: Slack, api.test."""
    if error := call.text("error", required=False):
        raise SlackError(error, args=call.args)
    return {"args": call.args}


@method("auth.test", tier="auth")
def auth_test(call: Call) -> Json:
    """Who the token is. Source: Slack, auth.test."""
    world, token = call.desk.world, call.bearer
    wide = token.team_id is None
    answer: Json = {"is_enterprise_install": wide, "enterprise_id": token.enterprise_id, "app_id": token.app_id}
    if wide and not call.args.get("team_id"):
        host = {"url": "https://emulator.enterprise.slack.com/", "team": world.enterprise_name}
        return answer | host | {"team_id": token.enterprise_id, "user": world.app.bot_name, **_any_bot(call)}
    team, user = call.team, world.users[call.me]
    answer |= {"url": f"https://{team.domain}.slack.com/", "team": team.name, "team_id": team.id}
    answer |= {"user": user.name, "user_id": user.id, "app_name": world.app.name}
    if token.expires_at is not None:
        answer["expires_in"] = int(token.expires_at - world.clock.now())
    return answer | ({"bot_id": team.bot_id} if token.kind == "bot" else {})


def _any_bot(call: Call) -> Json:
    for installation in call.desk.world.installations:
        if installation.team_id is None and installation.enterprise_id == call.bearer.enterprise_id:
            return {"user_id": next(iter(installation.bot_user_ids.values())), "bot_id": installation.bot_id}
    return {}


@method("auth.teams.list", tier="t2")
def auth_teams_list(call: Call) -> Json:
    """The workspaces that the token works in. Source: Slack, auth.teams.list."""
    world, token = call.desk.world, call.bearer
    teams = [
        team
        for team in world.teams.values()
        if team.id == token.team_id or (not token.team_id and team.enterprise_id == token.enterprise_id)
    ]
    page, cursor = paged(call, teams)
    shown = [{"id": team.id, "name": team.name} for team in page]
    return {"teams": shown, "response_metadata": {"next_cursor": cursor}}


@method("auth.revoke", tier="t3")
def auth_revoke(call: Call) -> Json:
    """Give a token back. Source: Slack, auth.revoke."""
    if call.flag("test"):
        return {"revoked": False}
    call.bearer.revoked = True
    revoke_tokens(call, uninstalled=call.bearer.kind == "bot")
    return {"revoked": True}


def revoke_tokens(call: Call, *, uninstalled: bool) -> None:
    """Tell the app of the token's end, and of its own removal when that was its last."""
    token, world = call.bearer, call.desk.world
    team_id = token.team_id or next(team for team in world.teams if world.teams[team].enterprise_id)
    bots, users = ([token.user_id or call.me], []) if token.kind == "bot" else ([], [str(token.user_id)])
    call.desk.events.revoked(team_id, bots=bots, users=users, uninstalled=uninstalled)
    if uninstalled:
        deactivate(world.installations, token.team_id, token.enterprise_id)


def deactivate(installations: list[Installation], team_id: str | None, enterprise_id: str | None) -> None:
    """End the installation of this workspace or organisation."""
    for installation in installations:
        if (installation.team_id, installation.enterprise_id) == (team_id, enterprise_id):
            installation.active = False


@method("apps.uninstall", tier="t1")
def apps_uninstall(call: Call) -> Json:
    """Remove the app from the workspace. Source: Slack, apps.uninstall."""
    app = call.desk.world.app
    if (call.text("client_id"), call.text("client_secret")) != (app.client_id, app.client_secret):
        raise SlackError("invalid_client_id")
    revoke_tokens(call, uninstalled=True)
    for token in call.desk.world.tokens.values():
        if token.team_id == call.bearer.team_id and token.kind != "app":
            token.revoked = True
    return {}


@method("apps.connections.open", "connections:write", tier="t1", token="app")
def connections_open(call: Call) -> Json:
    """An address for a WebSocket. Source: Slack, apps.connections.open."""
    if not call.desk.world.app.socket_mode:
        raise SlackError("not_enabled")
    return {"url": call.desk.sockets.open_url()}


@method("users.info", "users:read", tier="t4")
def users_info(call: Call) -> Json:
    """One user; strangers of shared channels too. Source: Slack, users.info."""
    user = _visible(call, call.text("user"))
    return {"user": user_json(call.desk.world, user, locale=call.flag("include_locale"))}


def _visible(call: Call, user_id: str) -> User:
    user, world = call.desk.world.users.get(user_id), call.desk.world
    if user is None:
        raise SlackError("user_not_found")
    team = call.team.id
    met = any(team in (c.team_id, *c.connected_team_ids) and user_id in c.members for c in world.channels.values())
    if user.team_id != team and not met:
        raise SlackError("user_not_visible")
    return user


@method("users.list", "users:read", tier="t2")
def users_list(call: Call) -> Json:
    """The workspace's users. Source: Slack, users.list."""
    world, team = call.desk.world, call.team.id
    page, cursor = paged(call, [user for user in world.users.values() if user.team_id == team])
    shown = [user_json(world, user, locale=call.flag("include_locale")) for user in page]
    return {"members": shown, "cache_ts": int(world.clock.now()), "response_metadata": {"next_cursor": cursor}}


@method("usergroups.list", "usergroups:read", tier="t2")
def usergroups_list(call: Call) -> Json:
    """The workspace's user groups. Source: Slack, usergroups.list."""
    groups = [group for group in call.desk.world.groups.values() if group.team_id == call.team.id]
    shown = [
        {"id": g.id, "team_id": g.team_id, "handle": g.handle, "name": g.name, "is_usergroup": True} for g in groups
    ]
    if call.flag("include_users"):
        shown = [entry | {"users": group.users} for entry, group in zip(shown, groups, strict=True)]
    return {"usergroups": shown}


@method("bots.info", "users:read", tier="t3")
def bots_info(call: Call) -> Json:
    """A bot by its B id. Source: Slack, bots.info."""
    wanted, world = call.text("bot", required=False), call.desk.world
    if wanted == call.team.bot_id:
        profile = bot_profile(world, call.team.id) | {"user_id": call.me}
        del profile["team_id"]
        return {"bot": profile}
    for user in world.users.values():
        if user.bot_id == wanted:
            return {"bot": {"id": wanted, "deleted": False, "name": user.real_name, "user_id": user.id, "icons": {}}}
    raise SlackError("bot_not_found")


@method("team.info", "team:read")
def team_info(call: Call) -> Json:
    """The workspace. Source: Slack, team.info."""
    return {"team": team_json(call.desk.world, call.team)}
