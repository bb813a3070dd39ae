"""Copies of messages that were fetched as context are told apart from what people said to Parley, and know their original."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now a copy showed only by an ordinal below 0.

    Copies in shared places were always of that same channel. Those in direct conversations may be from elsewhere: their origin
    stays empty, which counts as any channel, so that deleting and forgetting reach too much rather than too little.
    """
    op.add_column(
        "messages",
        sa.Column(
            "is_context",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Fetched as context: a copy, not said here.",
        ),
    )
    op.add_column(
        "messages",
        sa.Column(
            "origin_channel",
            sa.String(length=255),
            server_default=sa.text("''"),
            nullable=False,
            comment="Where the original of a copy stands; empty when unknown.",
        ),
    )
    op.execute("UPDATE messages SET is_context = true WHERE ordinal < 0")
    op.execute(
        "UPDATE messages SET origin_channel = conversations.channel FROM conversations"
        " WHERE conversations.id = messages.conversation_id AND messages.is_context AND NOT conversations.is_direct"
    )


def downgrade() -> None:
    """Back to the revision before."""
    for column in (
        "origin_channel",
        "is_context",
    ):  # not in batch mode, which on SQLite drops the table that others refer to
        op.drop_column("messages", column)
