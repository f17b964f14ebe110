"""Blind votes. Released: never edited, only followed by further migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "votes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("chosen", sa.SmallInteger),
    )


def downgrade() -> None:
    op.drop_table("votes")
