"""Answers that wait for a platform that was away when they were to be shown: they are shown when it is back, in their order.

The turn has ended meanwhile: its answer is written down and paid, and the next question of the conversation goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from bot import telemetry
from bot.errors import BotError, OutageError
from bot.ports import Adapter, settled_topic
from bot.store import answers, deliveries
from bot.store.deliveries import Delivery
from bot.types import Receipt, Reply, Turn

if TYPE_CHECKING:
    from bot.engine.runtime import Runtime  # which holds what is here

LOOK_S = 15.0
"""Between two looks for answers that other processes left waiting."""
FIRST_PAUSE_S, MAX_PAUSE_S = 2.0, 60.0
CLAIM = timedelta(minutes=2)
"""Showing an answer with its files may take so long; after that another process may try."""
KEEP = timedelta(days=7)
"""Nobody waits longer for an answer."""
log = logging.getLogger(__name__)


async def finish_or_wait(adapter: Adapter, receipt: Receipt, reply: Reply) -> Receipt | None:
    """Leave the reply at the receipt; None when the platform is away. Raises PlatformError for what waiting does not mend."""
    try:
        return await adapter.finish(receipt, reply)
    except OutageError as error:
        log.warning("an answer waits for its platform: %s (%s)", error.text, error.detail)
        return None


class Deliveries:
    """Which conversations have answers waiting, as far as this process knows, and the work of showing them."""

    def __init__(self, look_s: float = LOOK_S) -> None:
        """look_s: between two looks for what other processes left waiting, in seconds."""
        self._look_s = look_s
        self._conversations: set[int] = set()
        self._locks: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._noted = asyncio.Event()

    def note(self, conversation_id: int) -> None:
        """An answer of this conversation waits from now on."""
        self._conversations.add(conversation_id)
        self._noted.set()

    async def keep_showing(self, runtime: Runtime) -> None:
        """Try until the platforms are back, until cancelled."""
        while True:
            pause_s = self._look_s
            try:
                pause_s = await self.show_due(runtime)
            except BotError as error:
                log.warning("answers that wait could not be looked for: %s", error.detail or error.text)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._noted.wait()
            self._noted.clear()

    async def show_due(self, runtime: Runtime) -> float:
        """Show what can be shown now; gives the seconds until the next look."""
        waiting = await deliveries.list_deliveries(runtime.store)
        self._conversations = {one.conversation_id for one in waiting}
        for platform in runtime.adapters:
            telemetry.waiting.labels(platform).set(sum(one.platform == platform for one in waiting))
        now = runtime.clock.now()
        due = [one for one in waiting if one.next_at <= now and one.platform in runtime.adapters]
        await asyncio.gather(*(self._show(outage, due, runtime) for outage in {one.outage for one in due}))
        later = [(one.next_at - now).total_seconds() for one in waiting if one.next_at > now]
        return min([self._look_s, *later])

    async def show_before(self, turn: Turn, runtime: Runtime) -> None:
        """Show what still waits in the turn's conversation, so that its answer does not stand above an earlier one."""
        if turn.conversation_id not in self._conversations:
            return
        with suppress(BotError):
            now, waiting = runtime.clock.now(), await deliveries.list_deliveries(runtime.store)
            here = [one for one in waiting if one.conversation_id == turn.conversation_id]
            free = [one for one in here if not one.is_claimed or one.next_at <= now]
            if free and len(free) == len(here):  # else another process shows them, in their order
                await self._show(free[0].outage, free, runtime)

    async def _show(self, outage: tuple[str, int], waiting: Sequence[Delivery], runtime: Runtime) -> None:
        """Show those that one platform keeps waiting. Where one finds it away, those behind it need not try."""
        waiting = [one for one in waiting if one.outage == outage]
        async with self._locks[outage]:
            for delivery in _in_turn(waiting):
                if not await self._show_one(delivery, runtime):
                    pause_s = min(FIRST_PAUSE_S * 2 ** min(delivery.tries, 10), MAX_PAUSE_S)
                    next_at = runtime.clock.now() + timedelta(seconds=pause_s)
                    await deliveries.postpone(runtime.store, [one.turn_id for one in waiting], next_at)
                    return

    async def _show_one(self, delivery: Delivery, runtime: Runtime) -> bool:
        """Show one; False when its platform is still away. What nobody waits for any more is dropped."""
        now = runtime.clock.now()
        if not await deliveries.claim(runtime.store, delivery, now + CLAIM):
            return True  # another process shows it
        kept = await deliveries.load_reply(runtime.store, delivery)
        async with runtime.store.read(delivery.tenant_id) as tx:
            is_awaited = kept is not None and await answers.is_awaited(tx, delivery.turn_id)
        if kept is None or not is_awaited or now - delivery.created_at > KEEP:
            await self._drop(delivery, runtime, "nobody waits for it any more")
            return True
        reply, receipt = kept
        try:
            shown = await finish_or_wait(runtime.adapters[delivery.platform], receipt, reply)
        except BotError as error:
            await self._drop(delivery, runtime, error.detail or error.text)
            return True
        if shown is not None:
            await self._note_shown(shown, delivery, runtime)
        return shown is not None

    async def _note_shown(self, receipt: Receipt, delivery: Delivery, runtime: Runtime) -> None:
        async with runtime.store.begin(delivery.tenant_id) as tx:
            await answers.note_delivered(tx, receipt)
        telemetry.delivered.labels(delivery.platform).inc()
        with suppress(BotError):
            await runtime.bus.publish(settled_topic(receipt.address), {"turn_id": delivery.turn_id})

    async def _drop(self, delivery: Delivery, runtime: Runtime, reason: str) -> None:
        log.warning("an answer that waited for %s is not shown: %s", delivery.platform, reason)
        async with runtime.store.begin(delivery.tenant_id) as tx:
            await deliveries.remove_delivery(tx, delivery.turn_id)


def _in_turn(waiting: Sequence[Delivery]) -> list[Delivery]:
    """Those of a conversation in their order; the conversation that failed most often comes last.

    So an answer that its platform never takes, which looks as if the platform were away, holds up no other conversation.
    """
    tries: dict[int, int] = {}
    for one in waiting:
        tries.setdefault(one.conversation_id, one.tries)
    return sorted(waiting, key=lambda one: (tries[one.conversation_id], one.sequence))
