"""Single messages at Discord: posted once by their nonce, edited, deleted; through the channel, or by an interaction's token."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.discord.client import (
    ARCHIVED,
    DEAD_TOKEN,
    NO_HISTORY,
    UNKNOWN_MESSAGE,
    UNKNOWN_WEBHOOK,
    DiscordClient,
    DiscordError,
    Upload,
)
from adapters.discord.parse import DEFAULT_LIMIT, EPHEMERAL, REPLY, VOICE
from bot.types import Address, Receipt

MESSAGES = "/channels/{channel_id}/messages"
MESSAGE = "/channels/{channel_id}/messages/{message_id}"
HOOK = "/webhooks/{webhook_id}/{webhook_token}"
QUIET = {"parse": [], "replied_user": False}
"""Nobody is pinged. Source: Discord, Allowed Mentions Object."""
NO_EMBEDS = 1 << 2
"""SUPPRESS_EMBEDS: no previews. Fetching one would tell the address's server what a model was led to write into the address, with
nobody clicking. Edits name all flags that are to stay. Source: Discord, Message Flags; Edit Message, `flags`."""
TOKEN_GONE = (DEAD_TOKEN, UNKNOWN_WEBHOOK)
LOADING = 1 << 7
"""Of a message that only shows that work is going on. Source: Discord, Message Flags."""
log = logging.getLogger(__name__)


@dataclass
class Target:
    """Where the answer of a turn goes."""

    turn_id: str
    address: Address
    at: str
    """The channel or thread."""
    anchor: str = ""
    """The message that it answers, as Discord shows it."""
    question: str = ""
    """The inbound's own id, for buttons."""
    root: str = ""
    user: str = ""
    token: str = ""
    """Of the interaction, while it may be used."""
    app: str = ""
    until: float = 0.0
    """When the token ends, in Unix seconds."""
    fills: bool = False
    """The first message fills the place where the interaction shows that work is going on."""
    is_member: bool = True
    is_ephemeral: bool = False
    limit_bytes: int = DEFAULT_LIMIT
    by_hook: set[str] = field(default_factory=set)
    """Messages that were made by the token."""
    asks_here: str = ""
    """The direct channel that stands in for one that cannot be written in any more."""

    @property
    def is_by_token(self) -> bool:
        """Whether only the interaction's token writes here: what it posted is not found again, so the rest waits for the end."""
        return self.is_ephemeral or not self.is_member


def target_of(receipt: Receipt) -> Target:
    """As the receipt remembers it."""
    ref = receipt.ref
    return Target(
        turn_id=receipt.turn_id,
        address=receipt.address,
        at=ref.get("at") or receipt.address.thread or receipt.address.channel,
        anchor=ref.get("anchor", ""),
        question=ref.get("question", ""),
        root=receipt.address.thread,
        user=ref.get("user", ""),
        token=ref.get("token", ""),
        app=ref.get("app", ""),
        until=float(ref.get("until") or 0),
        fills=ref.get("fills") == "1",
        is_member=ref.get("member") != "0",
        is_ephemeral=ref.get("ephemeral") == "1",
        limit_bytes=int(ref.get("limit") or DEFAULT_LIMIT),
        by_hook=set(filter(None, ref.get("hooked", "").split(","))),
    )


def nonce_of(turn_id: str, part: int | str) -> str:
    """Equal for the same part of the same answer: within some minutes Discord then posts it once. At most 25 characters."""
    return hashlib.sha256(f"{turn_id}/{part}".encode()).hexdigest()[:24]


