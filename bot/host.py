"""What adapters are lent, made from the store and the engine: the parts of a `Host`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeAlias

from bot.engine.commands import SPECS, Chooser, set_setting, usage_table
from bot.engine.runtime import Runtime
from bot.policy.limits import Limits
from bot.ports import Clock, Host, Installation
from bot.redaction import Secrets
from bot.store import Store, conversations, tenants
from bot.store.blobs import TenantBlobs
from bot.store.page_sessions import StoredPageSessions
from bot.store.tenants import Seal
from bot.store.timeline import load_timeline
from bot.types import Address, Author, Blob, Conversation, Diagnostic, ResumePoint, Scope, Settings, TimelineEntry

USAGE_DAYS = 30
TenantOf: TypeAlias = Callable[[Address], Awaitable[int]]
"""The tenant that a place belongs to."""


@dataclass(frozen=True)
class PlaceBlobs:
    """`Blobs` of the tenant that a place belongs to, which is looked up when they are asked for."""

    store: Store
    tenant_of: TenantOf
    limits: Limits
    address: Address

    async def _blobs(self) -> TenantBlobs:
        return TenantBlobs(self.store, await self.tenant_of(self.address), self.limits)

    async def read(self, blob: Blob) -> bytes:
        """The bytes."""
        return await (await self._blobs()).read(blob)

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Keep the bytes."""
        return await (await self._blobs()).write(data, mime_type)

    async def read_pieces(self, sha256: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """So many bytes from there on, in pieces."""
        async with aclosing((await self._blobs()).read_pieces(sha256, first, count)) as pieces:
            async for piece in pieces:
                yield piece

    async def write_pieces(self, pieces: AsyncIterable[bytes], mime_type: str, author_id: str = "") -> Blob:
        """Keep bytes that come in pieces. Raises LimitError when that is more than is kept for one person."""
        return await (await self._blobs()).write_pieces(pieces, mime_type, author_id)

    async def size_for(self, sha256: str, person_id: str, turn_id: str = "") -> int | None:
        """How many bytes these are, if this person may see them."""
        return await (await self._blobs()).size_for(sha256, person_id, turn_id)


@dataclass(frozen=True)
class StoredInstallations:
    """`Installations` in the database, their secrets sealed, and struck out of every text once they are known."""

    store: Store
    seal: Seal
    clock: Clock
    secrets: Secrets

    async def find(self, platform: str, workspace: str) -> Installation | None:
        """What was kept when Parley was installed there."""
        found = await tenants.installation(self.store, self.seal, platform, workspace)
        self.secrets.learn(*(found.secrets.values() if found else ()))
        return found

    async def keep(self, installation: Installation) -> None:
        """Keep it, its secrets sealed."""
        self.secrets.learn(*installation.secrets.values())
        await tenants.keep_installation(self.store, self.seal, installation, self.clock.now())

    async def drop(self, platform: str, workspace: str) -> None:
        """Forget it and its secrets."""
        await tenants.drop_installation(self.store, platform, workspace)


@dataclass(frozen=True)
class StoredTimeline:
    """`Timeline` read from the database."""

    store: Store
    tenant_of: TenantOf

    async def entries(self, address: Address, limit: int = 200) -> Sequence[TimelineEntry]:
        """The newest messages of the conversation held there, oldest first."""
        async with self.store.read(await self.tenant_of(address)) as tx:
            found = await conversations.find_open(tx, address)
            return await load_timeline(tx, found, limit) if found is not None else []

    async def conversations(
        self, platform: str, workspace: str, author_id: str, limit: int = 100
    ) -> Sequence[Conversation]:
        """The conversations in which this person takes part, newest first."""
        async with self.store.read(await self.tenant_of(Address(platform, workspace, ""))) as tx:
            return await conversations.by_author(tx, platform, workspace, author_id, limit)

    async def resume_points(self, platform: str, since: datetime) -> Sequence[ResumePoint]:
        """The newest message of each conversation in which something happened since then."""
        return await conversations.resume_points(self.store, platform, since)


@dataclass(frozen=True)
class StoredPersonalSettings:
    """`PersonalSettings` in the database, checked as `/settings` checks them."""

    runtime: Runtime
    tenant_of: TenantOf

    async def effective(self, address: Address, author_id: str) -> Settings:
        """What holds for this person at this place."""
        async with self.runtime.store.read(await self.tenant_of(address)) as tx:
            return await tenants.effective_settings(tx, address, author_id)

    async def set(self, address: Address, author_id: str, scope: Scope, name: str, value: str) -> str:
        """Set or reset a setting; returns the sentence for the person."""
        async with self.runtime.store.begin(await self.tenant_of(address)) as tx:
            return await set_setting(tx, self.runtime, Chooser(Author(author_id), address), scope, name, value)


async def _usage(runtime: Runtime, tenant_of: TenantOf, address: Address, author_id: str) -> str:
    async with runtime.store.read(await tenant_of(address)) as tx:
        return await usage_table(tx, author_id, runtime.clock.now(), USAGE_DAYS)


def make_host(
    runtime: Runtime,
    seal: Seal,
    secrets: Secrets,
    tenant_of: TenantOf,
    diagnostics: Callable[[], Sequence[Diagnostic]],
    entrance_key: str = "",
) -> Host:
    """The host that lends this runtime's store, clock and bus.

    secrets: learns the tokens of installations. entrance_key: see `Host`.
    """
    return Host(
        clock=runtime.clock,
        bus=runtime.bus,
        blobs=partial(PlaceBlobs, runtime.store, tenant_of, runtime.limits),
        installations=StoredInstallations(runtime.store, seal, runtime.clock, secrets),
        sessions=StoredPageSessions(runtime.store),
        timeline=StoredTimeline(runtime.store, tenant_of),
        settings=StoredPersonalSettings(runtime, tenant_of),
        usage=partial(_usage, runtime, tenant_of),
        commands=SPECS,
        models=runtime.models.chosen,
        chat_models=runtime.models.available,
        personas=tuple(runtime.personas),
        entrance_key=entrance_key,
        diagnostics=diagnostics,
    )
