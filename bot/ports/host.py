"""What adapters are lent: time, bytes, messages, installations, and what the core knows of people and conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.types import (
    Address,
    Blob,
    CommandSpec,
    Conversation,
    Diagnostic,
    Modality,
    ResumePoint,
    Scope,
    Settings,
    TimelineEntry,
)


class Clock(Protocol):
    """Time, so that tests can move it."""

    def now(self) -> datetime:
        """The time in UTC."""

    def monotonic(self) -> float:
        """Seconds from some fixed moment, never going back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Blobs(Protocol):
    """The bytes of one tenant."""

    async def read(self, blob: Blob) -> bytes:
        """The bytes; raises StoreError when they were forgotten."""

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Keep the bytes, once for each content."""

    def read_pieces(self, sha256: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """So many bytes from there on, in pieces of a few megabytes; raises StoreError when they were forgotten."""

    async def write_pieces(self, pieces: AsyncIterable[bytes], mime_type: str, author_id: str = "") -> Blob:
        """Keep bytes that come in pieces, without holding them in memory. author_id: who brings them."""

    async def size_for(self, sha256: str, person_id: str, turn_id: str = "") -> int | None:
        """How many bytes these are, if this person may see them: a message in a conversation of theirs uses them. Otherwise None.

        turn_id: of a turn of theirs that brings them, as the caller knows; while it is under way, no message uses them yet.
        """


@dataclass(frozen=True)
class PageSession:
    """A browser that was let in to a page of ours."""

    visitor: str
    """Who its person is."""
    last_seen_at: datetime


class PageSessions(Protocol):
    """The browsers that were let in, by the hash of a token that each of them holds."""

    async def find(self, token_hash: str) -> PageSession | None:
        """The session of this token, however old."""

    async def keep(self, token_hash: str, visitor: str, now: datetime) -> None:
        """Remember a new one."""

    async def touch(self, token_hash: str, now: datetime) -> None:
        """It was used."""

    async def drop(self, token_hash: str) -> None:
        """Forget it; harmless when unknown."""

    async def drop_unused(self, since: datetime) -> None:
        """Forget those that were not used since then."""

    async def is_known(self, visitor: str) -> bool:
        """Whether there is a session of this visitor."""


class Bus(Protocol):
    """Short-lived messages between the processes of one installation; whoever does not listen misses them."""

    async def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Deliver a message of any size to everybody who subscribed: at most once, in order for one publisher.

        message: plain JSON. Raises StoreError when the database that carries it cannot be reached.
        """

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """Listen while the context is open; what is published after it opened arrives."""


def settled_topic(address: Address) -> str:
    """Where the core publishes `{"turn_id": …}` once a turn at this place has ended and its end can be read in the timeline."""
    return f"settled:{address.platform}:{address.workspace}:{address.channel}:{address.thread}"


@dataclass(frozen=True)
class Installation:
    """What a platform gave us when somebody installed Parley into a workspace."""

    platform: str
    workspace: str
    name: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Ids and scopes: plain, may be logged."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Tokens: sealed in the database, never logged."""


class Installations(Protocol):
    """What platforms gave us when somebody installed Parley into a workspace."""

    async def find(self, platform: str, workspace: str) -> Installation | None:
        """What was kept when Parley was installed there."""

    async def keep(self, installation: Installation) -> None:
        """Keep it, its secrets sealed; raises ConfigError when no key to seal with is set."""

    async def drop(self, platform: str, workspace: str) -> None:
        """Forget it and its secrets; harmless when unknown."""


class Timeline(Protocol):
    """Conversations as people saw them."""

    async def entries(self, address: Address, limit: int = 200) -> Sequence[TimelineEntry]:
        """The newest messages of the conversation held there, oldest first."""

    async def conversations(
        self, platform: str, workspace: str, author_id: str, limit: int = 100
    ) -> Sequence[Conversation]:
        """The conversations in which this person takes part, newest first."""

    async def resume_points(self, platform: str, since: datetime) -> Sequence[ResumePoint]:
        """The newest message of each open conversation of this platform in which something happened since then."""


class PersonalSettings(Protocol):
    """What a person has chosen at a place."""

    async def effective(self, address: Address, author_id: str) -> Settings:
        """What holds for this person at this place."""

    async def set(self, address: Address, author_id: str, scope: Scope, name: str, value: str) -> str:
        """Set a setting as `/settings` does, or reset it when the value is empty; returns the sentence for the person.

        Raises UsageError.
        """


@dataclass(frozen=True, kw_only=True)
class Host:
    """What adapters are lent; made when its parts exist."""

    clock: Clock
    bus: Bus
    blobs: Callable[[Address], Blobs]
    """The bytes of the tenant that a place belongs to."""
    installations: Installations
    sessions: PageSessions
    """The browsers that were let in to the page."""
    timeline: Timeline
    settings: PersonalSettings
    usage: Callable[[Address, str], Awaitable[str]]
    """What this person's calls used in the last 30 days, as Markdown: what `/usage` shows."""
    commands: Mapping[str, CommandSpec]
    """Every slash command by its name."""
    models: Mapping[Modality, str]
    """The configured model of each modality, `provider:model`; empty when it is off."""
    chat_models: Callable[[], Sequence[str]]
    """The chat models that a person may choose, as `provider:model`."""
    personas: Sequence[str]
    """The names that `/persona` knows."""
    entrance_key: str
    """What the address of a page without a password holds when it is printed: whoever was shown it is let in."""
    diagnostics: Callable[[], Sequence[Diagnostic]]
    """What is on, and what is off with the setting that brings it; asks nobody outside."""
