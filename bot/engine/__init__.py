"""A turn, from what a person said to the answer they see: `run_turn` reads top to bottom."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot import telemetry
from bot.engine.commands import SPECS, CommandContext, run_command, spelled
from bot.engine.compose import compose
from bot.engine.perceive import Perceived, catch_up, perceive
from bot.engine.respond import Draft, respond
from bot.engine.runtime import Runtime
from bot.engine.speak import speak, wants_speech
from bot.engine.streams import closing
from bot.errors import BotError, CutOffError, StoppedError, UsageError
from bot.jobs import current_attempt, interruptible_by, retry_delay_s, retry_until_available
from bot.policy.prompts import ACTION_PROMPTS
from bot.policy.visibility import is_in_context
from bot.ports import Step
from bot.store import answers, context, ledger, messages, tenants, turns
from bot.types import (
    Audio,
    Command,
    Done,
    InboundMessage,
    Message,
    Receipt,
    Reply,
    ReplyEvent,
    StepRecord,
    Text,
    TextDelta,
    ToolCall,
    Turn,
)

MAX_UNREAD = 5
"""Attachments of earlier messages that one question has read."""
HISTORY_LIMIT = 200
"""Messages read from the store; what of them fits the model is `compose`'s to say."""
log = logging.getLogger(__name__)


async def run_job(turn_id: str, step: Step, runtime: Runtime) -> None:
    """The handler of turn jobs: whatever happens, the turn ends."""
    runtime.stops.of(turn_id)  # before the database is asked, so that a stop is either read there or heard
    loaded = await retry_until_available(runtime.clock, "load", turns.load_turn, (runtime.store, turn_id))
    if loaded is None or loaded.state not in ("queued", "running") or _is_in_vain(loaded):
        await turns.cancel_turn(runtime.store, turn_id, runtime.clock.now())
        runtime.stops.drop(turn_id)
        return
    turn, source_id = loaded.turn, loaded.source_id
    stop = runtime.stops.of(turn_id)
    with interruptible_by(stop), telemetry.in_turn(turn.tenant_id, turn_id), telemetry.running.track_inprogress():
        try:
            await retry_until_available(runtime.clock, "begin", _begin, (loaded, runtime))
            await run_turn(turn, source_id, step, runtime)
        except BotError as error:
            log.warning("a question could not be answered: %s (%s)", error.code, error.detail or error.text)
            await _settled(Ending(turn, source_id, notice(error)), step, runtime)
        except Exception as error:  # the edge of the job runner
            log.exception("turn %s failed", turn_id)
            await _give_up(turn, source_id, step, runtime, type(error).__name__)
        finally:
            runtime.stops.drop(turn_id)


def _is_in_vain(loaded: turns.TurnRecord) -> bool:
    """Whether the question was asked anew before anybody began to answer it."""
    return loaded.state == "queued" and loaded.stop_requested and loaded.is_superseded


async def run_turn(turn: Turn, source_id: int, step: Step, runtime: Runtime) -> None:
    """Open, perceive, answer, speak, finish, settle. A BotError becomes the reply; raises one when not even that can be shown."""
    began = time.perf_counter()
    adapter = runtime.adapter_for(turn.inbound)
    opened = await step("open", _open, turn, source_id, runtime)
    turn, receipt = opened["turn"], opened["turn"].receipt
    perceived: Perceived | None = None
    try:
        await catch_up(turn, opened["unread"], step, receipt, runtime)
        perceived = await perceive(turn, step, receipt, runtime, await _understood_before(turn, source_id, runtime))
        outcome = await step("answer", _answer, turn, source_id, perceived, receipt, runtime)
        reply, exchange = outcome["reply"], outcome["exchange"]
        reply = await _with_speech(turn, step, perceived, reply, receipt, outcome["wants_speech"], runtime)
    except StoppedError:
        reply, exchange = Reply(stopped=True), ()
    except BotError as error:
        level = logging.INFO if isinstance(error, UsageError) else logging.WARNING
        log.log(level, "answered with an error: %s (%s)", error.code, error.detail or error.text)
        reply, exchange = notice(error), ()
    reply = _with_notices(reply, perceived)
    try:
        receipt = await step("finish", adapter.finish, receipt, reply)
    except BotError as error:
        log.warning("an answer could not be shown whole: %s (%s)", error.code, error.detail or error.text)
        reply = replace(reply, error=error.code)
    understood = perceived.message if perceived else None
    await _settled(Ending(turn, source_id, reply, receipt, understood, exchange), step, runtime)
    platform = turn.inbound.address.platform
    telemetry.turns.labels(platform, "failed" if reply.error else "done", reply.error).inc()
    telemetry.turn_seconds.labels(platform).observe(time.perf_counter() - began)


