"""What the database holds of a world: every table, for words that should be gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from bot.app import App
from bot.store import schema
from tests.worlds.platform import words_in

OTHERS = ("tenants", "workers")
"""Tables in which nothing of people stands."""


async def look_for(app: App, name: str, gone: Mapping[str, str]) -> list[str]:
    """Where these words still stand, and why they should not. name: of the world, with which its workspaces begin."""
    if not gone:
        return []
    found: list[str] = []
    async with app.store.connect(write=False) as connection:
        ours = select(schema.tenants.c.id).where(schema.tenants.c.workspace.startswith(f"{name}-"))
        for table in schema.metadata.sorted_tables:
            if table.name in OTHERS:
                continue
            query = select(table)
            if "tenant_id" in table.c:
                query = query.where(table.c.tenant_id.in_(ours))
            for row in await connection.execute(query):
                found += [
                    f"{word}, {gone[word]}, is in {table.name}: {_shown(row)}"
                    for word in words_in(_text(row))
                    if word in gone
                ]
    return found


def _text(row: Any) -> str:
    return " ".join(one.decode("latin-1") if isinstance(one, bytes) else str(one) for one in row)


def _shown(row: Any) -> str:
    return _text(row)[:300]
