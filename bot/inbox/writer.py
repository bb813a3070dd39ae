"""What an inbound means for the database: the history, the turn that answers it, and what it changes or takes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot import telemetry
from bot.errors import LimitError, StoreError
from bot.inbox.written import DONE, IGNORED, NOTED, REPEATED, QueuedTurn, Written, queued, refused
from bot.policy.addressing import addresses_bot, answered_at, follows, worded_by
from bot.policy.fairness import person_key
from bot.policy.permissions import PRESS_REFUSED, is_editable, may_change, may_press
from bot.policy.prompts import ACTION_PROMPTS
from bot.policy.rates import Decision, QuestionRates, Waiting, kind_of
from bot.policy.visibility import is_in_context, is_private_answer
from bot.ports import Clock
from bot.store import (
    Transaction,
    context,
    conversations,
    deletion,
    early_edits,
    events,
    graves,
    messages,
    references,
    tenants,
    turns,
)
from bot.types import (
    Accepted,
    Author,
    ButtonPress,
    Command,
    CommandSpec,
    Deletion,
    Edit,
    Inbound,
    InboundMessage,
    Intent,
)

INTENTS: Mapping[str, Intent] = {"vary": "vary", "edit_image": "edit_image"}
"""Buttons whose message asks for something else than an answer in words."""
MAX_FOLLOWERS = 20
"""Of a thread whose first question arrived after them."""
NOTHING_KEPT = frozenset({"repeated", "ignored"})
"""Outcomes after which no row refers to the event: only its id is kept."""


class Writer:
    """Writes inbounds down, each in a transaction that the caller opens."""

    def __init__(
        self, clock: Clock, commands: Mapping[str, CommandSpec], rates: QuestionRates, owner: Callable[[], str]
    ) -> None:
        """commands: by name. rates: what was asked lately. owner: the process that will answer; empty for any."""
        self._clock = clock
        self._commands = commands
        self._rates = rates
        self._owner = owner

    async def write(self, tx: Transaction, inbound: Inbound, now: datetime) -> Written:
        """In the caller's transaction. What is left to do when it is through is in what this gives."""
        event = replace(inbound, text="") if isinstance(inbound, Edit) else inbound  # the words go into what was edited
        sequence = await events.record_event(tx, inbound.event_id, event, now)
        if sequence is None:
            return REPEATED
        written = await self._written(tx, inbound, sequence, now)
        if written.accepted.outcome in NOTHING_KEPT:  # else its words would outlive the message that they belong to
            await events.erase_payload(tx, sequence)
        return written

    async def _written(self, tx: Transaction, inbound: Inbound, sequence: int, now: datetime) -> Written:
        match inbound:
            case InboundMessage():
                return await self._message(tx, inbound, sequence, now)
            case Command():
                return await self._command(tx, inbound, sequence, now)
            case Edit():
                return await self._edit(tx, inbound, sequence, now)
            case Deletion():
                return await self._deletion(tx, inbound)
            case ButtonPress():
                return await self._press(tx, inbound, sequence, now)
        raise StoreError(f"There is no way to accept a {type(inbound).__name__}.")

    async def _message(self, tx: Transaction, inbound: InboundMessage, sequence: int, now: datetime) -> Written:
        if (known := await self._known(tx, inbound)) is not None:
            return await self._asked_late(tx, inbound, sequence, now) if known is REPEATED else known
        edit = await early_edits.find_early_edit(tx, inbound.address.channel, inbound.message_id)
        if edit is not None:
            inbound = worded_by(inbound, edit)
            await early_edits.drop_early_edit(tx, inbound.address.channel, inbound.message_id)
            await events.replace_payload(tx, sequence, inbound)
        conversation_id = await conversations.get_or_open(
            tx, inbound.address, now, is_direct=inbound.is_direct, title=inbound.text
        )
        has_turns = await turns.has_turns(tx, conversation_id)
        is_due = addresses_bot(inbound) or await self._is_followed(tx, inbound, has_turns=has_turns)
        await messages.add_user_message(
            tx,
            conversation_id,
            sequence,
            inbound,
            for_model=is_in_context(inbound, self._commands),
            edited_at=edit.sent_at if edit else None,
        )
        if inbound.about_message_id:
            await context.tie(tx, conversation_id, sequence, inbound)
        if not is_due:
            return NOTED
        written = await self._ask(tx, inbound, conversation_id, sequence, now)
        return written if has_turns else await self._with_followers(tx, written, inbound, conversation_id, now)

    async def _asked_late(self, tx: Transaction, inbound: InboundMessage, sequence: int, now: datetime) -> Written:
        """A message that was noted already, and by a further event calls the bot: the same post, told twice by the platform."""
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is None or message.turn_id or not addresses_bot(inbound) or message.message_id != inbound.message_id:
            return REPEATED
        original = await events.load_event(tx, message.source_id)
        if not is_editable(original) or original.author.id != inbound.author.id:
            return REPEATED
        await events.replace_payload(tx, message.source_id, replace(inbound, text=original.text))
        decision = await self._decide(tx, inbound)
        if decision.refusal is not None:
            return refused(decision.refusal, is_told=decision.is_told)
        return await self._requeue(tx, inbound.author, message, sequence, now)

    async def _with_followers(
        self, tx: Transaction, written: Written, inbound: InboundMessage, conversation_id: int, now: datetime
    ) -> Written:
        """What was said after this first question of a thread and arrived before it is answered too, as if it had come in order."""
        due: list[QueuedTurn] = []
        for source_id in await messages.noted_after(tx, conversation_id, inbound.sent_at, MAX_FOLLOWERS):
            follower = await events.load_event(tx, source_id)
            if not is_editable(follower) or not await self._is_followed(tx, follower, has_turns=True):
                continue
            sequence = await events.record_event(tx, f"due:{source_id}", {}, now)
            if sequence is not None and (await self._decide(tx, follower)).refusal is None:
                self._rates.keep(delivery_of(follower))
                due.append(await self._queue(tx, follower.author, conversation_id, sequence, source_id, now))
        return replace(written, followers=tuple(due))

    async def _known(self, tx: Transaction, inbound: InboundMessage | Command) -> Written | None:
        """What is to be said of a message that is here already, or that was deleted or forgotten; None for any other."""
        if not inbound.message_id:
            return None
        if await references.exists(tx, inbound.address, inbound.message_id, lock=True):
            return REPEATED  # the same post by another event, such as a mention that arrives as a message too
        return IGNORED if await graves.buried(tx, inbound.address.channel, (inbound.message_id,)) else None

    async def _is_followed(self, tx: Transaction, inbound: InboundMessage, *, has_turns: bool) -> bool:
        settings = await tenants.effective_settings(tx, inbound.address, inbound.author.id)
        return follows(inbound, settings, has_turns=has_turns)

    async def _command(self, tx: Transaction, inbound: Command, sequence: int, now: datetime) -> Written:
        if (known := await self._known(tx, inbound)) is not None:
            return known
        spec = self._commands.get(inbound.name)
        conversation_id = await conversations.get_or_open(tx, inbound.address, now, is_direct=inbound.is_direct)
        await messages.add_user_message(
            tx, conversation_id, sequence, inbound, for_model=is_in_context(inbound, self._commands)
        )
        written = await self._ask(tx, inbound, conversation_id, sequence, now)
        if spec and spec.begins_anew and written.accepted.outcome == "queued":
            await conversations.close_conversation(tx, conversation_id)
        return written

    async def _ask(
        self, tx: Transaction, inbound: InboundMessage | Command, conversation_id: int, sequence: int, now: datetime
    ) -> Written:
        """Queue an answer. What is asked too often gets a refusal for an answer, and after that nothing for a while."""
        decision = await self._decide(tx, inbound)
        if decision.refusal is None:
            return queued(await self._queue(tx, inbound.author, conversation_id, sequence, sequence, now))
        if not decision.is_told:
            return refused(decision.refusal)
        await events.replace_payload(tx, sequence, _with_refusal(inbound, decision.refusal))
        turn = await self._queue(tx, inbound.author, conversation_id, sequence, sequence, now)
        return queued(replace(turn, lane=turn.turn_id, position=0))  # it is told at once, whatever waits there

    async def _decide(self, tx: Transaction, inbound: Inbound, person: str = "") -> Decision:
        """Whether it is taken up; then it is counted. person: who asks, where the platform does not tell."""
        at, person, kind = inbound.address, inbound.author.id or person, kind_of(inbound, self._commands)
        waiting = Waiting()
        if kind == "question":
            waiting = await turns.count_waiting(tx, person, at.channel, self._rates.most_waiting)
        decision = self._rates.decide(at, person, self._clock.monotonic(), kind, waiting, delivery_of(inbound))
        if decision.refusal is not None:
            telemetry.refused.labels(decision.refusal.limit).inc()
        return decision

    async def _queue(
        self, tx: Transaction, requester: Author, conversation_id: int, sequence: int, source_id: int, now: datetime
    ) -> QueuedTurn:
        owner = self._owner()
        turn_id = await turns.add_turn(tx, requester.id, conversation_id, sequence, source_id, now, owner=owner)
        position = await turns.waiting_before(tx, conversation_id, sequence)
        person = person_key(tx.tenant_id, requester.id)
        return QueuedTurn(turn_id, str(conversation_id), sequence, person, position)

    async def _requeue(
        self, tx: Transaction, requester: Author, message: references.MessageRef, sequence: int, now: datetime
    ) -> Written:
        """Ask for a further answer to the same question, which takes the place of the earlier one."""
        stopped = await self._stop(tx, message)
        await deletion.delete_copies_of_answers(tx, message.source_id)
        turn = await self._queue(tx, requester, message.conversation_id, sequence, message.source_id, now)
        return queued(turn, stopped=stopped)

    async def _stop(self, tx: Transaction, message: references.MessageRef) -> tuple[str, ...]:
        """Ask the turn about this message to stop, if it runs; gives the turns to be told."""
        if not message.is_running:
            return ()
        await turns.request_stop(tx, message.turn_id)
        return (message.turn_id,)

    async def _edit(self, tx: Transaction, inbound: Edit, sequence: int, now: datetime) -> Written:
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is not None and not may_change(inbound, message.author_id):
            return IGNORED
        copies = await context.edit_copies(tx, inbound)
        copies += await deletion.delete_repeats(tx, inbound.address.channel, [inbound.message_id])
        if message is None:
            if not await graves.buried(tx, inbound.address.channel, (inbound.message_id,)):
                await early_edits.keep_early_edit(tx, inbound, now)
            return NOTED if copies else IGNORED
        if message.edited_at is not None and inbound.sent_at < message.edited_at:
            return IGNORED  # an older wording, delivered late
        original = await events.load_event(tx, message.source_id)
        is_asked_now = inbound.mentions_bot and not message.turn_id  # the mention was forgotten at first
        if not is_editable(original) or (original.text == inbound.text and not is_asked_now):
            return IGNORED  # a link unfolded, or a command, which is not revised
        worded = replace(answered_at(original, inbound), text=inbound.text, refusal="")
        await messages.edit_message(tx, message, worded, inbound.sent_at)
        if not message.turn_id and not is_asked_now:
            return NOTED
        decision = await self._decide(tx, inbound, message.author_id)
        if decision.refusal is not None:
            if not decision.is_told:
                return refused(decision.refusal)
            await events.replace_payload(tx, sequence, replace(inbound, text="", refusal=decision.refusal.text))
        return await self._requeue(tx, inbound.author, message, sequence, now)

    async def _deletion(self, tx: Transaction, inbound: Deletion) -> Written:
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is not None and not may_change(inbound, message.author_id):
            return IGNORED
        copies = await deletion.delete_repeats(tx, inbound.address.channel, [inbound.message_id])
        copies += await context.delete_copies(tx, inbound.address.channel, [inbound.message_id])
        await graves.bury(tx, inbound.address.channel, [inbound.message_id])
        await early_edits.drop_early_edit(tx, inbound.address.channel, inbound.message_id)
        if message is None:
            return DONE if copies else IGNORED
        if inbound.message_id != message.message_id:  # a post of ours: the answer goes, the question stays
            return DONE if await deletion.delete_answer(tx, message, inbound.message_id) else IGNORED
        stopped = await self._stop(tx, message)
        await deletion.delete_exchange(tx, message)
        return replace(DONE, stopped=stopped)

    async def _press(self, tx: Transaction, inbound: ButtonPress, sequence: int, now: datetime) -> Written:
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is None or not message.turn_id:
            return IGNORED
        if not may_press(inbound, message.author_id):
            return Written(Accepted("refused", reason=PRESS_REFUSED))
        match inbound.action:
            case "stop":
                return replace(DONE, stopped=await self._stop(tx, message))
            case "thumbs_up" | "thumbs_down":
                value = 1 if inbound.action == "thumbs_up" else -1
                await turns.give_feedback(tx, message.turn_id, inbound.author.id, value, now)
                return DONE
        decision = await self._decide(tx, inbound)
        if decision.refusal is not None:
            return refused(decision.refusal, is_told=decision.is_told)
        if inbound.action == "regenerate":
            return await self._requeue(tx, inbound.author, message, sequence, now)
        return await self._queue_instruction(tx, inbound, message, sequence, now)

    async def _queue_instruction(
        self, tx: Transaction, inbound: ButtonPress, about: references.MessageRef, sequence: int, now: datetime
    ) -> Written:
        """A button that stands for words: answered as if the person had written them, and as privately as the answer above it."""
        original = await events.load_event(tx, about.source_id)
        if not isinstance(original, InboundMessage | Command):
            return IGNORED  # forgotten
        message = InboundMessage(
            event_id=inbound.event_id,
            message_id=inbound.event_id,
            address=inbound.address,
            author=inbound.author,
            text=ACTION_PROMPTS[inbound.action] + inbound.value,
            sent_at=max(now, original.sent_at + timedelta(microseconds=1)),  # our clock and the platform's are two
            is_direct=original.is_direct,
            mentions_bot=True,
            intent=INTENTS.get(inbound.action, "answer"),
            ephemeral=is_private_answer(original, self._commands),
            about_turn_id=about.turn_id,
            ref=answered_at(original, inbound).ref,
        )
        await events.replace_payload(tx, sequence, message)
        await messages.add_user_message(
            tx, about.conversation_id, sequence, message, for_model=is_in_context(message, self._commands)
        )
        return queued(await self._queue(tx, inbound.author, about.conversation_id, sequence, sequence, now))


def delivery_of(inbound: Inbound) -> str:
    """Names a delivery among those of all installations."""
    return f"{inbound.address.platform}/{inbound.address.workspace}/{inbound.event_id}"


def _with_refusal(inbound: InboundMessage | Command, error: LimitError) -> InboundMessage | Command:
    """The inbound that is answered by why it is refused. What is said to a command concerns nobody else."""
    refused = replace(inbound, refusal=error.text)
    return replace(refused, ephemeral=True) if isinstance(refused, Command) else refused