async def _begin(loaded: turns.TurnRecord, runtime: Runtime) -> None:
    """After a restart: calls that the crash interrupted are written off, and a stop that was asked for holds."""
    if loaded.stop_requested:
        runtime.stops.of(loaded.turn.id).set()
    if loaded.state == "running":
        async with runtime.store.begin(loaded.turn.tenant_id) as tx:
            await ledger.abandon(tx, loaded.turn.id, runtime.clock.now())


async def _open(turn: Turn, source_id: int, runtime: Runtime) -> dict[str, Any]:
    """Post the sign of life; gives the turn with its receipt and settings, equal for all its steps, and what is still unread."""
    adapter, inbound = runtime.adapter_for(turn.inbound), turn.inbound
    async with runtime.store.read(turn.tenant_id) as tx:
        settings = await tenants.effective_settings(tx, inbound.address, turn.requester.id)
        joins_late = turn.attempt == 1 and await turns.is_first(tx, turn.conversation_id, source_id)
        unread = await messages.unread(tx, turn.conversation_id, source_id, MAX_UNREAD)
    turn = replace(turn, settings=settings)
    turn = replace(turn, receipt=await adapter.open(turn))
    assert turn.receipt is not None
    async with runtime.store.begin(turn.tenant_id) as tx:
        await turns.note_receipt(tx, turn.id, turn.receipt, state="running", started_at=runtime.clock.now())
    if (joins_late or not adapter.capabilities.hears_all) and await _hear_earlier(turn, source_id, runtime):
        async with runtime.store.read(turn.tenant_id) as tx:
            unread = await messages.unread(tx, turn.conversation_id, source_id, MAX_UNREAD)
    return {"turn": turn, "unread": unread}


async def _hear_earlier(turn: Turn, source_id: int, runtime: Runtime) -> bool:
    """Fetch what was said before Parley came, and whether there was any; an answer without it is better than none."""
    try:
        earlier = await runtime.adapter_for(turn.inbound).backfill(turn.inbound)
    except BotError as error:
        log.warning("earlier messages could not be fetched: %s", error.detail or error.text)
        return False
    if earlier.messages:
        async with runtime.store.begin(turn.tenant_id) as tx:
            await context.add_context(tx, turn.conversation_id, source_id, earlier)
    return bool(earlier.messages)


async def _understood_before(turn: Turn, source_id: int, runtime: Runtime) -> Message | None:
    """The question as an earlier answer understood it. A first answer looks itself, so that its steps are the same in a rerun."""
    if turn.attempt == 1:
        return None
    async with runtime.store.read(turn.tenant_id) as tx:
        return await messages.question(tx, turn.conversation_id, source_id)


