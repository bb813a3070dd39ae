"""Names that one transaction at a time may hold, over all processes."""

from __future__ import annotations

from sqlalchemy import text

from bot.store import Transaction

ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:named, 0))")


async def hold(tx: Transaction, name: str) -> None:
    """Make others that hold this name of the tenant wait until this transaction has ended. SQLite allows one writer anyway."""
    if tx.connection.dialect.name != "sqlite":
        await tx.connection.execute(ADVISORY_LOCK, {"named": f"{tx.tenant_id}/{name}"})
