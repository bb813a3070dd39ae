"""The tables. Each row belongs to a tenant; times are UTC; values are kept in their plain JSON form."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    false,
    text,
    true,
)

from bot.store.columns import ID_LENGTH, Bounded, Moment, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in a column of type INTEGER."""


def _tenant() -> Column[int]:
    return Column("tenant_id", Key, ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)


def _author(comment: str) -> Column[str]:
    return Column("author_id", Bounded(ID_LENGTH), nullable=False, server_default=text("''"), comment=comment)


def _json(name: str, **options: Any) -> Column[Any]:
    return Column(name, JSON(none_as_null=True), **options)


tenants = Table(
    "tenants",
    metadata,
    Column("id", Key, primary_key=True),
    Column("platform", Bounded(32), nullable=False),
    Column("workspace", Bounded(ID_LENGTH), nullable=False),
    Column("name", Words, nullable=False, server_default=text("''")),
    _json("data"),
    Column("sealed", LargeBinary, comment="Tokens, encrypted."),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("platform", "workspace"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Key, primary_key=True),
    _tenant(),
    Column("channel", Bounded(ID_LENGTH), nullable=False),
    Column("thread", Bounded(ID_LENGTH), nullable=False),
    Column("is_open", Boolean, nullable=False, server_default=true(), comment="The one now held at this address."),
    Column("is_direct", Boolean, nullable=False, server_default=false()),
    Column("title", Words, nullable=False, server_default=text("''")),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(
        "uq_conversations_open",
        "tenant_id",
        "channel",
        "thread",
        unique=True,
        sqlite_where=text("is_open"),
        postgresql_where=text("is_open"),
    ),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Key, primary_key=True, comment="Counts up: the order in which events were accepted."),
    _tenant(),
    Column("event_id", Bounded(ID_LENGTH), nullable=False),
    _json("payload", nullable=False),
    Column("received_at", Moment, nullable=False),
    UniqueConstraint("tenant_id", "event_id"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Bounded(32), primary_key=True),
    _tenant(),
    Column("conversation_id", Key, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Key, nullable=False, comment="The inbox row that asked for it; orders the turns of a lane."),
    Column(
        "source_id", Key, nullable=False, comment="The inbox row that it answers; an edit or a regeneration keeps it."
    ),
    Column("attempt", Integer, nullable=False, server_default="1"),
    _author("Who asked for it, and pays and waits for it."),
    Column("state", Bounded(16), nullable=False, comment="queued, running, done, failed, stopped"),
    Column(
        "owner",
        Bounded(ID_LENGTH),
        nullable=False,
        server_default=text("''"),
        comment="The process that took it on, where that matters.",
    ),
    _json("receipt"),
    _json("notices"),
    Column("model", Bounded(ID_LENGTH), nullable=False, server_default=text("''")),
    Column("error", Bounded(64), nullable=False, server_default=text("''")),
    Column("truncated", Boolean, nullable=False, server_default=false(), comment="The answer hit its length limit."),
    Column("stop_requested", Boolean, nullable=False, server_default=false()),
    Column(
        "interruptions",
        Integer,
        nullable=False,
        server_default="0",
        comment="How often the process that worked on it died.",
    ),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Index(None, "conversation_id", "source_id"),
    Index(
        "ix_turns_unfinished",
        "sequence",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_turns_unfinished_of",
        "tenant_id",
        "author_id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

steps = Table(
    "steps",
    metadata,
    _tenant(),
    Column("turn_id", Bounded(32), ForeignKey("turns.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("name", Bounded(64), nullable=False),
    Column("attempts", Integer, nullable=False, comment="0: its result was remembered from before a restart."),
    Column("duration_ms", Float, nullable=False),
    Column("error", Bounded(64), nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("turn_id", "ordinal"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    _tenant(),
    Column("conversation_id", Key, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column(
        "source_id",
        Key,
        nullable=False,
        comment="The inbox row it came by or answers: the order of a conversation.",
    ),
    Column("ordinal", Integer, nullable=False, comment="0 for what a person said, from 1 for the answer."),
    Column(
        "is_context",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="Fetched as context: a copy, not said here.",
    ),
    Column(
        "origin_channel",
        Bounded(ID_LENGTH),
        nullable=False,
        server_default=text("''"),
        comment="Where the original of a copy stands; empty when unknown.",
    ),
    Column("turn_id", Bounded(32), nullable=False, server_default=text("''")),
    Column("role", Bounded(16), nullable=False),
    Column("author_id", Bounded(ID_LENGTH), nullable=False, server_default=text("''")),
    Column("author_name", Words, nullable=False, server_default=text("''")),
    Column("platform_id", Bounded(ID_LENGTH), nullable=False, server_default=text("''")),
    Column("text", Words, nullable=False, server_default=text("''")),
    _json("parts", nullable=False),
    Column("for_model", Boolean, nullable=False, server_default=true(), comment="Part of what a model reads."),
    Column("created_at", Moment, nullable=False),
    Column("asked_at", Moment, comment="When the question was said at its platform."),
    Column("edited_at", Moment, comment="Of its wording; NULL for the first."),
    UniqueConstraint("conversation_id", "source_id", "ordinal"),
    Index(None, "conversation_id", "asked_at", "source_id", "ordinal"),
    Index(None, "tenant_id", "platform_id"),
    Index(None, "tenant_id", "author_id"),
)

posts = Table(
    "posts",
    metadata,
    _tenant(),
    Column("channel", Bounded(ID_LENGTH), nullable=False),
    Column("platform_id", Bounded(ID_LENGTH), nullable=False, comment="A message of ours at the platform."),
    Column("turn_id", Bounded(32), ForeignKey("turns.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel", "platform_id"),
)

blobs = Table(
    "blobs",
    metadata,
    _tenant(),
    Column("sha256", Bounded(64), nullable=False),
    Column("mime_type", Bounded(ID_LENGTH), nullable=False),
    Column("size_bytes", Key, nullable=False),
    Column("data", LargeBinary, nullable=False),
    _author("Who brought them, or had them made, first; empty where nobody knows."),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("tenant_id", "sha256"),
    Index(None, "tenant_id", "author_id", "size_bytes"),
)

blob_uses = Table(
    "blob_uses",
    metadata,
    _tenant(),
    Column("message_id", Key, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("sha256", Bounded(64), nullable=False),
    PrimaryKeyConstraint("message_id", "sha256"),
    Index(None, "tenant_id", "sha256"),
)

calls = Table(
    "calls",
    metadata,
    Column("id", Key, primary_key=True),
    _tenant(),
    Column("turn_id", Bounded(32), nullable=False, server_default=text("''")),
    Column("conversation_id", Key),
    Column("author_id", Bounded(ID_LENGTH), nullable=False, server_default=text("''")),
    Column("modality", Bounded(16), nullable=False),
    Column("model", Bounded(ID_LENGTH), nullable=False),
    Column("state", Bounded(16), nullable=False, comment="reserved, settled, failed, abandoned"),
    Column("cost_micro_usd", Key, comment="NULL is unknown, which is not 0."),
    Column("input_tokens", Key, nullable=False, server_default="0"),
    Column("cached_tokens", Key, nullable=False, server_default="0"),
    Column("output_tokens", Key, nullable=False, server_default="0"),
    Column("audio_s", Float, nullable=False, server_default="0"),
    Column("characters", Key, nullable=False, server_default="0"),
    Column("images", Key, nullable=False, server_default="0"),
    Column("is_estimate", Boolean, nullable=False, server_default=false()),
    Column("error", Bounded(64), nullable=False, server_default=text("''")),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Index(None, "tenant_id", "author_id", "started_at"),
    Index(None, "turn_id"),
)

settings = Table(
    "settings",
    metadata,
    _tenant(),
    Column("scope", Bounded(16), nullable=False, comment="conversation, channel, person"),
    Column("scope_id", Bounded(ID_LENGTH), nullable=False),
    Column("name", Bounded(64), nullable=False),
    _json("value"),
    PrimaryKeyConstraint("tenant_id", "scope", "scope_id", "name"),
)

feedback = Table(
    "feedback",
    metadata,
    _tenant(),
    Column("turn_id", Bounded(32), ForeignKey("turns.id", ondelete="CASCADE"), nullable=False),
    Column("author_id", Bounded(ID_LENGTH), nullable=False),
    Column("value", Integer, nullable=False, comment="1 for a thumb up, -1 for a thumb down"),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("turn_id", "author_id"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Bounded(ID_LENGTH), primary_key=True),
    Column("beat_at", Moment, nullable=False),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("job_id", Bounded(64), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("name", Bounded(64), nullable=False),
    Column("outcome", Words, nullable=False, comment="JSON, as bot/jobs writes it."),
    Column("recorded_at", Moment, nullable=False),
    PrimaryKeyConstraint("job_id", "ordinal"),
    Index(None, "recorded_at"),
)

page_sessions = Table(
    "page_sessions",
    metadata,
    Column("token_hash", Bounded(64), primary_key=True, comment="SHA-256 of what the browser holds."),
    Column("visitor", Bounded(ID_LENGTH), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("turn_id", Bounded(32), ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    _tenant(),
    Column("conversation_id", Key, nullable=False),
    Column("sequence", Key, nullable=False),
    Column("platform", Bounded(32), nullable=False),
    _json("reply", nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("is_claimed", Boolean, nullable=False, server_default=false(), comment="A process shows it now."),
    Column("next_at", Moment, nullable=False, comment="Nobody else tries before then."),
    Column("created_at", Moment, nullable=False),
    Index(None, "next_at"),
)