class Posts:
    """Writes messages. `held`: the caller has the rate limiter's turn already."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client
        self._without_reference: set[str] = set()

    def bucket_of(self, target: Target, message_id: str | None, part: int) -> tuple[str, str, bool]:
        """Under which budget the next write goes: kind of call, channel or token, and whether it counts towards all calls."""
        uses_hook = self.has_token(target) and (
            message_id in target.by_hook
            or self._only_hook(target)
            or (message_id is None and part == 0 and target.fills)
        )
        kind = "PATCH" if message_id is not None or (uses_hook and part == 0 and target.fills) else "POST"
        return kind, target.token if uses_hook else target.at, not uses_hook

    def _only_hook(self, target: Target) -> bool:
        return target.is_ephemeral or not target.is_member

    async def _send(
        self, method: str, path: str, body: Any, files: Sequence[Upload] = (), *, held: bool = False, **place: Any
    ) -> Any:
        send = self._client.call if held else self._client.write
        return await send(method, path, body, files, **place)

    def has_token(self, target: Target) -> bool:
        """Whether the interaction's token can still be used."""
        return bool(target.token) and self._client.host.clock.now().timestamp() < target.until

    async def create(
        self, target: Target, part: int | str, body: dict[str, Any], files: Sequence[Upload] = (), *, held: bool = False
    ) -> str:
        """Post a part; gives its id. The first part of an interaction fills its place. Raises DiscordError."""
        body = {**body, "allowed_mentions": QUIET, "flags": NO_EMBEDS}
        only_hook = self._only_hook(target)
        if self.has_token(target) and (only_hook or (part == 0 and target.fills)):
            try:
                return await self._by_hook(target, part, body, files, held=held)
            except DiscordError as error:
                if not self._is_over(target, error):
                    raise
        if only_hook:
            return await self._privately(target, part, body, files)
        return await self._in_channel(target, target.at, part, body, files, held=held)

    def _is_over(self, target: Target, error: DiscordError) -> bool:
        """Whether the token has ended, or what it should fill is gone; it is not used again then."""
        if error.discord_code in TOKEN_GONE or error.status in (401, 404):
            target.token = ""
            return True
        return False

    async def _by_hook(
        self, target: Target, part: int | str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> str:
        hook: dict[str, Any] = {"webhook_id": target.app, "webhook_token": target.token}
        if part == 0 and target.fills:
            answer = await self._send("PATCH", f"{HOOK}/messages/@original", body, files, held=held, **hook)
        else:
            body, params = {**body, "flags": _flags(target)}, {"wait": "true"}
            answer = await self._send("POST", HOOK, body, files, held=held, params=params, **hook)
        target.by_hook.add(str(answer["id"]))
        return str(answer["id"])

    async def _in_channel(
        self, target: Target, at: str, part: int | str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> str:
        said = {**body, "nonce": nonce_of(target.turn_id, part), "enforce_nonce": True}
        if target.anchor and at == target.at:
            said["message_reference"] = {"message_id": target.anchor, "fail_if_not_exists": False}
        if at in self._without_reference:
            said.pop("message_reference", None)
        try:
            answer = await self._send("POST", MESSAGES, said, files, held=held, channel_id=at)
        except DiscordError as error:
            if error.discord_code != NO_HISTORY or "message_reference" not in said:
                raise
            self._without_reference.add(at)  # where we may not read the history, we may not answer in its name either
            del said["message_reference"]
            answer = await self._send("POST", MESSAGES, said, files, held=held, channel_id=at)
        return str(answer["id"])

    async def _privately(self, target: Target, part: int | str, body: dict[str, Any], files: Sequence[Upload]) -> str:
        """The token is over and nobody else may see it: into the person's direct messages."""
        if not target.asks_here:
            channel = await self._client.call("POST", "/users/@me/channels", {"recipient_id": target.user})
            target.asks_here = str(channel["id"])
        return await self._in_channel(target, target.asks_here, part, body, files, held=False)

    async def edit(
        self, target: Target, message_id: str, body: dict[str, Any], files: Sequence[Upload] = (), *, held: bool = False
    ) -> bool:
        """Change a message of ours; False when it is gone. Raises DiscordError."""
        body = {**body, "allowed_mentions": QUIET, "flags": NO_EMBEDS}
        if message_id in target.by_hook and self.has_token(target):
            try:
                await self._edit_by_hook(target, message_id, body, files, held=held)
                return True
            except DiscordError as error:
                if error.discord_code == UNKNOWN_MESSAGE:
                    return False
                if not self._is_over(target, error):
                    raise
        if message_id in target.by_hook and self._only_hook(target):
            return False
        return await self._edit_in_channel(target, message_id, body, files, held=held)

    async def _edit_by_hook(
        self, target: Target, message_id: str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> None:
        hook: dict[str, Any] = {"webhook_id": target.app, "webhook_token": target.token, "message_id": message_id}
        body = {**body, "flags": _flags(target)}
        await self._send("PATCH", f"{HOOK}/messages/{{message_id}}", body, files, held=held, **hook)

    async def _edit_in_channel(
        self, target: Target, message_id: str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> bool:
        place: dict[str, Any] = {"channel_id": target.asks_here or target.at, "message_id": message_id}
        try:
            await self._send("PATCH", MESSAGE, body, files, held=held, **place)
        except DiscordError as error:
            if error.status == 404:
                return False
            if error.discord_code != ARCHIVED:
                raise
            opened = {"archived": False}
            await self._client.call("PATCH", "/channels/{channel_id}", opened, channel_id=place["channel_id"])
            await self._send("PATCH", MESSAGE, body, files, held=held, **place)
        return True

    async def delete(self, target: Target, message_id: str) -> None:
        """Take a message of ours back; harmless when it is gone."""
        try:
            if message_id in target.by_hook and self.has_token(target):
                hook: dict[str, Any] = {
                    "webhook_id": target.app,
                    "webhook_token": target.token,
                    "message_id": message_id,
                }
                await self._send("DELETE", f"{HOOK}/messages/{{message_id}}", None, **hook)
            else:
                place: dict[str, Any] = {"channel_id": target.asks_here or target.at, "message_id": message_id}
                await self._send("DELETE", MESSAGE, None, **place)
        except DiscordError as error:
            log.info("taking a message back at Discord: %s", error.detail)

    async def voice(self, target: Target, part: int | str, file: Upload) -> str:
        """A native voice message: alone in its message, never by a token. Raises DiscordError. Source: Discord, Message Flags."""
        return await self._in_channel(
            target, target.at, part, {"flags": VOICE, "allowed_mentions": QUIET}, [file], held=False
        )

    async def type(self, at: str) -> None:
        """Show that we write, for ten seconds; nothing depends on it."""
        try:
            await self._client.call("POST", "/channels/{channel_id}/typing", channel_id=at)
        except DiscordError as error:
            log.debug("typing: %s", error.detail)

    async def look_up(self, target: Target, bot_id: str) -> list[str]:
        """Ids of what an interrupted attempt posted beneath the question, oldest first."""
        original = await self._original(target)
        after = target.anchor or target.question
        if original and (target.is_ephemeral or not target.is_member or not after.isdigit()):
            return original
        if not after.isdigit() or not target.is_member or target.is_ephemeral:
            return []
        try:
            found = await self._client.call(
                "GET", MESSAGES, channel_id=target.at, params={"after": after, "limit": "100"}
            )
        except DiscordError as error:
            log.info("looking for an earlier attempt: %s", error.detail)
            return []
        ours = [one for one in found if (one.get("author") or {}).get("id") == bot_id and _answers(one, target)]
        return list(dict.fromkeys([*original, *sorted((str(one["id"]) for one in ours), key=int)]))

    async def _original(self, target: Target) -> list[str]:
        """The first message of an interaction's answer, if it holds words already: it carries no nonce to be known by."""
        if not target.fills or not self.has_token(target):
            return []
        hook: dict[str, Any] = {"webhook_id": target.app, "webhook_token": target.token}
        try:
            found = await self._client.call("GET", f"{HOOK}/messages/@original", **hook)
        except DiscordError as error:
            log.info("looking for an interaction's answer: %s", error.detail)
            return []
        if int(found.get("flags") or 0) & LOADING:
            return []
        target.by_hook.add(str(found["id"]))
        return [str(found["id"])]


def _flags(target: Target) -> int:
    """Of a message by the interaction's token."""
    return NO_EMBEDS | (EPHEMERAL if target.is_ephemeral else 0)


def _answers(message: dict[str, Any], target: Target) -> bool:
    """Whether a message of ours belongs to this answer: it carries its nonce, or stands beneath its question."""
    nonces = {nonce_of(target.turn_id, part) for part in range(20)}
    if str(message.get("nonce")) in nonces:
        return True
    reference = message.get("message_reference") or {}
    is_beneath = message.get("type") == REPLY and str(reference.get("message_id")) == target.anchor == target.question
    return is_beneath and not int(message.get("flags") or 0) & VOICE
