"""`accept`: what platforms hand in is written down, and handed to the jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime

from bot import telemetry
from bot.errors import StoreError
from bot.inbox.writer import Writer, delivery_of
from bot.inbox.written import IGNORED, REPEATED, QueuedTurn, Written
from bot.jobs import STOP_TOPIC
from bot.jobs.slots import FairSlots
from bot.policy.addressing import as_command, is_answerable
from bot.policy.fairness import person_key
from bot.policy.limits import UNRATED, Limits
from bot.policy.rates import QuestionRates
from bot.ports import Bus, Clock, Job, Jobs
from bot.store import Store, tenants, turns
from bot.types import Accepted, Address, CommandSpec, Inbound, clean_value

WRITERS = 8
"""Inbounds that are written down at once, people in turn: one person's flood does not stand before a colleague's question."""
log = logging.getLogger(__name__)


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
        self._writer = Writer(clock, commands, self._rates, lambda: "" if store.is_shared else jobs.name)
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
            await self._hand_over_in_order(written.queued)
        for turn in written.followers:
            await self._hand_over(turn)
        for turn_id in written.stopped:  # after the commit, so that a turn that reads its row now reads the stop there
            await self._publish_stop(turn_id)
        return written.accepted

    async def _write_down(self, inbound: Inbound) -> tuple[Written, turns.UnfinishedTurn | None]:
        """Write it down in one transaction; also gives the turn of an earlier delivery that has not ended."""
        tenant_id, unfinished = await self._tenant(inbound.address), None
        try:
            async with self._store.begin(tenant_id) as tx:
                written = await self._writer.write(tx, inbound, self._clock.now())
                if written is REPEATED:
                    unfinished = await turns.unfinished_of(tx, inbound.event_id)
        except BaseException:
            self._rates.take_back(delivery_of(inbound))  # it will be delivered again, and counts then
            raise
        self._rates.keep(delivery_of(inbound))
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

    async def _hand_over_in_order(self, turn: QueuedTurn) -> None:
        """Hand over a turn, and before it those of its lane that another process wrote down and may not have lived to hand over."""
        if turn.position and self._store.is_shared:
            for earlier in await turns.unfinished_before(self._store, int(turn.lane), turn.sequence):
                await self._hand_over(_again(earlier))
        await self._hand_over(turn)

    async def _hand_over(self, turn: QueuedTurn) -> None:
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


def _again(turn: turns.UnfinishedTurn) -> QueuedTurn:
    person = person_key(turn.tenant_id, turn.author_id)
    return QueuedTurn(turn.id, str(turn.conversation_id), turn.sequence, person)
