"""Interactions: acknowledged at once, then handed in. Forms, suggestions and thanks are answered here."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

from cachetools import TTLCache

from adapters.discord import custom_ids, forms, slash
from adapters.discord.client import UNKNOWN_INTERACTION, DiscordClient, DiscordError
from adapters.discord.directory import Directory
from adapters.discord.entities import MALFORMED, Payload, is_id
from adapters.discord.history import History
from adapters.discord.parse_interactions import (
    asker,
    form_values,
    is_member,
    may_fetch,
    parse_about,
    parse_command,
    parse_press,
    place_of,
    target_of,
)
from adapters.discord.parse_parts import EPHEMERAL
from adapters.discord.post import HOOK, MESSAGE, NO_EMBEDS, QUIET
from adapters.discord.ref import DiscordRef
from adapters.shared.buttons import THANKS
from bot.errors import BotError
from bot.policy.visibility import is_private_answer
from bot.ports import Accept
from bot.types import Accepted, ButtonPress, Command, InboundMessage, Intent, Quoted

SAY, DEFER, DEFER_UPDATE, CHOICES, OPEN_FORM = 4, 5, 6, 8, 9
"""Callback types. Source: Discord, Receiving and Responding, Interaction Callback Type."""
AUTOCOMPLETE = 4
"""The type of an interaction that only wants suggestions. Source: the same, Interaction Type."""
CALLBACK = "/interactions/{webhook_id}/{webhook_token}/callback"
"""Named as a webhook's, so that discord.py does not hold all interactions for one bucket and answer them one by one."""
TOKEN_S = 15 * 60 - 20
"""An interaction's token lives 15 minutes. Source: Discord, Receiving and Responding."""
MAX_TARGETS, TARGET_S = 500, 15 * 60
"""How many, and how long, messages are kept about which somebody is typing a question."""
BUTTON_UNKNOWN = "I no longer know what that button belongs to."
NOT_UNDERSTOOD = "I did not understand what Discord sent me there. Please try it again, or write it to me as a message."
_TargetKey: TypeAlias = tuple[str, str, str, str]
"""Server, channel, person and message."""
log = logging.getLogger(__name__)


