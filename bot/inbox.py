"""`accept`: the only way in. When it returns, the inbound is written down and will be answered once, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot import telemetry
from bot.errors import LimitError, StoreError
from bot.jobs import STOP_TOPIC
from bot.jobs.slots import FairSlots
from bot.policy.addressing import addresses_bot, answered_at, as_command, follows, is_answerable
from bot.policy.fairness import person_key
from bot.policy.limits import UNRATED, Limits
from bot.policy.permissions import PRESS_REFUSED, is_editable, may_change, may_press
from bot.policy.prompts import ACTION_PROMPTS
from bot.policy.rates import Decision, QuestionRates, Waiting, kind_of
from bot.policy.visibility import is_in_context, is_private_answer
from bot.ports import Bus, Clock, Job, Jobs
from bot.store import (
    Store,
    Transaction,
    context,
    conversations,
    deletion,
    events,
    graves,
    messages,
    references,
    tenants,
    turns,
)
from bot.types import (
    Accepted,
    Address,
    Author,
    ButtonPress,
    Command,
    CommandSpec,
    Deletion,
    Edit,
    Inbound,
    InboundMessage,
    Intent,
    clean_value,
)

INTENTS: Mapping[str, Intent] = {"vary": "vary", "edit_image": "edit_image"}
"""Buttons whose message asks for something else than an answer in words."""
NOTHING_KEPT = frozenset({"repeated", "ignored"})
"""Outcomes after which no row refers to the event: only its id is kept."""
WRITERS = 8
"""Inbounds that are written down at once, people in turn: one person's flood does not stand before a colleague's question."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _QueuedTurn:
    """A turn that was written down, to be handed to the jobs once the transaction is through."""

    turn_id: str
    lane: str
    sequence: int
    person: str
    position: int = 0


@dataclass(frozen=True)
class _Written:
    """What was written down, and what is left to do once the transaction is through."""

    accepted: Accepted
    queued: _QueuedTurn | None = None
    stopped: tuple[str, ...] = ()
    """Turns to be told to stop."""


REPEATED, IGNORED = _Written(Accepted("repeated")), _Written(Accepted("ignored"))
NOTED, DONE = _Written(Accepted("noted")), _Written(Accepted("done"))


def _queued(turn: _QueuedTurn, *, stopped: tuple[str, ...] = ()) -> _Written:
    return _Written(Accepted("queued", turn.turn_id, turn.position), turn, stopped)


def _refused(error: LimitError, *, is_told: bool = True) -> _Written:
    return _Written(Accepted("refused", reason=error.text if is_told else ""))


