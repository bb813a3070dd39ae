"""The end of a turn: what the person reads of an error, and what is written down."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import telemetry
from bot.engine.commands import SPECS
from bot.engine.runtime import Runtime
from bot.errors import BotError, CutOffError, StoreError
from bot.jobs import retry_until_available
from bot.policy.visibility import is_in_context
from bot.ports import Step, settled_topic
from bot.redaction import redact_long
from bot.store import answers
from bot.types import Message, Receipt, Reply, StepRecord, Text, ToolCall, Turn

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """How a turn ended, to be written down."""

    turn: Turn
    reply: Reply
    receipt: Receipt | None = None
    """None when nothing could be shown."""
    understood: Message | None = None
    """The question as far as it was understood."""
    tool_messages: Sequence[Message] = ()
    """Tool calls and their results, for the history."""
    is_waiting: bool = False
    """The platform is away: the reply is shown when it is back."""


def error_reply(error: BotError) -> Reply:
    """An error as the person sees it, with what of the answer had come."""
    partial = redact_long(error.partial.strip()) if isinstance(error, CutOffError) else ""
    if partial:
        return Reply(parts=(Text(partial),), notices=(error.text,), error=error.code)
    return Reply(parts=(Text(error.text),), error=error.code)


async def settle_until_stored(ended: Ended, step: Step, runtime: Runtime) -> None:
    """Write down how the turn ended, however long the database is away. Until then the turn has not ended.

    An answer that the database refuses for good is left out, so that the turn still ends.
    """
    _observe(step.notes)
    try:
        await retry_until_available(runtime.clock, "settle", _settle_once, (ended, step.notes, runtime))
    # The edge of the turn: the answer stands at the platform already, and no fault of ours is to write over it.
    except Exception:
        log.exception("an answer could not be kept")
        error = ended.reply.error or BotError.code
        bare = replace(ended, reply=Reply(error=error), understood=None, tool_messages=(), is_waiting=False)
        await retry_until_available(runtime.clock, "settle", _settle_once, (bare, step.notes, runtime))
    await _publish_settled(ended.turn, runtime)


async def _publish_settled(turn: Turn, runtime: Runtime) -> None:
    """Tell whoever shows the conversation that the end of the turn can be read."""
    try:
        await runtime.bus.publish(settled_topic(turn.inbound.address), {"turn_id": turn.id})
    except StoreError as error:  # the turn has ended all the same
        log.warning("that a turn is settled could not be published: %s", error.detail or error.text)


def _observe(records: Sequence[StepRecord]) -> None:
    """How long the steps took, `perceive:0` and `perceive:1` as one; what was remembered from before a restart took no time now.

    The records serve for that: start and end events of their own would say the same twice.
    """
    for record in records:
        if record.attempts:
            telemetry.step_seconds.labels(record.name.partition(":")[0]).observe(record.duration_ms / 1_000)


async def _settle_once(ended: Ended, records: Sequence[StepRecord], runtime: Runtime) -> None:
    """The answer, what was understood, and how the steps went: one transaction, which can be repeated and so is no step."""
    turn, reply = ended.turn, ended.reply
    understood = ended.understood if ended.understood and ended.understood.parts else None
    tool_messages = tuple(_for_history(message) for message in ended.tool_messages)
    answer = (*tool_messages, Message("assistant", reply.parts)) if reply.parts else tool_messages
    for_model = not reply.error and is_in_context(turn.inbound, SPECS)
    outcome = answers.TurnOutcome(turn, reply, answer, ended.receipt, understood, for_model, ended.is_waiting)
    async with runtime.store.begin(turn.tenant_id) as tx:
        await answers.settle(tx, outcome, records, runtime.clock.now())


def _for_history(message: Message) -> Message:
    """Calls and results alone. What only the provider can read is of use within the turn; words said along stand in the answer."""
    calls = (part for part in message.parts if not isinstance(part, Text))
    plain = (replace(part, provider_metadata={}) if isinstance(part, ToolCall) else part for part in calls)
    return replace(message, parts=tuple(plain))