class Interactions:
    """Handles the interactions that people trigger."""

    def __init__(self, client: DiscordClient, directory: Directory, history: History) -> None:
        self._client, self._directory, self._history = client, directory, history
        clock = client.host.clock.monotonic
        self._targets: TTLCache[_TargetKey, Payload] = TTLCache(MAX_TARGETS, TARGET_S, clock)
        """Messages about which a question is being typed, and those that were asked for in vain."""

    async def handle(self, data: Payload, accept: Accept) -> None:
        """Handle one interaction, of any kind. Raises BotError; and what `MALFORMED` names, once the person was told in words."""
        self._directory.servers.hear_from(
            str(data.get("channel_id") or ""), str(data.get("guild_id") or ""), asker(data).id
        )
        try:
            await self._handle(data, accept)
        except MALFORMED:
            await self._apologise(data)
            raise

    async def _handle(self, data: Payload, accept: Accept) -> None:
        match data.get("type"), (data.get("data") or {}).get("type"):
            case (2, slash.MESSAGE):
                await self._menu(data, accept)
            case (2, slash.CHAT_INPUT):
                await self._command(data, accept)
            case (3, _):
                await self._pressed(data, accept)
            case (4, _):
                await self._complete(data)
            case (5, _):
                await self._filled(data, accept)

    # --- telling Discord ---

    async def _respond(self, data: Payload, kind: int, body: dict[str, Any] | None = None) -> bool:
        """Send the first response, due within 3 seconds; False when it came too late. One that got lost counts as in time."""
        said: dict[str, Any] = {"type": kind, **({"data": body} if body else {})}
        try:
            place: dict[str, Any] = {"webhook_id": str(data["id"]), "webhook_token": str(data["token"])}
            await self._client.call("POST", CALLBACK, said, **place)
        except DiscordError as error:
            log.warning("an interaction could not be acknowledged: %s", error.detail)
            return bool(error.discord_code != UNKNOWN_INTERACTION)
        return True

    async def _say(self, data: Payload, text: str) -> None:
        """Respond with words that only the person sees."""
        await self._respond(data, SAY, {"content": text, "flags": EPHEMERAL | NO_EMBEDS, "allowed_mentions": QUIET})

    async def _apologise(self, data: Payload) -> None:
        """Say that something was not understood, whether or not there was a response before."""
        if data.get("type") == AUTOCOMPLETE or not (data.get("id") and data.get("token")):
            return
        body = {"content": NOT_UNDERSTOOD, "flags": EPHEMERAL | NO_EMBEDS, "allowed_mentions": QUIET}
        place: dict[str, Any] = {"webhook_id": str(data["id"]), "webhook_token": str(data["token"])}
        try:
            await self._client.call("POST", CALLBACK, {"type": SAY, "data": body}, **place)
        except DiscordError:
            await self._followup_ephemeral(data, NOT_UNDERSTOOD)

    async def _followup_ephemeral(self, data: Payload, text: str) -> None:
        """Send a further message that only the person sees. A failure is logged."""
        body = {"content": text, "flags": EPHEMERAL | NO_EMBEDS, "allowed_mentions": QUIET}
        hook: dict[str, Any] = {"webhook_id": str(data.get("application_id")), "webhook_token": str(data["token"])}
        try:
            await self._client.call("POST", HOOK, body, **hook)
        except DiscordError as error:
            log.info("a message to the person could not be sent: %s", error.detail)

    async def _accept(
        self, data: Payload, inbound: InboundMessage | Command | ButtonPress, accept: Accept, *, in_time: bool
    ) -> Accepted | None:
        """Hand it in. Without a response in time, the answer goes through the channel, if we may write there."""
        ref = DiscordRef.from_ref(inbound.ref)
        if not in_time:
            if not is_member(data) or self._is_private(inbound):
                return None
            ref = replace(ref, token="", edits_original=False)
        ref = self._sealed(ref)
        try:
            return await accept(replace(inbound, ref=ref.to_ref()))
        except BotError as error:
            await self._followup_ephemeral(data, error.text)
            raise

    def _sealed(self, ref: DiscordRef) -> DiscordRef:
        """The ref as it may be written down: whoever has the token can speak in the app's name."""
        expires_at = self._client.host.clock.now() + timedelta(seconds=TOKEN_S)
        token = self._client.short_lived.seal(ref.token, expires_at) if ref.token else ""
        return replace(ref, token=token, token_expires_at=expires_at.timestamp())

    def _is_private(self, inbound: InboundMessage | Command | ButtonPress) -> bool:
        return not isinstance(inbound, ButtonPress) and is_private_answer(inbound, self._client.host.commands)

    # --- commands and menus ---

    async def _command(self, data: Payload, accept: Accept) -> None:
        inbound = parse_command(data, self._client.host.commands)
        in_time = await self._respond(data, DEFER, {"flags": EPHEMERAL} if self._is_private(inbound) else None)
        await self._accept(data, inbound, accept, in_time=in_time)

    async def _menu(self, data: Payload, accept: Accept) -> None:
        intent, target = slash.MENUS.get(str((data.get("data") or {}).get("name"))), target_of(data)
        if intent is None:
            self._targets[_target_key(data, str(target.get("id") or ""))] = target
            await self._respond(data, OPEN_FORM, forms.ask_form(str(target.get("id") or "")))
            return
        in_time = await self._respond(data, DEFER, {"flags": EPHEMERAL})
        await self._about(data, target, intent, accept, in_time=in_time)

    async def _about(
        self, data: Payload, target: Payload, intent: Intent, accept: Accept, *, in_time: bool, question: str = ""
    ) -> None:
        lookup = await self._directory.lookup(target, place_of(data).workspace, asker(data))
        inbound = parse_about(data, target, intent, lookup, question)
        if intent == "summarize" and may_fetch(data):
            inbound = replace(inbound, quoted=await self._from_here(data, target, inbound.quoted))
        await self._accept(data, inbound, accept, in_time=in_time)

    async def _from_here(self, data: Payload, target: Payload, known: tuple[Quoted, ...]) -> tuple[Quoted, ...]:
        """The messages from the target on, or what is known of the target alone when the rest cannot be read."""
        try:
            return (Quoted(await self._history.from_here(place_of(data), str(target.get("id") or ""), asker(data))),)
        except DiscordError as error:
            log.info("messages to summarise could not be read: %s", error.detail)
            return known

    async def _complete(self, data: Payload) -> None:
        options = (data.get("data") or {}).get("options") or ()
        host = self._client.host
        await self._respond(data, CHOICES, {"choices": slash.suggestions(options, host.chat_models(), host.personas)})

    # --- buttons ---

    async def _pressed(self, data: Payload, accept: Accept) -> None:
        custom_id = str((data.get("data") or {}).get("custom_id") or "")
        if custom_id == custom_ids.SETTINGS:
            await self._respond(data, OPEN_FORM, forms.settings_form(self._client.host.commands))
        elif (press := parse_press(data)) and press.action == "edit_image":
            await self._respond(data, OPEN_FORM, forms.edit_form(custom_id))
        elif press:
            await self._press(data, press, accept)
        else:
            await self._say(data, BUTTON_UNKNOWN)

    async def _press(self, data: Payload, press: ButtonPress, accept: Accept) -> None:
        in_time = await self._respond(data, DEFER_UPDATE)
        done = await self._accept(data, press, accept, in_time=in_time)
        if done is not None and done.outcome == "ignored":
            await self._followup_ephemeral(data, BUTTON_UNKNOWN)
        elif done is not None and done.outcome == "refused":
            if done.reason:  # else it was told a moment ago
                await self._followup_ephemeral(data, done.reason)
        elif press.action in THANKS and in_time:
            await self._followup_ephemeral(data, THANKS[press.action])

    # --- forms ---

    async def _filled(self, data: Payload, accept: Accept) -> None:
        custom_id, values = str((data.get("data") or {}).get("custom_id") or ""), form_values(data)
        if custom_id == custom_ids.SETTINGS:
            await self._say(data, await self._chosen(data, values))
        elif custom_id.startswith(f"{custom_ids.ASK}:"):
            in_time = await self._respond(data, DEFER)
            target = await self._target(data, custom_id.removeprefix(f"{custom_ids.ASK}:"))
            await self._about(data, target, "answer", accept, in_time=in_time, question=values.get("words", ""))
        elif press := parse_press(data, values.get("words", "")):
            await self._press(data, press, accept)
        else:
            await self._say(data, BUTTON_UNKNOWN)

    async def _target(self, data: Payload, message_id: str) -> Payload:
        """The message that a question is about.

        The form's id names it, and a client may have changed that. So it is known only if this person opened the form on its menu
        in this channel; any other, as after a restart, is read from this channel if the person may read it.
        """
        key = _target_key(data, message_id)
        if key not in self._targets:
            self._targets[key] = await self._fetch_target(data, message_id)
        return self._targets[key]  # it stays: the same person may ask about the same message again

    async def _fetch_target(self, data: Payload, message_id: str) -> Payload:
        if not may_fetch(data) or not is_id(message_id):
            return {"id": message_id}
        try:
            place: dict[str, Any] = {"channel_id": str(data.get("channel_id")), "message_id": message_id}
            found: Payload = await self._client.look_up(MESSAGE, asker(data).id, **place)
        except DiscordError as error:
            log.info("the message that a question is about could not be read: %s", error.detail)
            return {"id": message_id}
        return found

    async def _chosen(self, data: Payload, values: dict[str, str]) -> str:
        """Set what the person chose; return the sentence to show."""
        place, person = place_of(data), asker(data)
        try:
            name, value = values.get("name", ""), values.get("value", "")
            return await self._client.host.settings.set(place.address(), person.id, "person", name, value)
        except BotError as error:
            return error.text


def _target_key(data: Payload, message_id: str) -> _TargetKey:
    return str(data.get("guild_id") or ""), str(data.get("channel_id") or ""), asker(data).id, message_id
