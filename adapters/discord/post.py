"""Posts, edits and deletes single messages at Discord, through the channel or by an interaction's token."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
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
from adapters.discord.parse_parts import EPHEMERAL, REPLY, VOICE
from adapters.discord.target import Target

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
"""The flag of a message that only shows that the app is thinking. Source: Discord, Message Flags."""
FIRST = "0"
"""The key of an answer's first message."""
log = logging.getLogger(__name__)


def nonce_of(turn_id: str, key: str) -> str:
    """The nonce of one message of an answer, at most 25 characters. Discord posts the same nonce only once within some minutes."""
    return hashlib.sha256(f"{turn_id}/{key}".encode()).hexdigest()[:24]


class Posts:
    """Writes messages. `held`: the caller has been through the rate limiter already."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client
        self._without_reference: set[str] = set()

    def bucket_of(self, target: Target, message_id: str | None, part: int) -> tuple[str, str, bool]:
        """The rate-limit bucket of the next write: kind of call, channel or token, and whether it counts globally."""
        uses_hook = self.has_token(target) and (
            message_id in target.webhook_message_ids
            or target.needs_token
            or (message_id is None and part == 0 and target.ref.edits_original)
        )
        kind = "PATCH" if message_id is not None or (uses_hook and part == 0 and target.ref.edits_original) else "POST"
        return kind, target.token if uses_hook else target.channel_id, not uses_hook

    async def _send(
        self, method: str, path: str, body: Any, files: Sequence[Upload] = (), *, held: bool = False, **place: Any
    ) -> Any:
        send = self._client.call if held else self._client.write
        return await send(method, path, body, files, **place)

    def has_token(self, target: Target) -> bool:
        """Whether the interaction's token can still be used."""
        return bool(target.token) and self._client.host.clock.now().timestamp() < target.ref.token_expires_at

    async def create(
        self, target: Target, key: str, body: dict[str, Any], files: Sequence[Upload] = (), *, held: bool = False
    ) -> str:
        """Post a message and return its id. An interaction's first one replaces its loading message. Raises DiscordError."""
        body = {**body, "allowed_mentions": QUIET, "flags": NO_EMBEDS}
        if self.has_token(target) and (target.needs_token or (key == FIRST and target.ref.edits_original)):
            try:
                return await self._by_hook(target, key, body, files, held=held)
            except DiscordError as error:
                if not self._is_over(target, error):
                    raise
        if target.needs_token:
            return await self._privately(target, key, body, files)
        return await self._in_channel(target, target.channel_id, key, body, files, held=held)

    def _is_over(self, target: Target, error: DiscordError) -> bool:
        """Whether the token has expired or its original message was deleted. Then it is not used again."""
        if error.discord_code in TOKEN_GONE or error.status in (401, 404):
            target.token = ""
            return True
        return False

    async def _by_hook(
        self, target: Target, key: str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> str:
        hook: dict[str, Any] = {"webhook_id": target.ref.application_id, "webhook_token": target.token}
        if key == FIRST and target.ref.edits_original:
            answer = await self._send("PATCH", f"{HOOK}/messages/@original", body, files, held=held, **hook)
        else:
            body, params = {**body, "flags": _flags(target)}, {"wait": "true"}
            answer = await self._send("POST", HOOK, body, files, held=held, params=params, **hook)
        target.webhook_message_ids.add(str(answer["id"]))
        return str(answer["id"])

    async def _in_channel(
        self, target: Target, at: str, key: str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> str:
        said = {**body, "nonce": nonce_of(target.turn_id, key), "enforce_nonce": True}
        if target.ref.reply_to_id and at == target.channel_id:
            said["message_reference"] = {"message_id": target.ref.reply_to_id, "fail_if_not_exists": False}
        if at in self._without_reference:
            said.pop("message_reference", None)
        try:
            answer = await self._send("POST", MESSAGES, said, files, held=held, channel_id=at)
        except DiscordError as error:
            if error.discord_code != NO_HISTORY or "message_reference" not in said:
                raise
            self._without_reference.add(at)  # without Read Message History, a reply is refused
            del said["message_reference"]
            answer = await self._send("POST", MESSAGES, said, files, held=held, channel_id=at)
        return str(answer["id"])

    async def _privately(self, target: Target, key: str, body: dict[str, Any], files: Sequence[Upload]) -> str:
        """Post into the person's direct messages: the token has expired, and nobody else may see it."""
        if not target.fallback_dm:
            channel = await self._client.call("POST", "/users/@me/channels", {"recipient_id": target.ref.user_id})
            target.fallback_dm = str(channel["id"])
        return await self._in_channel(target, target.fallback_dm, key, body, files, held=False)

    async def edit(
        self, target: Target, message_id: str, body: dict[str, Any], files: Sequence[Upload] = (), *, held: bool = False
    ) -> bool:
        """Edit one of our messages; False when it was deleted. Raises DiscordError."""
        body = {**body, "allowed_mentions": QUIET, "flags": NO_EMBEDS}
        if message_id in target.webhook_message_ids and self.has_token(target):
            try:
                await self._edit_by_hook(target, message_id, body, files, held=held)
                return True
            except DiscordError as error:
                if error.discord_code == UNKNOWN_MESSAGE:
                    return False
                if not self._is_over(target, error):
                    raise
        if message_id in target.webhook_message_ids and target.needs_token:
            return False
        return await self._edit_in_channel(target, message_id, body, files, held=held)

    async def _edit_by_hook(
        self, target: Target, message_id: str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> None:
        hook: dict[str, Any] = {
            "webhook_id": target.ref.application_id,
            "webhook_token": target.token,
            "message_id": message_id,
        }
        body = {**body, "flags": _flags(target)}
        await self._send("PATCH", f"{HOOK}/messages/{{message_id}}", body, files, held=held, **hook)

    async def _edit_in_channel(
        self, target: Target, message_id: str, body: dict[str, Any], files: Sequence[Upload], *, held: bool
    ) -> bool:
        place: dict[str, Any] = {"channel_id": target.fallback_dm or target.channel_id, "message_id": message_id}
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
        """Delete one of our messages. A failure is logged."""
        try:
            if message_id in target.webhook_message_ids and self.has_token(target):
                hook: dict[str, Any] = {
                    "webhook_id": target.ref.application_id,
                    "webhook_token": target.token,
                    "message_id": message_id,
                }
                await self._send("DELETE", f"{HOOK}/messages/{{message_id}}", None, **hook)
            else:
                place: dict[str, Any] = {
                    "channel_id": target.fallback_dm or target.channel_id,
                    "message_id": message_id,
                }
                await self._send("DELETE", MESSAGE, None, **place)
        except DiscordError as error:
            log.info("taking a message back at Discord: %s", error.detail)

    async def voice(self, target: Target, key: str, file: Upload) -> str:
        """Post a native voice message and return its id. It has no other content and never goes by a token. Raises DiscordError.

        Source: Discord, Message Flags.
        """
        return await self._in_channel(
            target, target.channel_id, key, {"flags": VOICE, "allowed_mentions": QUIET}, [file], held=False
        )

    async def type(self, at: str) -> None:
        """Show the typing indicator for ten seconds. A failure is logged."""
        try:
            await self._client.call("POST", "/channels/{channel_id}/typing", channel_id=at)
        except DiscordError as error:
            log.debug("typing: %s", error.detail)

    async def look_up(self, target: Target, bot_id: str) -> list[str]:
        """The ids of the messages that an interrupted attempt posted beneath the question, oldest first."""
        original = await self._original(target)
        after = target.ref.reply_to_id or target.ref.question_id
        if original and (target.needs_token or not after.isdigit()):
            return original
        if not after.isdigit() or target.needs_token:
            return []
        try:
            found = await self._client.call(
                "GET", MESSAGES, channel_id=target.channel_id, params={"after": after, "limit": "100"}
            )
        except DiscordError as error:
            log.info("looking for an earlier attempt: %s", error.detail)
            return []
        ours = [one for one in found if (one.get("author") or {}).get("id") == bot_id and _answers(one, target)]
        return list(dict.fromkeys([*original, *sorted((str(one["id"]) for one in ours), key=int)]))

    async def _original(self, target: Target) -> list[str]:
        """The first message of an interaction's answer, if it holds text already. It carries no nonce."""
        if not target.ref.edits_original or not self.has_token(target):
            return []
        hook: dict[str, Any] = {"webhook_id": target.ref.application_id, "webhook_token": target.token}
        try:
            found = await self._client.call("GET", f"{HOOK}/messages/@original", **hook)
        except DiscordError as error:
            log.info("looking for an interaction's answer: %s", error.detail)
            return []
        if int(found.get("flags") or 0) & LOADING:
            return []
        target.webhook_message_ids.add(str(found["id"]))
        return [str(found["id"])]


def _flags(target: Target) -> int:
    """The flags of a message that is written by the interaction's token."""
    return NO_EMBEDS | (EPHEMERAL if target.ref.is_ephemeral else 0)


def _answers(message: dict[str, Any], target: Target) -> bool:
    """Whether a message of ours belongs to this answer: it carries its nonce, or stands beneath its question."""
    nonces = {nonce_of(target.turn_id, str(part)) for part in range(20)}
    if str(message.get("nonce")) in nonces:
        return True
    reference = message.get("message_reference") or {}
    is_beneath = (
        message.get("type") == REPLY
        and str(reference.get("message_id")) == target.ref.reply_to_id == target.ref.question_id
    )
    return is_beneath and not int(message.get("flags") or 0) & VOICE
