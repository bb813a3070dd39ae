"""Owns what a Web API method is: its name, scope and tier, and the call that it answers."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .workspace import Channel, Json, Message, Team, Token

if TYPE_CHECKING:
    from .desk import Desk

Handler = Callable[["Call"], "Json | Awaitable[Json]"]


class SlackError(Exception):
    """An answer with `ok: false`; `more` goes into the answer beside the code."""

    def __init__(self, code: str, *, messages: list[str] | None = None, **more: Any) -> None:
        super().__init__(code)
        self.code, self.more = code, more
        if messages:
            self.more["response_metadata"] = {"messages": messages}


@dataclass(frozen=True)
class Method:
    """A method of the Web API."""

    name: str
    handler: Handler
    scopes: tuple[str, ...]
    """Any one of them is enough; empty: every token will do."""
    tier: str
    """`t1` to `t4`, `post` for chat.postMessage's own rule, `none`. Source: each method's reference page."""
    token: str
    """`bot` (user tokens too), `app`, or `none`."""


METHODS: dict[str, Method] = {}


def method(name: str, *scopes: str, tier: str = "t3", token: str = "bot") -> Callable[[Handler], Handler]:
    """Register the function as the method of this name."""

    def register(handler: Handler) -> Handler:
        METHODS[name] = Method(name, handler, scopes, tier, token)
        return handler

    return register


@dataclass
class Call:
    """One request to the Web API, with what answering it needs."""

    method: Method
    args: Json
    token: Token | None
    desk: "Desk"
    warnings: list[str] = field(default_factory=list)

    # -- arguments

    def text(self, name: str, *, required: bool = True) -> str:
        """A string argument. Raises `invalid_arguments` when a required one is missing."""
        value = self.args.get(name)
        if value in (None, "") and required:
            messages = [f"[ERROR] missing required field: {name}"]
            raise SlackError("invalid_arguments", messages=messages)
        return "" if value is None else str(value)

    def flag(self, name: str) -> bool:
        """A boolean argument, in any of the spellings of forms and JSON."""
        return str(self.args.get(name, "")).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A whole number. Raises `invalid_limit` for `limit`, else `invalid_arguments`."""
        try:
            return int(self.args.get(name) or default)
        except ValueError as error:
            raise SlackError("invalid_limit" if name == "limit" else "invalid_arguments") from error

    def structure(self, name: str, error: str = "invalid_arguments") -> Any:
        """A list or object, given as JSON or as a string of JSON. Raises SlackError(error)."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError as broken:
            raise SlackError(error) from broken

    # -- who and where

    @property
    def bearer(self) -> Token:
        """The token; only for methods that demand one."""
        assert self.token is not None
        return self.token

    @property
    def team(self) -> Team:
        """The workspace of the token; with an organisation's token that of the channel or of `team_id`."""
        teams = self.desk.world.teams
        if self.bearer.team_id:
            return teams[self.bearer.team_id]
        named = self.args.get("team_id") or self._team_of_channel()
        if not named:
            raise SlackError("missing_argument", messages=["[ERROR] missing required field: team_id"])
        if named not in teams or teams[named].enterprise_id != self.bearer.enterprise_id:
            raise SlackError("team_not_found")
        return teams[named]

    def _team_of_channel(self) -> str | None:
        named = str(self.args.get("channel") or self.args.get("channel_id") or "")
        channel = self.desk.world.channels.get(named)
        return channel.team_id if channel else None

    @property
    def me(self) -> str:
        """The user id that the token acts as."""
        if self.bearer.user_id:
            return self.bearer.user_id
        bot = self.desk.world.bot_user(self.team.id)
        if bot is None:
            raise SlackError("account_inactive")
        return bot.id

    def channel(self, name: str = "channel") -> Channel:
        """The conversation that an argument names and the token may see. Raises `channel_not_found`."""
        wanted, world = self.text(name, required=False), self.desk.world
        found = world.channels.get(wanted) or self._by_name(wanted)
        if found is None or self.team.id not in (found.team_id, *found.connected_team_ids):
            raise SlackError("channel_not_found")
        if found.kind != "public" and self.me not in found.members:
            raise SlackError("channel_not_found")
        return found

    def _by_name(self, wanted: str) -> Channel | None:
        if not wanted.startswith("#"):
            return None
        try:
            return self.desk.world.channel_named(wanted, self.team.id)
        except KeyError:
            return None

    def message(self, channel: Channel, name: str = "ts") -> Message:
        """The message that an argument names. Raises `message_not_found`."""
        found = channel.messages.get(self.text(name))
        if found is None:
            raise SlackError("message_not_found")
        return found

    def warn(self, code: str) -> None:
        """Put a warning beside the answer."""
        self.warnings.append(code)
