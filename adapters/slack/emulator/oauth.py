"""Owns installing: the consent page, codes, `oauth.v2.access`, refresh tokens, and organisation-wide installs."""

from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from .desk import Desk
from .registry import Call, SlackError, method
from .workspace import Installation, Json, Team, Token, User
from .world import World

TOKEN_LIFE_S = 43_200
"""Rotated tokens live twelve hours. Source: Slack, Token rotation."""
CODE_LIFE_S = 600.0


@dataclass
class Grant:
    """What a person has agreed to."""

    user: str
    team_id: str
    scopes: list[str]
    redirect_uri: str
    is_wide: bool = False
    user_scopes: list[str] = field(default_factory=list)


def install(world: World, grant: Grant) -> tuple[Installation, Token]:
    """Put the app into a workspace or organisation and make its bot token."""
    team = world.teams[grant.team_id]
    teams = (
        [each for each in world.teams.values() if each.enterprise_id == team.enterprise_id] if grant.is_wide else [team]
    )
    bots = {each.id: _bot_user(world, each).id for each in teams}
    for old in world.installations:
        if (old.team_id, old.enterprise_id) == (None if grant.is_wide else team.id, team.enterprise_id):
            old.active = False
    installed = Installation(
        None if grant.is_wide else team.id, team.enterprise_id, bots, team.bot_id, list(grant.scopes)
    )
    world.installations.append(installed)
    world.changed("installation", team_id=team.id)
    return installed, new_token(world, installed)


def new_token(world: World, installed: Installation) -> Token:
    """A fresh bot token; with rotation it expires and has a refresh token."""
    rotating = world.app.token_rotation
    value = world.ids.secret("xoxe.xoxb-" if rotating else "xoxb-", 32)
    bot = installed.bot_user_ids[installed.team_id] if installed.team_id else None
    scopes = list(installed.scopes)
    token = Token(value, "bot", world.app.app_id, installed.team_id, installed.enterprise_id, bot, scopes)
    if rotating:
        token.expires_at = world.clock.now() + TOKEN_LIFE_S
        token.refresh_token = world.ids.secret("xoxe-", 32)
    world.tokens[value] = token
    return token


def _bot_user(world: World, team: Team) -> User:
    if team.bot_user_id:
        return world.users[team.bot_user_id]
    user = world.add_user(team, world.app.bot_name, world.app.name, is_bot=True)
    team.bot_user_id, team.bot_id = user.id, world.ids.new("B")
    user.bot_id, user.app_id = team.bot_id, world.app.app_id
    return user


def new_code(desk: Desk, grant: Grant) -> str:
    """A code that `oauth.v2.access` takes once, within ten minutes."""
    code = desk.world.ids.secret("code.", 30)
    desk.codes[code] = {"grant": grant, "at": desk.world.clock.now()}
    return code


@method("oauth.v2.access", tier="none", token="none")
def access(call: Call) -> Json:
    """Exchange a code, or a refresh token, for tokens. Source: Slack, oauth.v2.access."""
    _check_client(call)
    if call.text("grant_type", required=False) == "refresh_token":
        return _refreshed(call)
    world, code = call.desk.world, call.text("code", required=False)
    given = call.desk.codes.pop(code, None)
    if given is None or world.clock.now() - given["at"] > CODE_LIFE_S:
        raise SlackError("invalid_code" if given is None else "code_expired")
    grant: Grant = given["grant"]
    redirect = call.text("redirect_uri", required=False)
    if redirect and redirect != grant.redirect_uri:
        raise SlackError("bad_redirect_uri")
    installed, token = install(world, grant)
    return _answer(world, installed, token, grant.user)


@method("oauth.v2.exchange", tier="none", token="none")
def exchange(call: Call) -> Json:
    """Exchange a long-lived token for one that expires. Source: Slack, oauth.v2.exchange."""
    _check_client(call)
    if not call.desk.world.app.token_rotation:
        raise SlackError("token_rotation_not_enabled")
    if call.token is None or call.token.revoked:
        raise SlackError("invalid_auth")
    installed = _installation_of(call.desk.world, call.token)
    return _answer(call.desk.world, installed, new_token(call.desk.world, installed), "")