async def _answer(
    turn: Turn, source_id: int, perceived: Perceived, receipt: Receipt, runtime: Runtime
) -> dict[str, Any]:
    """Show the answer as it comes; gives the reply, the tools' exchange for the history, and whether it is to be spoken."""
    if perceived.failure is not None and not isinstance(turn.inbound, Command):
        raise perceived.failure
    draft, began = Draft(), time.perf_counter()
    user, pressed_under = perceived.message, getattr(turn.inbound, "about_turn_id", "")
    async with runtime.store.read(turn.tenant_id) as tx:
        history = await messages.history(tx, turn.conversation_id, source_id, HISTORY_LIMIT)
        if _redraws(turn.inbound):
            user = replace(user, parts=(*user.parts, *await answers.pictures_of(tx, pressed_under)))
    replies: list[Reply] = []
    async with closing(_events(turn, user, history, runtime, draft)) as events:
        kept = _watch(events, replies, turn.inbound.address.platform, began)
        try:
            await runtime.adapter_for(turn.inbound).stream(receipt, kept)
        except BotError as error:
            await _tell_retry(turn, receipt, error, runtime)
            raise
    reply = replies[-1] if replies else draft.reply()
    return {"reply": reply, "exchange": tuple(draft.exchange), "wants_speech": draft.wants_speech}


async def _tell_retry(turn: Turn, receipt: Receipt, error: BotError, runtime: Runtime) -> None:
    """A sign of life while one waits for another attempt; nothing when there will be none."""
    if retry_delay_s(current_attempt.get(), error) is not None:
        await runtime.tell(turn, receipt, f"{error.text.partition('. ')[0].rstrip('.')}; trying again…")


async def _watch(
    events: AsyncIterator[ReplyEvent], replies: list[Reply], platform: str, began: float
) -> AsyncIterator[ReplyEvent]:
    """Pass the events on, note the reply and when its first text came."""
    has_text = False
    async for event in events:
        if isinstance(event, TextDelta) and not has_text:
            has_text = True
            telemetry.first_text_seconds.labels(platform).observe(time.perf_counter() - began)
        if isinstance(event, Done):
            replies.append(event.reply)
        yield event


def _events(
    turn: Turn, user: Message, history: list[Message], runtime: Runtime, draft: Draft
) -> AsyncIterator[ReplyEvent]:
    inbound = turn.inbound
    if isinstance(inbound, Command):
        return run_command(CommandContext(turn, inbound.text, user, history, runtime, draft), inbound.name)
    if _redraws(inbound):
        return run_command(CommandContext(turn, inbound.text, user, history, runtime, draft), "imagine")
    if inbound.intent == "transcribe":
        return run_command(CommandContext(turn, "", user, history, runtime, draft), "transcribe")
    return _responded(turn, _ordered(inbound, user), history, runtime, draft)


def _redraws(inbound: InboundMessage | Command) -> bool:
    """Whether a button under a picture was pressed that makes another one, whatever the model that chats can do."""
    return isinstance(inbound, InboundMessage) and inbound.intent in ("vary", "edit_image")


def _ordered(inbound: InboundMessage, user: Message) -> Message:
    """The question with the order that a message action stands for before it."""
    order = ACTION_PROMPTS.get(inbound.intent)
    return replace(user, parts=(Text(order), *user.parts)) if order else user


async def _responded(
    turn: Turn, user: Message, history: list[Message], runtime: Runtime, draft: Draft
) -> AsyncIterator[ReplyEvent]:
    if not user.parts:
        here = "I'm here. What can I do for you? Write, speak or send a file; /help shows more."
        draft.text = getattr(turn.inbound, "unreadable_hint", "") or spelled(here, runtime.adapter_for(turn.inbound))
        yield TextDelta(draft.text)
        yield Done(draft.reply())
        return
    profile = runtime.models.chat(turn.settings).profile
    prompt = compose(history, user, turn.settings, profile, runtime.prompt_for(turn.settings), runtime.clock.now())
    async with closing(respond(turn, prompt, runtime, draft)) as events:
        async for event in events:
            yield event


async def _with_speech(
    turn: Turn,
    step: Step,
    perceived: Perceived,
    reply: Reply,
    receipt: Receipt,
    asked: bool,
    runtime: Runtime,
) -> Reply:
    """The reply with a voice clip where one is wanted; an answer that cannot be spoken is still an answer."""
    if reply.stopped or not reply.text or not (asked or wants_speech(turn, perceived.message)):
        return reply
    language = next(
        (part.language for part in perceived.message.parts if isinstance(part, Audio) and part.language), ""
    )
    try:
        await runtime.tell(turn, receipt, "Speaking…")
        clip, notices = await step("speak", speak, turn, reply.text, runtime, turn.settings.language or language)
    except BotError as error:
        return replace(reply, notices=(*reply.notices, f"This could not be spoken: {error.text}"))
    return replace(reply, parts=(*reply.parts, clip), notices=(*reply.notices, *notices))


