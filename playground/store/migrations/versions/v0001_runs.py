"""The runs. Released: never edited, only followed by further migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("cached_tokens", sa.Integer),
        sa.Column("reasoning_tokens", sa.Integer),
        sa.Column("usage_estimated", sa.Boolean),
        sa.Column("cost", sa.BigInteger),
        sa.Column("latency", sa.Double),
        sa.Column("time_to_first_token", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("effective_request", sa.JSON),
        sa.Column("choices", sa.JSON, nullable=False),
        sa.Column("logprobs", sa.JSON),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_created", "runs", ["created_at", "id"])
    op.create_index("ix_runs_model", "runs", ["endpoint", "model", "created_at"])
    op.create_index(
        "ix_runs_usage",
        "runs",
        ["created_at", "endpoint", "model", "prompt_tokens", "completion_tokens", "cost"],
    )
    running = sa.text("status = 'running'")
    op.create_index("ix_runs_running", "runs", ["owner"], sqlite_where=running, postgresql_where=running)


def downgrade() -> None:
    op.drop_table("runs")
