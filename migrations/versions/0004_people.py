"""What people ask, bring and open is counted: whose turn it is, who brought the bytes, and the sessions of the page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UNFINISHED = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Turns and bytes of before belong to nobody: they count for no limit."""
    op.add_column("turns", _author("Who asked for it, and pays and waits for it."))
    op.create_index(
        "ix_turns_unfinished_of",
        "turns",
        ["tenant_id", "author_id"],
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.add_column("blobs", _author("Who brought them, or had them made, first; empty where nobody knows."))
    op.create_index("ix_blobs_tenant_id_author_id_size_bytes", "blobs", ["tenant_id", "author_id", "size_bytes"])
    op.create_table(
        "page_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of what the browser holds."),
        sa.Column("visitor", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_page_sessions"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL")  # so that a part of it can be read alone


def _author(comment: str) -> sa.Column[str]:
    return sa.Column("author_id", sa.String(length=255), server_default=sa.text("''"), nullable=False, comment=comment)


def downgrade() -> None:
    """Back to the revision before."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTENDED")
    op.drop_table("page_sessions")
    op.drop_index("ix_blobs_tenant_id_author_id_size_bytes", "blobs")
    op.drop_column("blobs", "author_id")
    op.drop_index("ix_turns_unfinished_of", "turns")
    op.drop_column("turns", "author_id")
