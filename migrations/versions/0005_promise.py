"""Answers wait for a platform that is away; interruptions are counted; a conversation is in the order in which it was held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Turns of before count as never interrupted."""
    op.add_column(
        "turns",
        sa.Column(
            "interruptions",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="How often the process that worked on it died.",
        ),
    )
    op.create_table(
        "deliveries",
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("conversation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("reply", sa.JSON(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "is_claimed", sa.Boolean(), server_default=sa.false(), nullable=False, comment="A process shows it now."
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="Nobody else tries before then."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_deliveries_tenant_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_deliveries_turn_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("turn_id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_next_at", "deliveries", ["next_at"])
    _order_conversations()


def _order_conversations() -> None:
    """A conversation was in the order in which its messages arrived; it is in the order in which they were said."""
    moment = sa.DateTime(timezone=True)
    op.add_column("messages", sa.Column("asked_at", moment, comment="When the question was said at its platform."))
    op.add_column("messages", sa.Column("edited_at", moment, comment="Of its wording; NULL for the first."))
    op.execute(
        "UPDATE messages SET asked_at = (SELECT question.created_at FROM messages AS question"
        " WHERE question.conversation_id = messages.conversation_id AND question.source_id = messages.source_id"
        " AND question.ordinal = 0)"
    )
    op.execute("UPDATE messages SET asked_at = created_at WHERE asked_at IS NULL")
    op.create_index(
        "ix_messages_conversation_id_asked_at_source_id_ordinal",
        "messages",
        ["conversation_id", "asked_at", "source_id", "ordinal"],
    )


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_index("ix_messages_conversation_id_asked_at_source_id_ordinal", "messages")
    op.drop_column("messages", "edited_at")
    op.drop_column("messages", "asked_at")
    op.drop_table("deliveries")
    op.drop_column("turns", "interruptions")