def _refreshed(call: Call) -> Json:
    world, given = call.desk.world, call.text("refresh_token", required=False)
    old = next((token for token in world.tokens.values() if token.refresh_token == given and given), None)
    if old is None or old.revoked:
        raise SlackError("invalid_refresh_token")
    old.refresh_token = None
    old.expires_at = min(old.expires_at or 0, world.clock.now())
    installed = _installation_of(world, old)
    return _answer(world, installed, new_token(world, installed), "")


def _installation_of(world: World, token: Token) -> Installation:
    for installed in world.installations:
        if installed.active and (installed.team_id, installed.enterprise_id) == (token.team_id, token.enterprise_id):
            return installed
    raise SlackError("invalid_auth")


def _check_client(call: Call) -> None:
    app = call.desk.world.app
    if call.text("client_id", required=False) != app.client_id:
        raise SlackError("invalid_client_id")
    if call.text("client_secret", required=False) != app.client_secret:
        raise SlackError("bad_client_secret")


def _answer(world: World, installed: Installation, token: Token, user: str) -> Json:
    team = world.teams[installed.team_id] if installed.team_id else None
    enterprise = {"id": installed.enterprise_id, "name": world.enterprise_name} if installed.enterprise_id else None
    answer: Json = {
        "app_id": world.app.app_id,
        "authed_user": {"id": user},
        "scope": ",".join(token.scopes),
        "token_type": "bot",
        "access_token": token.value,
        "bot_user_id": next(iter(installed.bot_user_ids.values())),
        "team": {"id": team.id, "name": team.name} if team else None,
        "enterprise": enterprise,
        "is_enterprise_install": team is None,
    }
    if token.expires_at is not None:
        lasts = int(token.expires_at - world.clock.now())
        answer |= {"expires_in": lasts, "refresh_token": token.refresh_token}
    return answer


# -- the page on which a person agrees


class Consent:
    """Serves `/oauth/v2/authorize`: a page to agree on, and the way back with a code."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, request: web.Request) -> web.Response:
        """Show what the app wants; or say what is wrong with the request."""
        problem = self._problem(request)
        if problem:
            return web.Response(status=400, text=problem)
        world, query = self._desk.world, request.query
        options = "".join(f'<option value="{team.id}">{escape(team.name)}</option>' for team in world.teams.values())
        scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query.get("scope", "").split(","))
        hidden = "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in query.items())
        page = CONSENT_PAGE.format(app=escape(world.app.name), teams=options, scopes=scopes, hidden=hidden)
        return web.Response(text=page, content_type="text/html")

    async def agree(self, request: web.Request) -> web.Response:
        """Send the person back to the app with a code, or with `access_denied`."""
        form = {key: str(value) for key, value in (await request.post()).items()}
        back: Json = {"state": form.get("state", "")}
        if form.get("answer") == "deny":
            back["error"] = "access_denied"
        else:
            back["code"] = new_code(self._desk, self._grant(form))
        raise web.HTTPFound(f"{form['redirect_uri']}?{urlencode(back)}")

    def _grant(self, form: dict[str, str]) -> Grant:
        world = self._desk.world
        team = form.get("team") or next(iter(world.teams))
        person = next(user.id for user in world.users.values() if user.team_id == team and not user.is_bot)
        scopes = form.get("scope", "").split(",")
        return Grant(person, team, scopes, form["redirect_uri"], form.get("wide") == "1")

    def _problem(self, request: web.Request) -> str:
        app, query = self._desk.world.app, request.query
        if query.get("client_id") != app.client_id:
            return "invalid_client_id"
        if not query.get("redirect_uri"):
            return "missing redirect_uri"
        if app.redirect_urls and not query["redirect_uri"].startswith(app.redirect_urls):
            return "redirect_uri did not match any configured URIs"
        if not query.get("scope"):
            return "invalid_scope_requested"
        return ""


CONSENT_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Install {app}</title>
<style>body{{font:16px system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}}
button{{font:inherit;padding:.5rem 1rem}}</style>
<h1>{app} is requesting permission</h1><form method="post">{hidden}
<label>Workspace <select name="team">{teams}</select></label>
<p>It will be able to use:</p><ul>{scopes}</ul>
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Cancel</button></form></html>"""
