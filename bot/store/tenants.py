"""Tenants: each an installation with its sealed secrets and the settings chosen in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import bindparam, delete, select, update

from bot.errors import ConfigError
from bot.policy.settings import merge_settings, scopes
from bot.ports import Installation
from bot.store import Store, Transaction, insert
from bot.store.columns import ID_LENGTH, fitted
from bot.store.schema import settings, tenants
from bot.types import Address, Scope, Settings, from_json, to_json


class Seal:
    """Encrypts secrets at rest: the first key writes, all keys read, so that keys can be rotated.

    keys: as made by `Fernet.generate_key()`, separated by commas or white space; empty seals nothing and refuses to keep a secret.
    """

    def __init__(self, keys: str = "") -> None:
        try:
            made = [Fernet(key) for key in keys.replace(",", " ").split()]
        except ValueError as error:
            raise ConfigError(
                "PARLEY_SECRET_KEY: each key must be 32 bytes in URL-safe base64, as `parley secret-key` prints."
            ) from error
        self._fernet = MultiFernet(made) if made else None

    def close(self, secrets: Mapping[str, str]) -> bytes:
        """Encrypt the secrets into one token. Raises ConfigError without a key."""
        if not self._fernet:
            raise ConfigError(
                "PARLEY_SECRET_KEY is not set, so no token can be stored. Make one with `parley secret-key`."
            )
        return self._fernet.encrypt(json.dumps(dict(secrets)).encode())

    def open(self, sealed: bytes) -> dict[str, str]:
        """Decrypt the secrets. Raises ConfigError when no key fits."""
        if not self._fernet:
            raise ConfigError("PARLEY_SECRET_KEY is not set, so stored tokens cannot be read.")
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise ConfigError(
                "PARLEY_SECRET_KEY holds no key that opens the stored tokens; add the earlier key behind it."
            ) from error
        return opened


async def tenant_id(store: Store, platform: str, workspace: str, now: datetime) -> int:
    """Find the id of this installation, or create it."""
    query = select(tenants.c.id).where(tenants.c.platform == platform, tenants.c.workspace == workspace)
    async with store.connect(write=False) as connection:
        if (found := await connection.scalar(query)) is not None:
            return int(found)
    async with store.connect(write=True) as connection:
        row = {"platform": platform, "workspace": workspace, "created_at": now}
        await connection.execute(insert(connection, tenants).values(row).on_conflict_do_nothing())
        return int((await connection.execute(query)).scalar_one())


async def installation(store: Store, seal: Seal, platform: str, workspace: str) -> Installation | None:
    """Load the installation with its secrets decrypted; None when there is none. Raises ConfigError, StoreError."""
    where = (tenants.c.platform == platform, tenants.c.workspace == workspace, tenants.c.sealed.is_not(None))
    async with store.connect(write=False) as connection:
        row = (await connection.execute(select(tenants).where(*where))).one_or_none()
    if row is None:
        return None
    return Installation(platform, workspace, row.name, row.data or {}, seal.open(row.sealed) if row.sealed else {})


async def keep_installation(store: Store, seal: Seal, kept: Installation, now: datetime) -> None:
    """Store or replace the installation. Raises ConfigError when it has secrets and no key is set."""
    row = {"name": kept.name, "data": dict(kept.data), "sealed": seal.close(kept.secrets) if kept.secrets else b""}
    made = await tenant_id(store, kept.platform, kept.workspace, now)
    async with store.connect(write=True) as connection:
        await connection.execute(update(tenants).where(tenants.c.id == made).values(row))


async def drop_installation(store: Store, platform: str, workspace: str) -> None:
    """Delete the installation's secrets. The history stays until its people delete it."""
    async with store.connect(write=True) as connection:
        where = (tenants.c.platform == platform, tenants.c.workspace == workspace)
        await connection.execute(update(tenants).where(*where).values(sealed=None, data=None))


CHOSEN = select(settings).where(
    settings.c.tenant_id == bindparam("tenant"), settings.c.scope_id.in_(bindparam("scopes", expanding=True))
)


async def settings_rows(tx: Transaction, places: Sequence[tuple[Scope, str]]) -> dict[Scope, dict[str, Any]]:
    """Load the names and values chosen in each of these scopes."""
    found: dict[Scope, dict[str, Any]] = {scope: {} for scope, _ in places}
    wanted = dict(places)
    for row in await tx.connection.execute(CHOSEN, {"tenant": tx.tenant_id, "scopes": list(wanted.values())}):
        if fitted(wanted.get(row.scope, ""), ID_LENGTH) == row.scope_id:
            found[row.scope][row.name] = from_json(row.value)
    return found


async def effective_settings(tx: Transaction, address: Address, author_id: str) -> Settings:
    """What holds for a person at a place."""
    return merge_settings(await settings_rows(tx, scopes(address, author_id)))


async def set_setting(tx: Transaction, scope: Scope, scope_id: str, name: str, value: Any) -> None:
    """Set a value in this scope."""
    row = {"tenant_id": tx.tenant_id, "scope": scope, "scope_id": scope_id, "name": name, "value": to_json(value)}
    keys = ["tenant_id", "scope", "scope_id", "name"]
    await tx.connection.execute(
        tx.insert(settings).values(row).on_conflict_do_update(index_elements=keys, set_={"value": row["value"]})
    )


async def reset_settings(tx: Transaction, scope: Scope, scope_id: str, name: str | None = None) -> int:
    """Reset one setting of the scope, or all; returns how many were set."""
    where = [settings.c.tenant_id == tx.tenant_id, settings.c.scope == scope, settings.c.scope_id == scope_id]
    if name:
        where.append(settings.c.name == name)
    return (await tx.connection.execute(delete(settings).where(*where))).rowcount
