"""Whose things are; accounts; what was spent. Released: never edited, only followed by further migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_FIGURES = (
    *("created_at", "id", "endpoint", "model", "mode", "status", "rating", "cost"),
    *("prompt_tokens", "completion_tokens", "latency", "time_to_first_token"),
)
_OWNED = ("runs", "presets", "votes", "datasets", "sweeps")
_NAMED = ("presets", "datasets")


def upgrade() -> None:
    for table in _OWNED:
        # All that was there is the host's.
        op.add_column(table, sa.Column("account", sa.String(64), nullable=False, server_default=""))
    for table in _NAMED:
        with op.batch_alter_table(table) as change:
            change.drop_constraint(f"uq_{table}_name", type_="unique")
            change.create_unique_constraint(f"uq_{table}_name", ["account", "name"])
    op.drop_index("ix_runs_history", "runs")
    op.drop_index("ix_runs_model", "runs")
    op.create_index("ix_runs_history", "runs", ["account", *_FIGURES])
    op.create_index("ix_runs_model", "runs", ["account", "endpoint", "model", "created_at"])
    op.create_index("ix_sweeps_account", "sweeps", ["account", "created_at"])
    op.create_table(
        "kept",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("stopped_at", sa.BigInteger),
    )
    op.create_table(
        "charges",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_charges_created", "charges", ["created_at"])
    op.create_index("ix_charges_owner", "charges", ["owner"])
    op.create_table(
        "spending",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("endpoint", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(255), primary_key=True),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("spending", "charges", "accounts", "kept"):
        op.drop_table(table)
    op.drop_index("ix_runs_history", "runs")
    op.drop_index("ix_runs_model", "runs")
    op.create_index("ix_runs_history", "runs", list(_FIGURES))
    op.create_index("ix_runs_model", "runs", ["endpoint", "model", "created_at"])
    op.drop_index("ix_sweeps_account", "sweeps")
    for table in _NAMED:
        with op.batch_alter_table(table) as change:
            change.drop_constraint(f"uq_{table}_name", type_="unique")
            change.create_unique_constraint(f"uq_{table}_name", ["name"])
    for table in _OWNED:
        op.drop_column(table, "account")
