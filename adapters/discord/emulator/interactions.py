"""Owns interactions: what a person triggered, the 3 seconds to answer, the token's 15 minutes, what came back."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from . import messages, model, permissions, wire_messages, wire_people, wire_places
from .errors import ApiError
from .messages import Draft
from .model import Channel, Json, Message, User
from .world import Event, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
PONG, MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
FIRST_ANSWER_S, TOKEN_S = 3.0, 900.0
"""How long the first answer may take, and how long the token lives. Source: Discord, Receiving and Responding."""
FOLLOW_UPS_OF_USER_INSTALL = 5


@dataclass(eq=False)
class Interaction:
    """One interaction and all that the app answered."""

    id: int
    token: str
    kind: int
    user: User
    channel: Channel
    data: Json
    created_at: float
    context: int
    owners: dict[str, str]
    message: Message | None = None
    parent: Interaction | None = None
    answer: int | None = None
    """The type of the first callback, or None while there was none."""
    answered_at: float | None = None
    original: Message | None = None
    is_ephemeral: bool = False
    follow_ups: list[Message] = field(default_factory=list)
    choices: list[Json] = field(default_factory=list)
    modal: Json | None = None

    @property
    def guild_id(self) -> int | None:
        """The server where it happened, also one that the bot is not in."""
        return self.channel.guild_id

    @property
    def is_user_install_only(self) -> bool:
        """Whether only the person installed the app, and not this server."""
        return "0" not in self.owners

    def original_is_source(self) -> bool:
        """Whether the original response is the message that was clicked, not one of its own."""
        return self.original is not None and self.original is self.message

    @property
    def responses(self) -> list[Message]:
        """The original response and the follow-ups, in order."""
        return ([self.original] if self.original else []) + self.follow_ups


class Interactions:
    """All interactions by token, and their payloads."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.all: list[Interaction] = []
        self._by_token: dict[str, Interaction] = {}
        self.changed: list[Callable[[Interaction], None]] = []
        """Called when an app answers an interaction."""

    def open(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: Json,
        *,
        message: Message | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        """Create an interaction and send it to the app by the gateway."""
        number = self.world.new_id()
        token = base64.urlsafe_b64encode(f"interaction:{number}:{secrets.token_hex(32)}".encode()).decode().rstrip("=")
        made = Interaction(
            number,
            token,
            kind,
            user,
            channel,
            data,
            self.world.clock.time(),
            self._context(channel),
            self._owners(user, channel),
            message,
            parent,
        )
        self.all.append(made)
        self._by_token[token] = made
        to_gateway = self.world.app.interactions_endpoint_url is None
        event = Event("INTERACTION_CREATE", lambda _: self.payload(made), 0, None, made.guild_id, made, to_gateway)
        self.world.emit(event)
        return made

    def _context(self, channel: Channel) -> int:
        if channel.guild_id is not None:
            return 0
        return 1 if self.world.app.bot_id in channel.recipients else 2

    def _owners(self, user: User, channel: Channel) -> dict[str, str]:
        """Who installed the app here: "0" a server, or "0" for its own direct messages; "1" the person."""
        owners: dict[str, str] = {}
        app = self.world.app
        if channel.guild_id is not None and app.bot_id in self.world.guilds[channel.guild_id].members:
            owners["0"] = str(channel.guild_id)
        if channel.guild_id is None and app.bot_id in channel.recipients:
            owners["0"] = "0"
        if user.id in app.user_installs:
            owners["1"] = str(user.id)
        return owners

    def payload(self, made: Interaction) -> Json:
        """The interaction as INTERACTION_CREATE carries it."""
        world, channel = self.world, made.channel
        told = wire_places.channel_json(world, channel)
        told["permissions"] = wire_people.permissions_text(world, channel, made.user.id)
        body: Json = {
            "id": str(made.id),
            "application_id": str(world.app.id),
            "type": made.kind,
            "token": made.token,
            "version": 1,
            "data": made.data,
            "channel": told,
            "channel_id": str(channel.id),
            "app_permissions": str(self.app_permissions(made)),
            "locale": made.user.locale,
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": made.owners,
            "context": made.context,
            "attachment_size_limit": self.upload_limit(made),
        }
        if made.message:
            body["message"] = wire_messages.message_json(world, made.message, sees_content=True)
        return body | self._who(made)

    def _who(self, made: Interaction) -> Json:
        guild = self.world.guilds.get(made.guild_id or 0)
        if guild is None:
            return {"user": wire_people.user_json(made.user)}
        member = wire_people.member_json(self.world, guild.members[made.user.id])
        member["permissions"] = wire_people.permissions_text(self.world, made.channel, made.user.id)
        told = {"id": str(guild.id), "locale": guild.locale, "features": []}
        return {"guild_id": str(guild.id), "guild_locale": guild.locale, "guild": told, "member": member}

    def app_permissions(self, made: Interaction) -> int:
        """What the app may do there; where only the person installed it, what everyone may, attachments and embeds."""
        if made.is_user_install_only and made.guild_id:
            return permissions.EMBED_LINKS | permissions.ATTACH_FILES | permissions.MENTION_EVERYONE
        if made.guild_id is None:
            return permissions.DIRECT
        return permissions.in_channel(self.world, made.channel, self.world.app.bot_id)

    def upload_limit(self, made: Interaction) -> int:
        """The largest file of an answer, in bytes."""
        guild = self.world.guilds.get(made.guild_id or 0)
        return guild.upload_limit_bytes if guild else 10 * 1024 * 1024

    # -- answering -----------------------------------------------------------------------------------------------

    def to_answer(self, interaction_id: int, token: str) -> Interaction:
        """The interaction that a first callback means: 10062 when unknown or later than 3 s, 40060 when answered."""
        made = self._by_token.get(token)
        if made is None or made.id != interaction_id:
            raise ApiError(10062)
        if made.answer is not None:
            raise ApiError(40060)
        if self.world.clock.time() - made.created_at > FIRST_ANSWER_S:
            raise ApiError(10062)
        return made

    def by_token(self, webhook_id: int, token: str) -> Interaction:
        """The interaction of a webhook path: 10015 before its first answer, 50027 after 15 minutes."""
        made = self._by_token.get(token)
        if webhook_id != self.world.app.id or made is None:
            raise ApiError(10015)
        if self.world.clock.time() - made.created_at > TOKEN_S:
            raise ApiError(50027)
        if made.answer is None:
            raise ApiError(10015)
        return made

    def note(self, made: Interaction, answer: int) -> None:
        """Record the first callback's type."""
        made.answer, made.answered_at = answer, self.world.clock.time()
        self.tell(made)

    def tell(self, made: Interaction) -> None:
        """Let the page and the tests know that something was answered."""
        for listener in self.changed:
            listener(made)

    def post(self, made: Interaction, draft: Draft, *, is_first: bool) -> Message:
        """Put an answer into the channel as the app; the first has the command's type, later ones answer the first."""
        draft.webhook, draft.interaction = True, self._metadata(made)
        if draft.flags & model.EPHEMERAL or self._must_hide(made):
            draft.flags |= model.EPHEMERAL
            draft.ephemeral_to = made.user.id
            for file in draft.attachments:
                file.ephemeral = True
        if is_first and made.kind == COMMAND:
            draft.kind = model.CHAT_INPUT if made.data.get("type") == 1 else model.CONTEXT_MENU
        else:
            target = made.message if is_first else made.original
            draft.reference = model.Reference(target.id, made.channel.id, made.guild_id) if target else None
        return messages.write(self.world, made.channel, self.world.app.bot_id, draft)

    def _must_hide(self, made: Interaction) -> bool:
        """Where a person may not use external apps, their answers are shown to them alone."""
        if not made.is_user_install_only or made.guild_id is None:
            return False
        have = permissions.in_channel(self.world, made.channel, made.user.id)
        return not have & permissions.USE_EXTERNAL_APPS

    def _metadata(self, made: Interaction) -> Json:
        body: Json = {
            "id": str(made.id),
            "type": made.kind,
            "user": wire_people.user_json(made.user),
            "authorizing_integration_owners": made.owners,
        }
        if made.kind == COMPONENT and made.message:
            body["interacted_message_id"] = str(made.message.id)
        if made.kind == MODAL_SUBMIT and made.parent:
            body["triggering_interaction_metadata"] = self._metadata(made.parent)
        if made.data.get("type") == 3 and made.kind == COMMAND:
            body["target_message_id"] = str(made.data["target_id"])
        return body
