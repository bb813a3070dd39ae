"""What goes on beside the turns: holding the platforms' sockets, deleting what is no longer needed, importing libraries early."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from bot.errors import BotError
from bot.models_chosen import profile_of
from bot.ports import Accept, Adapter, Clock, Jobs, Provider
from bot.store import Store
from bot.store.blobs import drop_unused_everywhere
from bot.store.early_edits import drop_old_edits
from bot.types import Modality

PRUNE_EVERY_S = 3_600
KEEP_STEPS = timedelta(days=1)
"""A turn's step results are needed until the turn has ended; a day more helps to look into trouble."""
LISTEN_AGAIN_S = (1, 5, 30, 120)
"""Seconds before a platform is listened to again, after the first failure, the second, and so on."""
log = logging.getLogger(__name__)


async def keep_listening(adapter: Adapter, accept: Accept, clock: Clock) -> None:
    """Hold a platform's socket until cancelled; trouble with one platform does not disturb another."""
    failures = 0
    while True:
        began = clock.monotonic()
        try:
            await adapter.listen(accept)
            return
        except BotError as error:
            log.error("%s: %s", adapter.name, error.text)
        except Exception:  # the edge of the listen loop
            log.exception("%s stopped listening", adapter.name)
        failures = 0 if clock.monotonic() - began > LISTEN_AGAIN_S[-1] else failures + 1
        await clock.sleep(LISTEN_AGAIN_S[min(failures, len(LISTEN_AGAIN_S)) - 1])


async def keep_pruning(store: Store, jobs: Jobs, clock: Clock) -> None:
    """Every hour, delete bytes that nothing names and the step results of turns that ended long ago, until cancelled."""
    while True:
        with suppress(BotError):
            await drop_unused_everywhere(store, clock.now())
            await drop_old_edits(store, clock.now())
            await jobs.prune(clock.now() - KEEP_STEPS)
        await clock.sleep(PRUNE_EVERY_S)


async def warm_up(providers: Mapping[str, Provider], models: Mapping[Modality, str]) -> None:
    """Import the models' libraries now, in a thread, rather than on the first question."""
    for modality, name in models.items():
        if name:
            with suppress(BotError):
                await asyncio.to_thread(profile_of, providers, modality, name)