class Inbox:
    """Finds the tenant, drops our own and the repeated, saves, and hands the turn to the jobs."""

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        bus: Bus,
        clock: Clock,
        commands: Mapping[str, CommandSpec],
        limits: Limits = UNRATED,
    ) -> None:
        """commands: by name. limits: how much people may ask; any number unless they are given."""
        self._store = store
        self._jobs = jobs
        self._bus = bus
        self._clock = clock
        self._commands = commands
        self._rates = QuestionRates(limits)
        self._slots = FairSlots(WRITERS)
        self._tenants: dict[tuple[str, str], int] = {}
        self._accepting: set[asyncio.Task[Accepted]] = set()

    async def accept(self, inbound: Inbound) -> Accepted:
        """Write it down and hand it over. Raises StoreError: then nothing was written, and the platform should deliver it again.

        Cancelling the caller does not cancel the write or the hand-over.
        """
        if is_answerable(inbound.author):
            task = asyncio.create_task(self._accept(as_command(clean_value(inbound), self._commands)))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)
            accepted = await asyncio.shield(task)
        else:
            accepted = IGNORED.accepted
        telemetry.accepted.labels(inbound.address.platform, accepted.outcome).inc()
        return accepted

    async def _accept(self, inbound: Inbound) -> Accepted:
        async with self._slots.held(f"{inbound.address.platform}/{inbound.address.workspace}/{inbound.author.id}"):
            written, unfinished = await self._write_down(inbound)
        if unfinished:  # the first delivery may have been interrupted between the write and the hand-over
            await self._hand_over(_again(unfinished))
        if written.queued:
            await self._hand_over(written.queued)
        for turn_id in written.stopped:  # after the commit, so that a turn that reads its row now reads the stop there
            await self._publish_stop(turn_id)
        return written.accepted

    async def _write_down(self, inbound: Inbound) -> tuple[_Written, turns.UnfinishedTurn | None]:
        """Write it down in one transaction; also gives the turn of an earlier delivery that has not ended."""
        tenant_id, unfinished = await self._tenant(inbound.address), None
        try:
            async with self._store.begin(tenant_id) as tx:
                written = await self._write(tx, inbound, self._clock.now())
                if written is REPEATED:
                    unfinished = await turns.unfinished_of(tx, inbound.event_id)
        except BaseException:
            self._rates.take_back(_delivery(inbound))  # it will be delivered again, and counts then
            raise
        self._rates.keep(_delivery(inbound))
        return written, unfinished

    async def _publish_stop(self, turn_id: str) -> None:
        try:
            await self._bus.publish(STOP_TOPIC, {"turn_id": turn_id})
        except StoreError as error:  # the stop is in the database; only a turn that runs already does not hear of it
            log.warning("a stop could not be passed on: %s", error.detail or error.text)

    async def close(self) -> None:
        """Wait for what is being written down."""
        if self._accepting:
            await asyncio.wait(self._accepting)

    async def requeue_unfinished(self, own: str, dead: tuple[str, ...] = (), before: datetime | None = None) -> int:
        """Hand over again every turn that has not ended and that no other living process owns; gives how many.

        After a crash the inbox is the record of what is to be done. before: only turns that were asked for before then.
        """
        unfinished = [turn for turn in await turns.unfinished(self._store, before) if turn.owner in ("", own, *dead)]
        if unfinished and own:
            await turns.take_over(self._store, [turn.id for turn in unfinished], own)
        for turn in unfinished:
            await self._hand_over(_again(turn))
        return len(unfinished)

    async def _hand_over(self, turn: _QueuedTurn) -> None:
        try:
            await self._jobs.enqueue(Job(turn.turn_id, turn.lane, turn.sequence, turn.person))
        # The edge of the jobs: the turn is in the database, and is found there before long.
        except Exception as error:
            log.warning("turn %s could not be handed over yet: %s: %s", turn.turn_id, type(error).__name__, error)

    async def _tenant(self, address: Address) -> int:
        key = (address.platform, address.workspace)
        if key not in self._tenants:
            self._tenants[key] = await tenants.tenant_id(self._store, *key, self._clock.now())
        return self._tenants[key]

    async def tenant_of(self, address: Address) -> int:
        """The tenant that this place belongs to."""
        return await self._tenant(address)

    async def _write(self, tx: Transaction, inbound: Inbound, now: datetime) -> _Written:
        event = replace(inbound, text="") if isinstance(inbound, Edit) else inbound  # the words go into what was edited
        sequence = await events.record_event(tx, inbound.event_id, event, now)
        if sequence is None:
            return REPEATED
        written = await self._written(tx, inbound, sequence, now)
        if written.accepted.outcome in NOTHING_KEPT:  # else its words would outlive the message that they belong to
            await events.erase_payload(tx, sequence)
        return written

    async def _written(self, tx: Transaction, inbound: Inbound, sequence: int, now: datetime) -> _Written:
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

    async def _message(self, tx: Transaction, inbound: InboundMessage, sequence: int, now: datetime) -> _Written:
        if (known := await self._known(tx, inbound)) is not None:
            return known
        conversation_id = await conversations.get_or_open(
            tx, inbound.address, now, is_direct=inbound.is_direct, title=inbound.text
        )
        is_due = addresses_bot(inbound) or await self._is_followed(tx, conversation_id, inbound)
        await messages.add_user_message(
            tx, conversation_id, sequence, inbound, for_model=is_in_context(inbound, self._commands)
        )
        if inbound.about_message_id:
            await context.tie(tx, conversation_id, sequence, inbound)
        return await self._ask(tx, inbound, conversation_id, sequence, now) if is_due else NOTED

    async def _known(self, tx: Transaction, inbound: InboundMessage | Command) -> _Written | None:
        """What is to be said of a message that is here already, or that was deleted or forgotten; None for any other."""
        if not inbound.message_id:
            return None
        if await references.exists(tx, inbound.address, inbound.message_id, lock=True):
            return REPEATED  # the same post by another event, such as a mention that arrives as a message too
        return IGNORED if await graves.buried(tx, inbound.address.channel, (inbound.message_id,)) else None

    async def _is_followed(self, tx: Transaction, conversation_id: int, inbound: InboundMessage) -> bool:
        settings = await tenants.effective_settings(tx, inbound.address, inbound.author.id)
        return follows(inbound, settings, has_turns=await turns.has_turns(tx, conversation_id))

    async def _command(self, tx: Transaction, inbound: Command, sequence: int, now: datetime) -> _Written:
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
    ) -> _Written:
        """Queue an answer. What is asked too often gets a refusal for an answer, and after that nothing for a while."""
        decision = await self._decide(tx, inbound)
        if decision.refusal is None:
            return _queued(await self._queue(tx, inbound.author, conversation_id, sequence, sequence, now))
        if not decision.is_told:
            return _refused(decision.refusal)
        await events.replace_payload(tx, sequence, _with_refusal(inbound, decision.refusal))
        queued = await self._queue(tx, inbound.author, conversation_id, sequence, sequence, now)
        return _queued(replace(queued, lane=queued.turn_id, position=0))  # it is told at once, whatever waits there

    async def _decide(self, tx: Transaction, inbound: Inbound, person: str = "") -> Decision:
        """Whether it is taken up; then it is counted. person: who asks, where the platform does not tell."""
        at, person, kind = inbound.address, inbound.author.id or person, kind_of(inbound, self._commands)
        waiting = Waiting()
        if kind == "question":
            waiting = await turns.count_waiting(tx, person, at.channel, self._rates.most_waiting)
        decision = self._rates.decide(at, person, self._clock.monotonic(), kind, waiting, _delivery(inbound))
        if decision.refusal is not None:
            telemetry.refused.labels(decision.refusal.limit).inc()
        return decision

    async def _queue(
        self, tx: Transaction, requester: Author, conversation_id: int, sequence: int, source_id: int, now: datetime
    ) -> _QueuedTurn:
        owner = "" if self._store.is_shared else self._jobs.name
        turn_id = await turns.add_turn(tx, requester.id, conversation_id, sequence, source_id, now, owner=owner)
        position = await turns.waiting_before(tx, conversation_id, sequence)
        person = person_key(tx.tenant_id, requester.id)
        return _QueuedTurn(turn_id, str(conversation_id), sequence, person, position)

    async def _requeue(
        self, tx: Transaction, requester: Author, message: references.MessageRef, sequence: int, now: datetime
    ) -> _Written:
        """Ask for a further answer to the same question, which takes the place of the earlier one."""
        stopped = await self._stop(tx, message)
        await deletion.delete_copies_of_answers(tx, message.source_id)
        queued = await self._queue(tx, requester, message.conversation_id, sequence, message.source_id, now)
        return _queued(queued, stopped=stopped)

    async def _stop(self, tx: Transaction, message: references.MessageRef) -> tuple[str, ...]:
        """Ask the turn about this message to stop, if it runs; gives the turns to be told."""
        if not message.is_running:
            return ()
        await turns.request_stop(tx, message.turn_id)
        return (message.turn_id,)

    async def _edit(self, tx: Transaction, inbound: Edit, sequence: int, now: datetime) -> _Written:
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is not None and not may_change(inbound, message.author_id):
            return IGNORED
        copies = await context.edit_copies(tx, inbound)
        copies += await deletion.delete_repeats(tx, inbound.address.channel, [inbound.message_id])
        if message is None:
            return NOTED if copies else IGNORED
        original = await events.load_event(tx, message.source_id)
        is_asked_now = inbound.mentions_bot and not message.turn_id  # the mention was forgotten at first
        if not is_editable(original) or (original.text == inbound.text and not is_asked_now):
            return IGNORED  # a link unfolded, or a command, which is not revised
        await messages.edit_message(tx, message, replace(answered_at(original, inbound), text=inbound.text, refusal=""))
        if not message.turn_id and not is_asked_now:
            return NOTED
        decision = await self._decide(tx, inbound, message.author_id)
        if decision.refusal is not None:
            if not decision.is_told:
                return _refused(decision.refusal)
            await events.replace_payload(tx, sequence, replace(inbound, text="", refusal=decision.refusal.text))
        return await self._requeue(tx, inbound.author, message, sequence, now)

    async def _deletion(self, tx: Transaction, inbound: Deletion) -> _Written:
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is not None and not may_change(inbound, message.author_id):
            return IGNORED
        copies = await deletion.delete_repeats(tx, inbound.address.channel, [inbound.message_id])
        copies += await context.delete_copies(tx, inbound.address.channel, [inbound.message_id])
        await graves.bury(tx, inbound.address.channel, [inbound.message_id])
        if message is None:
            return DONE if copies else IGNORED
        if inbound.message_id != message.message_id:  # a post of ours: the answer goes, the question stays
            return DONE if await deletion.delete_answer(tx, message, inbound.message_id) else IGNORED
        stopped = await self._stop(tx, message)
        await deletion.delete_exchange(tx, message)
        return replace(DONE, stopped=stopped)

    async def _press(self, tx: Transaction, inbound: ButtonPress, sequence: int, now: datetime) -> _Written:
        message = await references.find_message(tx, inbound.address, inbound.message_id)
        if message is None or not message.turn_id:
            return IGNORED
        if not may_press(inbound, message.author_id):
            return _Written(Accepted("refused", reason=PRESS_REFUSED))
        match inbound.action:
            case "stop":
                return replace(DONE, stopped=await self._stop(tx, message))
            case "thumbs_up" | "thumbs_down":
                value = 1 if inbound.action == "thumbs_up" else -1
                await turns.give_feedback(tx, message.turn_id, inbound.author.id, value, now)
                return DONE
        decision = await self._decide(tx, inbound)
        if decision.refusal is not None:
            return _refused(decision.refusal, is_told=decision.is_told)
        if inbound.action == "regenerate":
            return await self._requeue(tx, inbound.author, message, sequence, now)
        return await self._queue_instruction(tx, inbound, message, sequence, now)

    async def _queue_instruction(
        self, tx: Transaction, inbound: ButtonPress, about: references.MessageRef, sequence: int, now: datetime
    ) -> _Written:
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
            sent_at=now,
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
        return _queued(await self._queue(tx, inbound.author, about.conversation_id, sequence, sequence, now))


def _delivery(inbound: Inbound) -> str:
    return f"{inbound.address.platform}/{inbound.address.workspace}/{inbound.event_id}"


def _again(turn: turns.UnfinishedTurn) -> _QueuedTurn:
    person = person_key(turn.tenant_id, turn.author_id)
    return _QueuedTurn(turn.id, str(turn.conversation_id), turn.sequence, person)


def _with_refusal(inbound: InboundMessage | Command, error: LimitError) -> InboundMessage | Command:
    """The inbound that is answered by why it is refused. What is said to a command concerns nobody else."""
    refused = replace(inbound, refusal=error.text)
    return replace(refused, ephemeral=True) if isinstance(refused, Command) else refused
