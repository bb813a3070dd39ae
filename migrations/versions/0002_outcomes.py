"""What the steps of jobs gave, beside the turns they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """On SQLite, steps are recorded in our own file instead of one beside it."""
    op.create_table(
        "outcomes",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="JSON, as bot/jobs writes it."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "ordinal", name=op.f("pk_outcomes")),
    )
    op.create_index(op.f("ix_outcomes_recorded_at"), "outcomes", ["recorded_at"])


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_index(op.f("ix_outcomes_recorded_at"), table_name="outcomes")
    op.drop_table("outcomes")
