"""From a parsed delivery to the inbox, with what only Slack can tell: names, the channel looked at, what a Stop is about."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from cachetools import LRUCache, TTLCache

from adapters.shared.tasks import cancel
from adapters.slack.client import SlackClient
from adapters.slack.entities import Directory
from adapters.slack.errors import SlackError
from adapters.slack.files import Files
from adapters.slack.forms import Forms
from adapters.slack.parse_parts import Payload, bot_user
from adapters.slack.ref import SlackRef
from adapters.slack.rights import Rights
from bot.errors import StoreError
from bot.policy.addressing import as_command
from bot.policy.permissions import FREE_ACTIONS
from bot.ports import Accept
from bot.types import EPOCH, Accepted, ButtonPress, Command, CommandSpec, Inbound, InboundMessage

MAX_LOOKERS = 5_000
LOOKING_AT_S = 600.0
"""A channel that somebody looked at longer ago is not what they ask about."""
RIGHTS_S = 1.0
"""Asking what a person may takes at most this long: Slack wants its answer within 3 s, and names are looked up as well."""
MAX_WRITING = 2_000
SETTING_COMMANDS = ("settings", "persona")
MAX_ENTRIES = 50
"""Of a thread, among which the question is that a Stop is about."""


class Intake:
    """Writes deliveries down."""

    def __init__(self, client: SlackClient, directory: Directory, files: Files, rights: Rights) -> None:
        self._client, self._directory, self._files, self._rights = client, directory, files, rights
        self._forms = Forms(client)
        self.looking_at: TTLCache[tuple[str, str], str] = TTLCache(
            MAX_LOOKERS, LOOKING_AT_S, client.host.clock.monotonic
        )
        """By workspace and person: the channel beside which they have the agent panel open."""
        self._writing: LRUCache[tuple[str, str], asyncio.Task[Accepted]] = LRUCache(MAX_WRITING)

    async def hand_in(self, body: Payload, inbound: Inbound, accept: Accept) -> Accepted:
        """Have it accepted; when this returns it is written. Raises StoreError: then nothing was written.

        A post that arrives as mention and as message, or again, is written by whichever comes first, and the others wait for that.
        """
        if not isinstance(inbound, InboundMessage):
            return await accept(await self._prepare(body, inbound))
        key = (inbound.address.channel, inbound.message_id)
        task = self._writing.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._writing[key] = asyncio.create_task(self._write(body, inbound, accept))
        return await asyncio.shield(task)

    async def _write(self, body: Payload, inbound: InboundMessage, accept: Accept) -> Accepted:
        return await accept(await self._prepare(body, inbound))

    async def close(self) -> None:
        """End what is under way."""
        await cancel(*self._writing.values())

    # --- what the delivery itself does not tell ---

    async def _prepare(self, body: Payload, inbound: Inbound) -> Inbound:
        """With names for ids, our own posts recognised, and a time where Slack sends none."""
        ref = SlackRef.from_ref(inbound.ref, inbound.address.workspace)
        if ref.response_url:
            ref = replace(ref, response_url=self._forms.lend(ref.response_url))
            inbound = replace(inbound, ref=ref.to_ref())
        await self._client.tokens.remember_workspace(ref.scope, bot_user(body))
        match inbound:
            case InboundMessage():
                inbound = await self._with_context(body, inbound, ref)
            case ButtonPress() if ref.stops_session:
                inbound = await self._with_running_question(inbound)
        if inbound.sent_at == EPOCH:
            inbound = replace(inbound, sent_at=self._client.host.clock.now())
        if isinstance(inbound, InboundMessage | Command):
            inbound = replace(inbound, is_direct=inbound.is_direct or await self._is_alone(inbound, ref))
        named, is_manager = await asyncio.gather(self._directory.with_names(inbound), self._manages_place(inbound, ref))
        return replace(named, author=replace(named.author, is_manager=True)) if is_manager else named

    # --- what Slack lets the person do ---

    async def _is_alone(self, inbound: InboundMessage | Command, ref: SlackRef) -> bool:
        """Whether a command or a shortcut was used in the person's direct message with us: people have such among themselves too.

        Raises StoreError when Slack does not say: then the person tries again.
        """
        channel = inbound.address.channel
        if not channel.startswith("D"):
            return False
        try:
            async with asyncio.timeout(RIGHTS_S):
                return await self._rights.is_alone(ref.scope, ref.user_id, channel)
        except (SlackError, TimeoutError) as error:
            raise StoreError("Slack does not say whose direct message this is.", detail=str(error)) from error

    async def _manages_place(self, inbound: Inbound, ref: SlackRef) -> bool:
        """Whether the person manages the place, where that decides anything. What is not known in time is no."""
        channel = inbound.address.channel
        if channel.startswith("D") or not _needs_manager(inbound, self._client.host.commands):
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(RIGHTS_S):
                return await self._rights.is_manager(ref.scope, ref.user_id, channel)
        return False

    async def _with_context(self, body: Payload, inbound: InboundMessage, ref: SlackRef) -> InboundMessage:
        """A message that is ours or mentions us, even when the delivery does not name us; its files; what the panel looks at."""
        if not bot_user(body):
            inbound = await self._recognised(inbound, ref)
        if inbound.attachments:
            inbound = replace(inbound, attachments=await self._files.described(inbound.attachments))
        if inbound.is_direct and not ref.looking_at:
            channel = self.looking_at.get((inbound.address.workspace, ref.user_id), "")
            inbound = replace(inbound, ref=replace(ref, looking_at=channel).to_ref())
        return inbound

    async def _recognised(self, inbound: InboundMessage, ref: SlackRef) -> InboundMessage:
        try:
            us = (await self._client.identity(ref.scope)).user_id
        except SlackError:
            return inbound
        author = replace(inbound.author, is_bot=inbound.author.is_bot or ref.user_id == us)
        return replace(inbound, author=author, mentions_bot=inbound.mentions_bot or us in ref.mentions)

    async def _with_running_question(self, press: ButtonPress) -> ButtonPress:
        """About the question that is being answered in the thread whose session was stopped."""
        entries = await self._client.host.timeline.entries(press.address, MAX_ENTRIES)
        running = [one.message_id for one in entries if one.is_running and one.role == "user" and one.message_id]
        return replace(press, message_id=running[-1]) if running else press


def _needs_manager(inbound: Inbound, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether more is allowed to who manages the place: buttons under others' answers, and what holds for a whole channel."""
    if isinstance(inbound, ButtonPress):
        return inbound.action not in FREE_ACTIONS
    command = as_command(inbound, commands)
    return isinstance(command, Command) and command.name in SETTING_COMMANDS and bool(command.text.strip())
