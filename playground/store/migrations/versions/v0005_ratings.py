"""People's ratings of a sweep's answers. Released: never edited, only followed by further migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "raters",
        sa.Column("sweep", sa.String(64), primary_key=True),
        sa.Column("rater", sa.String(60), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seed", sa.String(32), nullable=False),
        sa.Column("queue", sa.JSON, nullable=False),
        sa.Column("revealed_at", sa.BigInteger),
    )
    op.create_table(
        "ratings",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("sweep", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("rater", sa.String(60), nullable=False),
        sa.Column("criterion", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("grade", sa.SmallInteger),
        sa.Column("comment", sa.Text),
    )
    op.create_index("ix_ratings_sweep", "ratings", ["sweep", "rater"])


def downgrade() -> None:
    for name in ("ratings", "raters"):
        op.drop_table(name)