def notice(error: BotError) -> Reply:
    """An error as the person sees it, with what of the answer had come."""
    partial = error.partial.strip() if isinstance(error, CutOffError) else ""
    if partial:
        return Reply(parts=(Text(partial),), notices=(error.text,), error=error.code)
    return Reply(parts=(Text(error.text),), error=error.code)


def _with_notices(reply: Reply, perceived: Perceived | None) -> Reply:
    """What could not be read stands under the answer, once."""
    said = [*(perceived.notices if perceived else ()), *reply.notices]
    return replace(reply, notices=tuple(one for one in dict.fromkeys(said) if one != reply.text))


@dataclass(frozen=True)
class Ending:
    """How a turn ended, to be written down."""

    turn: Turn
    source_id: int
    reply: Reply
    receipt: Receipt | None = None
    """None when nothing could be shown."""
    understood: Message | None = None
    """The question as far as it was understood."""
    exchange: tuple[Message, ...] = ()
    """Of the tools, for the history."""


async def _settled(ending: Ending, step: Step, runtime: Runtime) -> None:
    """Write down how it ended, however long the database is away: until then the turn has not ended, and nothing is done twice.

    What the database refuses to keep is left out.
    """
    bare = replace(ending, reply=Reply(error=ending.reply.error or BotError.code), understood=None, exchange=())
    try:
        await retry_until_available(runtime.clock, "settle", _settle, (ending, step.notes, runtime))
    except (
        Exception
    ):  # the edge of the turn: the answer stands at the platform already, and no fault of ours is to write over it
        log.exception("an answer could not be kept")
        await retry_until_available(runtime.clock, "settle", _settle, (bare, step.notes, runtime))


async def _settle(ending: Ending, notes: Sequence[StepRecord], runtime: Runtime) -> None:
    """The answer, what was understood, and how the steps went: one transaction, which can be repeated and so is no step."""
    turn, reply = ending.turn, ending.reply
    user = ending.understood if ending.understood and ending.understood.parts else None
    exchange = tuple(_without_metadata(message) for message in ending.exchange)
    answer = (*exchange, Message("assistant", reply.parts)) if reply.parts else exchange
    for_model = not reply.error and is_in_context(turn.inbound, SPECS)
    turn = replace(turn, source_id=ending.source_id)  # one remembered from before an upgrade may lack it
    outcome = answers.TurnOutcome(turn, reply, answer, ending.receipt, user, for_model)
    async with runtime.store.begin(turn.tenant_id) as tx:
        await answers.settle(tx, outcome, notes, runtime.clock.now())


def _without_metadata(message: Message) -> Message:
    """What only the provider can read is of use within the turn; later turns read plain calls and results.

    Words said along with a call stand in the answer already.
    """
    calls = (part for part in message.parts if not isinstance(part, Text))
    return replace(
        message, parts=tuple(replace(p, provider_metadata={}) if isinstance(p, ToolCall) else p for p in calls)
    )


async def _give_up(turn: Turn, source_id: int, step: Step, runtime: Runtime, why: str) -> None:
    """A fault of ours outside the steps: the turn ends, and the person is told if that is still possible."""
    error = BotError("Something went wrong on my side; it has been logged.", detail=why)
    reply = notice(error)
    receipt: Receipt | None = None
    try:
        receipt = await step("open", runtime.adapter_for(turn.inbound).open, turn)
        receipt = await step("finish", runtime.adapter_for(turn.inbound).finish, receipt, reply)
    except BotError as error:
        log.warning("that could not be told: %s", error.detail or error.text)
    await _settled(Ending(turn, source_id, reply, receipt), step, runtime)
