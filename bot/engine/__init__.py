"""A turn, from what a person said to the answer they see: `run_turn` reads top to bottom."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from bot import telemetry
from bot.engine.answer import answer
from bot.engine.commands import SPECS
from bot.engine.deliveries import finish_or_wait
from bot.engine.display import Display
from bot.engine.perceive import Perceived, perceive, read_earlier_attachments
from bot.engine.results import Answer, Opened, Speech, restored
from bot.engine.runtime import Runtime
from bot.engine.settle import Ended, error_reply, settle_until_stored
from bot.engine.speak import speak, wants_speech
from bot.errors import BotError, LimitError, OutageError, StoppedError, UsageError
from bot.jobs import interruptible_by, retry_until_available, with_retries
from bot.policy.fairness import on_behalf_of, person_key
from bot.policy.rates import kind_of
from bot.ports import Step
from bot.store import Transaction, context, ledger, messages, tenants, turns
from bot.types import Attachment, Audio, Message, Receipt, Reply, Turn

SUSPECT_AFTER = 2
"""Interruptions after which a turn is tried when no other runs, as far as that comes soon: it may be what ended the process."""
GIVEN_UP_AFTER = 5
GIVEN_UP = "I tried to answer this several times, and was interrupted each time. I have given it up; the operator's log says more."
log = logging.getLogger(__name__)


async def run_job(turn_id: str, step: Step, runtime: Runtime) -> None:
    """The handler of turn jobs: whatever happens, the turn ends."""
    stop = runtime.stops.get(turn_id)  # before the database is asked, so that a stop is either read there or heard
    loaded = await retry_until_available(runtime.clock, "load", turns.load_turn, (runtime.store, turn_id))
    if loaded is None or loaded.state not in ("queued", "running") or _is_superseded(loaded):
        await turns.cancel_turn(runtime.store, turn_id, runtime.clock.now())
        runtime.stops.discard(turn_id)
        return
    turn = loaded.turn
    person = person_key(turn.tenant_id, turn.requester.id)
    with (
        interruptible_by(stop),
        on_behalf_of(person),
        telemetry.in_turn(turn.tenant_id, turn_id),
        telemetry.running.track_inprogress(),
    ):
        try:
            interruptions = await retry_until_available(runtime.clock, "begin", _begin, (loaded, runtime))
            async with runtime.turns_running.joined(is_suspect=interruptions >= SUSPECT_AFTER):
                if interruptions >= GIVEN_UP_AFTER:
                    await _tell(turn, step, runtime, BotError(GIVEN_UP, detail=f"interrupted {interruptions} times"))
                else:
                    await run_turn(turn, step, runtime)
        except BotError as error:
            log.warning("a question could not be answered: %s (%s)", error.code, error.detail or error.text)
            await settle_until_stored(Ended(turn, error_reply(error)), step, runtime)
        except Exception as error:  # the edge of the job runner
            log.exception("turn %s failed", turn_id)
            await _fail(turn, step, runtime, type(error).__name__)
        finally:
            runtime.stops.discard(turn_id)


def _is_superseded(loaded: turns.TurnRecord) -> bool:
    """Whether the question was asked anew before anybody began to answer it."""
    return loaded.state == "queued" and loaded.stop_requested and loaded.is_superseded


async def run_turn(turn: Turn, step: Step, runtime: Runtime) -> None:
    """Open, perceive, answer, speak, finish, settle. A BotError becomes the reply; raises one when not even that can be shown."""
    began, adapter = time.perf_counter(), runtime.adapter_for(turn.inbound)
    await runtime.deliveries.show_before(turn, runtime)
    opened = restored(Opened, await step("open", _open, turn, runtime))
    turn = replace(opened.turn, source_id=turn.source_id)  # version 0.1 recorded turns without it
    receipt = _receipt_of(turn)
    perceived: Perceived | None = None
    given, display = Answer(Reply(stopped=True)), Display(adapter, receipt)
    try:
        if turn.refusal:
            raise LimitError(turn.refusal)
        await read_earlier_attachments(turn, opened.unread, step, receipt, runtime)
        perceived = await perceive(turn, step, receipt, runtime, await _understood_before(turn, runtime))
        given = restored(Answer, await step("answer", answer, turn, perceived, display, runtime))
        await display.end()
        reply = await _with_speech(turn, step, perceived, given, receipt, runtime)
    except StoppedError:
        reply = given.reply
    except BotError as error:
        level = logging.INFO if isinstance(error, UsageError) else logging.WARNING
        log.log(level, "answered with an error: %s (%s)", error.code, error.detail or error.text)
        reply = error_reply(error)
    reply = _with_notices(reply, perceived.notices if perceived else ())
    understood = perceived.message if perceived else None
    ended = Ended(turn, reply, receipt, understood, given.tool_messages)
    try:
        shown = await step("finish", finish_or_wait, adapter, receipt, reply)
        ended = replace(ended, receipt=shown or receipt, is_waiting=shown is None)
    except BotError as error:
        log.warning("an answer could not be shown whole: %s (%s)", error.code, error.detail or error.text)
        ended = replace(ended, reply=replace(reply, error=error.code))
    await settle_until_stored(ended, step, runtime)
    if ended.is_waiting:
        runtime.deliveries.note(turn.conversation_id)
    _count(turn, ended.reply, time.perf_counter() - began)


def _receipt_of(turn: Turn) -> Receipt:
    assert turn.receipt is not None, "an opened turn has a receipt"
    return turn.receipt


def _count(turn: Turn, reply: Reply, seconds: float) -> None:
    platform = turn.inbound.address.platform
    telemetry.turns.labels(platform, "failed" if reply.error else "done", reply.error).inc()
    telemetry.turn_seconds.labels(platform).observe(seconds)


async def _begin(loaded: turns.TurnRecord, runtime: Runtime) -> int:
    """After a restart: calls that the crash interrupted are written off, and a stop that was asked for holds.

    Gives how often the turn was interrupted.
    """
    if loaded.stop_requested:
        runtime.stops.get(loaded.turn.id).set()
    if loaded.state != "running":
        return 0
    async with runtime.store.begin(loaded.turn.tenant_id) as tx:
        await ledger.abandon(tx, loaded.turn.id, runtime.clock.now())
        return await turns.count_interruption(tx, loaded.turn.id)


async def _open(turn: Turn, runtime: Runtime) -> Opened:
    """Post the sign of life, and find out what the turn has to go by: settings, receipt, attachments that are still unread."""
    adapter, inbound = runtime.adapter_for(turn.inbound), turn.inbound
    async with runtime.store.read(turn.tenant_id) as tx:
        settings = await tenants.effective_settings(tx, inbound.address, turn.requester.id)
        joins_late = turn.attempt == 1 and await turns.is_first(tx, turn.conversation_id, turn.source_id)
        unread = await _unread(tx, turn, runtime)
    turn = replace(turn, settings=settings)
    receipt = await retry_until_available(runtime.clock, "open", adapter.open, (turn,), OutageError)
    async with runtime.store.begin(turn.tenant_id) as tx:
        await turns.note_receipt(tx, turn.id, receipt, state="running", started_at=runtime.clock.now())
    is_gap = joins_late or not adapter.capabilities.hears_all
    if is_gap and _reads_history(turn) and await _backfill(turn, runtime):
        async with runtime.store.read(turn.tenant_id) as tx:
            unread = await _unread(tx, turn, runtime)
    return Opened(replace(turn, receipt=receipt), unread)


def _reads_history(turn: Turn) -> bool:
    """Whether the answer may go by what was said before: neither a refusal does, nor a command that no model answers."""
    return not turn.refusal and kind_of(turn.inbound, SPECS) == "question"


async def _unread(tx: Transaction, turn: Turn, runtime: Runtime) -> tuple[tuple[int, Attachment], ...]:
    if not _reads_history(turn):
        return ()
    limit = runtime.limits.unread_attachments
    return tuple(await messages.unread(tx, turn.conversation_id, turn.source_id, limit))


async def _backfill(turn: Turn, runtime: Runtime) -> bool:
    """Fetch what was said before Parley came, and whether there was any; an answer without it is better than none."""
    try:
        earlier = await runtime.adapter_for(turn.inbound).backfill(turn.inbound)
    except BotError as error:
        log.warning("earlier messages could not be fetched: %s", error.detail or error.text)
        return False
    if earlier.messages:
        async with runtime.store.begin(turn.tenant_id) as tx:
            await context.add_context(tx, turn.conversation_id, turn.source_id, earlier)
    return bool(earlier.messages)


async def _understood_before(turn: Turn, runtime: Runtime) -> Message | None:
    """The question as an earlier answer understood it. A first answer looks itself, so that its steps are the same in a rerun."""
    if turn.attempt == 1:
        return None
    async with runtime.store.read(turn.tenant_id) as tx:
        return await messages.question(tx, turn.conversation_id, turn.source_id)


async def _with_speech(
    turn: Turn, step: Step, perceived: Perceived, given: Answer, receipt: Receipt, runtime: Runtime
) -> Reply:
    """The reply with a voice clip where one is wanted; an answer that cannot be spoken is still an answer."""
    reply = given.reply
    if reply.stopped or not reply.text or not (given.wants_speech or wants_speech(turn, perceived.message)):
        return reply
    heard = (part.language for part in perceived.message.parts if isinstance(part, Audio) and part.language)
    language = turn.settings.language or next(heard, "")
    try:
        await runtime.show_status(turn, receipt, "Speaking…")
        speech = restored(Speech, await step("speak", speak, turn, reply.text, runtime, language))
    except BotError as error:
        return replace(reply, notices=(*reply.notices, f"This could not be spoken: {error.text}"))
    return replace(reply, parts=(*reply.parts, speech.clip), notices=(*reply.notices, *speech.notices))


def _with_notices(reply: Reply, more: Sequence[str]) -> Reply:
    """What could not be read stands under the answer, once."""
    notices = dict.fromkeys((*more, *reply.notices))
    return replace(reply, notices=tuple(notice for notice in notices if notice != reply.text))


async def _fail(turn: Turn, step: Step, runtime: Runtime, fault: str) -> None:
    """A fault of ours outside the steps: the turn ends, and the person is told if that is still possible. fault: for the log."""
    await _tell(turn, step, runtime, BotError("Something went wrong on my side; it has been logged.", detail=fault))


async def _tell(turn: Turn, step: Step, runtime: Runtime, error: BotError) -> None:
    """End the turn with an error in place of an answer: without steps, since those that are recorded are of another course."""
    log.error("turn %s: %s (%s)", turn.id, error.text, error.detail)
    reply, adapter = error_reply(error), runtime.adapter_for(turn.inbound)
    ended = Ended(turn, reply)
    try:
        receipt, _ = await with_retries(runtime.clock, "open", adapter.open, (turn,))
        shown, _ = await with_retries(runtime.clock, "finish", finish_or_wait, (adapter, receipt, reply))
        ended = Ended(turn, reply, shown or receipt, is_waiting=shown is None)
    except BotError as failure:
        log.warning("that could not be told: %s", failure.detail or failure.text)
    await settle_until_stored(ended, step, runtime)
