"""The step that answers: from what was understood to the events that a platform shows, and the reply in the end."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot import telemetry
from bot.engine.commands import SPECS, CommandContext, run_command, with_platform_command_names
from bot.engine.compose import compose
from bot.engine.display import Display
from bot.engine.draft import Draft
from bot.engine.perceive import Perceived
from bot.engine.respond import respond
from bot.engine.results import Answer
from bot.engine.runtime import Runtime
from bot.errors import BotError
from bot.jobs import current_attempt, retry_delay_s
from bot.policy.prompts import ACTION_PROMPTS
from bot.policy.visibility import history_for
from bot.store import answers, messages
from bot.types import Address, Command, Done, InboundMessage, Message, Receipt, ReplyEvent, Text, TextDelta, Turn

GREETING = "I'm here. What can I do for you? Write, speak or send a file; /help shows more."


async def answer(turn: Turn, perceived: Perceived, display: Display, runtime: Runtime) -> Answer:
    """Give the answer to the display as it comes. Done once it is whole, so that it is recorded before its end is shown.

    Raises BotError.
    """
    if perceived.failure is not None and not isinstance(turn.inbound, Command):
        raise perceived.failure
    user, history = await _read(turn, perceived.message, runtime)
    draft = Draft()
    async with aclosing(_shown(_events(turn, user, history, runtime, draft), draft, turn)) as events:
        try:
            await display.show(events)
        except BotError as error:
            await _announce_retry(turn, display.receipt, error, runtime)
            raise
    return Answer(draft.reply(), tuple(draft.tool_messages), draft.wants_speech)


async def _read(turn: Turn, user: Message, runtime: Runtime) -> tuple[Message, list[Message]]:
    """The question, with the pictures that a button was pressed under, and the history before it."""
    async with runtime.store.read(turn.tenant_id) as tx:
        limit = runtime.limits.history_messages
        told = await messages.history_with_origins(tx, turn.conversation_id, turn.source_id, limit)
        if isinstance(turn.inbound, InboundMessage) and _is_image_action(turn.inbound):
            pictures = await answers.pictures_of(tx, turn.inbound.about_turn_id)
            user = replace(user, parts=(*user.parts, *pictures))
    return user, history_for(turn.requester, await _readable(turn, told, runtime))


async def _readable(turn: Turn, told: Sequence[tuple[Message, str]], runtime: Runtime) -> list[Message]:
    """The history without copies of what stands in channels that the asker may read no more: rights are the platform's, now."""
    here = turn.inbound.address
    elsewhere = {Address(here.platform, here.workspace, origin) for _, origin in told} - {
        Address(here.platform, here.workspace, channel) for channel in ("", here.channel)
    }
    if not elsewhere:
        return [message for message, _ in told]
    readable = await runtime.adapter_for(turn.inbound).readable_by(turn.inbound, elsewhere)
    closed = {place.channel for place in elsewhere if place not in readable}
    return [message for message, origin in told if origin not in closed]


async def _announce_retry(turn: Turn, receipt: Receipt, error: BotError, runtime: Runtime) -> None:
    """Show that another attempt follows; shows nothing when this was the last."""
    if retry_delay_s(current_attempt.get(), error) is not None:
        status = f"{error.text.partition('. ')[0].rstrip('.')}; trying again…"
        await runtime.show_status(turn, receipt, status)


async def _shown(events: AsyncGenerator[ReplyEvent], draft: Draft, turn: Turn) -> AsyncGenerator[ReplyEvent]:
    """Pass every event on to the platform: add it to the draft, time the first text, and end with Done and the whole reply."""
    began, has_text = time.perf_counter(), False
    async with aclosing(events):
        async for event in events:
            if isinstance(event, TextDelta) and not has_text:
                has_text = True
                platform = turn.inbound.address.platform
                telemetry.first_text_seconds.labels(platform).observe(time.perf_counter() - began)
            draft.add(event)
            yield event
    yield Done(draft.reply())


def _events(
    turn: Turn, user: Message, history: Sequence[Message], runtime: Runtime, draft: Draft
) -> AsyncGenerator[ReplyEvent]:
    inbound = turn.inbound
    context = CommandContext(turn, inbound.text, user, history, runtime, draft, SPECS)
    if isinstance(inbound, Command):
        return run_command(context, inbound.name)
    if _is_image_action(inbound):
        return run_command(context, "imagine")
    if inbound.intent == "transcribe":
        return run_command(replace(context, text=""), "transcribe")
    return _chat_events(turn, _with_instruction(inbound, user), history, runtime, draft)


def _is_image_action(inbound: InboundMessage) -> bool:
    """Whether a button under a picture was pressed that makes another one, whatever the model that chats can do."""
    return inbound.intent in ("vary", "edit_image")


def _with_instruction(inbound: InboundMessage, user: Message) -> Message:
    """The question, after the instruction that a message menu stands for."""
    prompt = ACTION_PROMPTS.get(inbound.intent)
    return replace(user, parts=(Text(prompt), *user.parts)) if prompt else user


def _chat_events(
    turn: Turn, user: Message, history: Sequence[Message], runtime: Runtime, draft: Draft
) -> AsyncGenerator[ReplyEvent]:
    if not user.parts:
        return _greeting(turn, runtime)
    profile = runtime.models.chat(turn.settings).profile
    instructions, is_shared = runtime.prompt_for(turn.settings), not turn.inbound.is_direct
    prompt = compose(history, user, turn.settings, profile, instructions, runtime.clock.now(), is_shared=is_shared)
    return respond(turn, prompt, runtime, draft)


async def _greeting(turn: Turn, runtime: Runtime) -> AsyncGenerator[ReplyEvent]:
    """The answer to a message without words: why it has none, where the adapter knows, else that Parley is there."""
    hint = turn.inbound.unreadable_hint if isinstance(turn.inbound, InboundMessage) else ""
    yield TextDelta(hint or with_platform_command_names(GREETING, runtime.adapter_for(turn.inbound), SPECS))
