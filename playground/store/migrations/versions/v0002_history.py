"""Search, ratings and presets. Released: never edited, only followed by further migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

#: SQLite: words of what was asked and answered, by their row's number. The text itself stays in `runs` alone. A run is
#: indexed when it is over, so that saving it while it streams costs nothing.
_SQLITE = (
    "CREATE VIRTUAL TABLE runs_fts USING fts5("
    "prompt, answer, content='runs', content_rowid='seq', tokenize='unicode61 remove_diacritics 2', prefix='1 2 3')",
    "INSERT INTO runs_fts(rowid, prompt, answer) SELECT seq, prompt, answer FROM runs WHERE status <> 'running'",
    "CREATE TRIGGER runs_fts_insert AFTER INSERT ON runs WHEN new.status <> 'running' BEGIN"
    " INSERT INTO runs_fts(rowid, prompt, answer) VALUES (new.seq, new.prompt, new.answer); END",
    "CREATE TRIGGER runs_fts_end AFTER UPDATE OF status ON runs"
    " WHEN old.status = 'running' AND new.status <> 'running' BEGIN"
    " INSERT INTO runs_fts(rowid, prompt, answer) VALUES (new.seq, new.prompt, new.answer); END",
    "CREATE TRIGGER runs_fts_change AFTER UPDATE OF prompt, answer ON runs"
    " WHEN old.status <> 'running' AND new.status <> 'running'"
    " AND (old.prompt <> new.prompt OR old.answer <> new.answer) BEGIN"
    " INSERT INTO runs_fts(runs_fts, rowid, prompt, answer) VALUES ('delete', old.seq, old.prompt, old.answer);"
    " INSERT INTO runs_fts(rowid, prompt, answer) VALUES (new.seq, new.prompt, new.answer); END",
    "CREATE TRIGGER runs_fts_delete AFTER DELETE ON runs WHEN old.status <> 'running' BEGIN"
    " INSERT INTO runs_fts(runs_fts, rowid, prompt, answer) VALUES ('delete', old.seq, old.prompt, old.answer); END",
)
_POSTGRESQL = ("CREATE INDEX ix_runs_words ON runs USING gin (to_tsvector('simple', prompt || ' ' || answer))",)


#: One index for lists, filters and sums takes the place of two.
_HISTORY = (
    *("created_at", "id", "endpoint", "model", "mode", "status", "rating", "cost"),
    *("prompt_tokens", "completion_tokens", "latency", "time_to_first_token"),
)
_CREATED = ("created_at", "id")
_USAGE = ("created_at", "endpoint", "model", "prompt_tokens", "completion_tokens", "cost")


def upgrade() -> None:
    op.add_column("runs", sa.Column("rating", sa.SmallInteger))
    op.create_index("ix_runs_history", "runs", list(_HISTORY))
    op.drop_index("ix_runs_created", "runs")
    op.drop_index("ix_runs_usage", "runs")
    op.create_table(
        "presets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.UniqueConstraint("name", name="uq_presets_name"),
    )
    for statement in {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}.get(op.get_bind().dialect.name, ()):
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "end", "change", "delete"):
            op.execute(f"DROP TRIGGER runs_fts_{name}")
        op.execute("DROP TABLE runs_fts")
    else:
        op.drop_index("ix_runs_words", "runs")
    op.drop_table("presets")
    op.create_index("ix_runs_created", "runs", list(_CREATED))
    op.create_index("ix_runs_usage", "runs", list(_USAGE))
    op.drop_index("ix_runs_history", "runs")
    op.drop_column("runs", "rating")
