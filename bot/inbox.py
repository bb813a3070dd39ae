"""`accept`: the only way in. When it returns, the inbound is written down and will be answered once, whatever happens."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot import telemetry
from bot.engine.runtime import STOP_TOPIC, effective_settings, is_for_model
from bot.errors import StoreError
from bot.ports import Bus, Clock, Job, Jobs
from bot.store import Store, Transaction, conversations, deletion, events, messages, references, tenants, turns
from bot.types import (
    Accepted,
    Address,
    ButtonPress,
    Command,
    CommandSpec,
    Deletion,
    Edit,
    Inbound,
    InboundMessage,
    Intent,
    Settings,
    clean_text,
)

REPEATED, IGNORED, DONE = Accepted("repeated"), Accepted("ignored"), Accepted("done")
ORDERS = {
    "continue": "Go on exactly where you stopped.",
    "vary": "Make a variation of that picture: the same subject, another composition.",
    "edit_image": "Change that picture: ",
}
"""What a button stands for, as words for the model."""
TYPED = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)
ASKED: Mapping[str, Intent] = {"vary": "vary", "edit_image": "edit_image"}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """A turn that was written down, to be handed over once the transaction is through."""

    turn_id: str
    conversation_id: int
    sequence: int
    position: int


class Inbox:
    """Finds the tenant, drops our own and the repeated, saves, and hands the turn to the jobs."""

    def __init__(self, store: Store, jobs: Jobs, bus: Bus, clock: Clock, commands: Mapping[str, CommandSpec]) -> None:
        self._store = store
        self._jobs = jobs
        self._bus = bus
        self._clock = clock
        self._commands = commands
        self._tenants: dict[tuple[str, str], int] = {}
        self._accepting: set[asyncio.Task[Accepted]] = set()

    async def accept(self, inbound: Inbound) -> Accepted:
        """Write it down and hand it over. Raises StoreError: then nothing was written, and the platform should deliver it again.

        Who gives up waiting changes nothing: what is written down is handed over all the same.
        """
        if inbound.author.is_bot:
            accepted = IGNORED
        else:
            task = asyncio.create_task(self._accept(as_command(_cleaned(inbound), self._commands)))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)
            accepted = await asyncio.shield(task)
        telemetry.accepted.labels(inbound.address.platform, accepted.outcome).inc()
        return accepted

    async def _accept(self, inbound: Inbound) -> Accepted:
        tenant_id, stops, again = await self._tenant(inbound.address), list[str](), None
        async with self._store.begin(tenant_id) as tx:
            outcome = await self._write(tx, inbound, self._clock.now(), stops)
            if outcome is REPEATED:
                again = await turns.unfinished_of(tx, inbound.event_id)
        if again:  # the first delivery may have been interrupted right after it was written
            await self._hand_over(_Asked(again.id, again.conversation_id, again.sequence, 0))
        if isinstance(outcome, _Asked):
            await self._hand_over(outcome)
            outcome = Accepted("queued", outcome.turn_id, outcome.position)
        for turn_id in stops:  # now that it is written, whoever reads too early hears it
            await self._tell_to_stop(turn_id)
        return outcome

    async def _tell_to_stop(self, turn_id: str) -> None:
        try:
            await self._bus.publish(STOP_TOPIC, {"turn_id": turn_id})
        except StoreError as error:  # that it is to stop is written down; only who runs already does not hear it
            log.warning("a stop could not be passed on: %s", error.detail or error.text)

    async def close(self) -> None:
        """Wait for what is being written down."""
        if self._accepting:
            await asyncio.wait(self._accepting)

    async def hand_over_waiting(self, own: str, dead: tuple[str, ...] = (), before: datetime | None = None) -> int:
        """Hand over again every turn that has not ended and is nobody else's: after a crash, the inbox is the record.

        before: only those asked for before then.
        """
        waiting = [turn for turn in await turns.unfinished(self._store, before) if turn.owner in ("", own, *dead)]
        if waiting and own:
            await turns.take_over(self._store, [turn.id for turn in waiting], own)
        for turn in waiting:
            await self._hand_over(_Asked(turn.id, turn.conversation_id, turn.sequence, 0))
        return len(waiting)

    async def _hand_over(self, asked: _Asked) -> None:
        try:
            await self._jobs.enqueue(Job(asked.turn_id, str(asked.conversation_id), asked.sequence))
        except Exception as error:  # the edge of the jobs: it is written down, and found there before long
            log.warning("turn %s could not be handed over yet: %s: %s", asked.turn_id, type(error).__name__, error)

    async def _tenant(self, address: Address) -> int:
        key = (address.platform, address.workspace)
        if key not in self._tenants:
            self._tenants[key] = await tenants.tenant_id(self._store, *key, self._clock.now())
        return self._tenants[key]

    async def tenant_of(self, address: Address) -> int:
        """The tenant that this place belongs to."""
        return await self._tenant(address)

    async def _write(self, tx: Transaction, inbound: Inbound, now: datetime, stops: list[str]) -> Accepted | _Asked:
        """stops: gets the turns that are to be told to stop."""
        kept = replace(inbound, text="") if isinstance(inbound, Edit) else inbound  # the words stand in what was edited
        sequence = await events.record_event(tx, inbound.event_id, kept, now)
        if sequence is None:
            return REPEATED
        match inbound:
            case InboundMessage():
                return await self._message(tx, inbound, sequence, now)
            case Command():
                return await self._command(tx, inbound, sequence, now)
            case Edit():
                return await self._edit(tx, inbound, sequence, now, stops)
            case Deletion():
                return await self._deletion(tx, inbound, stops)
            case ButtonPress():
                return await self._press(tx, inbound, sequence, now, stops)
        raise StoreError(f"There is no way to accept a {type(inbound).__name__}.")

    async def _message(
        self, tx: Transaction, inbound: InboundMessage, sequence: int, now: datetime
    ) -> Accepted | _Asked:
        if inbound.message_id and await references.exists(tx, inbound.address, inbound.message_id, lock=True):
            return REPEATED  # the same post by another event, such as a mention that arrives as a message too
        conversation_id = await conversations.get_or_open(
            tx, inbound.address, now, is_direct=inbound.is_direct, title=inbound.text
        )
        is_due = is_meant_for_us(inbound) or await self._is_followed(tx, conversation_id, inbound)
        await messages.add_user_message(
            tx, conversation_id, sequence, inbound, for_model=is_for_model(inbound, self._commands)
        )
        return await self._ask(tx, conversation_id, sequence, sequence, now) if is_due else Accepted("noted")

    async def _is_followed(self, tx: Transaction, conversation_id: int, inbound: InboundMessage) -> bool:
        settings = await effective_settings(tx, inbound.address, inbound.author.id)
        return follows(inbound, settings, takes_part=await turns.has_turns(tx, conversation_id))

    async def _command(self, tx: Transaction, inbound: Command, sequence: int, now: datetime) -> Accepted | _Asked:
        if inbound.message_id and await references.exists(tx, inbound.address, inbound.message_id, lock=True):
            return REPEATED
        spec = self._commands.get(inbound.name)
        conversation_id = await conversations.get_or_open(tx, inbound.address, now, is_direct=inbound.is_direct)
        await messages.add_user_message(
            tx, conversation_id, sequence, inbound, for_model=is_for_model(inbound, self._commands)
        )
        asked = await self._ask(tx, conversation_id, sequence, sequence, now)
        if spec and spec.begins_anew:
            await conversations.close_conversation(tx, conversation_id)
        return asked

    async def _ask(self, tx: Transaction, conversation_id: int, sequence: int, source_id: int, now: datetime) -> _Asked:
        owner = "" if self._store.is_shared else self._jobs.name
        turn_id = await turns.add_turn(tx, conversation_id, sequence, source_id, now, owner=owner)
        return _Asked(turn_id, conversation_id, sequence, await turns.waiting_before(tx, conversation_id, sequence))

    async def _again(
        self, tx: Transaction, said: references.MessageRef, sequence: int, now: datetime, stops: list[str]
    ) -> _Asked:
        """A further answer to the same question, in the place of the earlier one."""
        if said.is_running:
            await self._stop(tx, said, stops)
        return await self._ask(tx, said.conversation_id, sequence, said.source_id, now)

    async def _stop(self, tx: Transaction, said: references.MessageRef, stops: list[str]) -> None:
        await turns.request_stop(tx, said.turn_id)
        stops.append(said.turn_id)

    async def _edit(
        self, tx: Transaction, inbound: Edit, sequence: int, now: datetime, stops: list[str]
    ) -> Accepted | _Asked:
        said = await references.find_message(tx, inbound.address, inbound.message_id)
        if said is None or said.ordinal < 0:
            return IGNORED
        original = await events.load_event(tx, said.source_id)
        is_asked_now = inbound.mentions_bot and not said.turn_id  # the mention was forgotten at first
        if not isinstance(original, InboundMessage) or (original.text == inbound.text and not is_asked_now):
            return IGNORED  # a link unfolded, or a command, which is not revised
        await messages.edit_message(tx, said, replace(original, text=inbound.text, ref={**original.ref, **inbound.ref}))
        if said.turn_id:
            return await self._again(tx, said, sequence, now, stops)
        if is_asked_now:
            return await self._ask(tx, said.conversation_id, sequence, said.source_id, now)
        return Accepted("noted")

    async def _deletion(self, tx: Transaction, inbound: Deletion, stops: list[str]) -> Accepted:
        said = await references.find_message(tx, inbound.address, inbound.message_id)
        if said is None:
            return IGNORED
        if inbound.message_id != said.message_id:  # a post of ours: the answer goes, the question stays
            return DONE if await deletion.delete_answer(tx, said, inbound.message_id) else IGNORED
        if said.is_running:
            await self._stop(tx, said, stops)
        await deletion.delete_exchange(tx, said)
        return DONE

    async def _press(
        self, tx: Transaction, inbound: ButtonPress, sequence: int, now: datetime, stops: list[str]
    ) -> Accepted | _Asked:
        said = await references.find_message(tx, inbound.address, inbound.message_id)
        if said is None or not said.turn_id:
            return IGNORED
        match inbound.action:
            case "stop":
                if said.is_running:
                    await self._stop(tx, said, stops)
                return DONE
            case "thumbs_up" | "thumbs_down":
                value = 1 if inbound.action == "thumbs_up" else -1
                await turns.give_feedback(tx, said.turn_id, inbound.author.id, value, now)
                return DONE
            case "regenerate":
                return await self._again(tx, said, sequence, now, stops)
        return await self._order(tx, inbound, said, sequence, now)

    async def _order(
        self, tx: Transaction, inbound: ButtonPress, said: references.MessageRef, sequence: int, now: datetime
    ) -> _Asked:
        """A button that stands for words: answered as if the person had written them."""
        original = await events.load_event(tx, said.source_id)
        message = InboundMessage(
            event_id=inbound.event_id,
            message_id=inbound.event_id,
            address=inbound.address,
            author=inbound.author,
            text=ORDERS[inbound.action] + inbound.value,
            sent_at=now,
            is_direct=bool(getattr(original, "is_direct", False)),
            mentions_bot=True,
            intent=ASKED.get(inbound.action, "answer"),
            about_turn_id=said.turn_id,
            ref={**getattr(original, "ref", {}), **inbound.ref},
        )
        await events.replace_payload(tx, sequence, message)
        await messages.add_user_message(tx, said.conversation_id, sequence, message)
        return await self._ask(tx, said.conversation_id, sequence, sequence, now)


def as_command(inbound: Inbound, commands: Mapping[str, CommandSpec]) -> Inbound:
    """A message to us that is a slash and a command's name is that command: threads and some places take no slash commands."""
    if not isinstance(inbound, InboundMessage) or inbound.intent != "answer" or not is_meant_for_us(inbound):
        return inbound
    found = TYPED.fullmatch(inbound.text.strip())
    if found is None or found[1] not in commands:
        return inbound
    return Command(
        event_id=inbound.event_id,
        address=inbound.address,
        author=inbound.author,
        name=found[1],
        text=found[2] or "",
        attachments=inbound.attachments,
        sent_at=inbound.sent_at,
        message_id=inbound.message_id,
        is_direct=inbound.is_direct,
        ephemeral=commands[found[1]].is_private,
        wants_speech=inbound.wants_speech,
        ref=inbound.ref,
    )


def _cleaned(inbound: Inbound) -> Inbound:
    """Without letters that cannot be kept, in what a person can write."""
    author = replace(inbound.author, name=clean_text(inbound.author.name))
    if author != inbound.author:
        inbound = replace(inbound, author=author)
    if isinstance(inbound, InboundMessage | Command | Edit) and clean_text(inbound.text) != inbound.text:
        inbound = replace(inbound, text=clean_text(inbound.text))
    return inbound


def is_meant_for_us(inbound: InboundMessage) -> bool:
    """Whether an answer is due whatever the settings."""
    return inbound.is_direct or inbound.mentions_bot or inbound.intent != "answer"


def follows(inbound: InboundMessage, settings: Settings, *, takes_part: bool) -> bool:
    """Whether a message that is not meant for us is answered all the same. takes_part: we answered in its thread before."""
    match settings.follow or "thread":
        case "always":
            return True
        case "thread":
            return takes_part and bool(inbound.address.thread) and not inbound.mentions_others
    return False
