"""The results of jobs' steps: the `StepJournal` port on the store. They belong to no tenant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from bot.ports import Clock
from bot.store import Store, prepared
from bot.store.schema import outcomes

SELECT_OUTCOMES = (
    select(outcomes.c.name, outcomes.c.outcome).where(outcomes.c.job_id == bindparam("of")).order_by(outcomes.c.ordinal)
)


def _replacing(made: Any) -> Any:
    changed = {column: made.excluded[column] for column in ("name", "outcome", "recorded_at")}
    return made.on_conflict_do_update(index_elements=["job_id", "ordinal"], set_=changed)


UPSERT_OUTCOME = prepared(outcomes, _replacing)


class StoreStepJournal:
    """Keeps outcomes beside our other rows, so that one database holds all of a turn."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def load(self, job_id: str) -> Sequence[tuple[str, str]]:
        """Load the name and the outcome of each step so far, in order."""
        async with self._store.connect(write=False) as connection:
            return [(row.name, row.outcome) for row in await connection.execute(SELECT_OUTCOMES, {"of": job_id})]

    async def append(self, job_id: str, ordinal: int, name: str, outcome: str) -> None:
        """Record the outcome of one step, replacing an earlier one."""
        row = {"job_id": job_id, "ordinal": ordinal, "name": name, "outcome": outcome, "recorded_at": self._clock.now()}
        async with self._store.connect(write=True) as connection:
            await connection.execute(UPSERT_OUTCOME(connection), row)

    async def forget(self, job_ids: Collection[str]) -> None:
        """Delete the outcomes of these jobs."""
        async with self._store.connect(write=True) as connection:
            await connection.execute(delete(outcomes).where(outcomes.c.job_id.in_(list(job_ids))))

    async def forget_before(self, before: datetime, but: Collection[str]) -> int:
        """Delete the outcomes of jobs that recorded nothing since then, except of those in `but`; returns how many jobs."""
        newest = func.max(outcomes.c.recorded_at)
        old = select(outcomes.c.job_id).group_by(outcomes.c.job_id).having(newest < before)
        async with self._store.connect(write=True) as connection:
            ended = set((await connection.scalars(old)).all()).difference(but)
            await connection.execute(delete(outcomes).where(outcomes.c.job_id.in_(ended)))
        return len(ended)
