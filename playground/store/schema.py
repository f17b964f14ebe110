"""The tables as they stand at `HEAD`. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

HEAD = "0008"
"""The newest migration. Kept here so that opening a database that is up to date does not import Alembic (0.1 s)."""

METADATA = MetaData()

RUNS = Table(
    "runs",
    METADATA,
    # SQLite's own row number, made visible: an implicit one may change on VACUUM, and a full-text index refers to it.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False),
    # Microseconds since 1970 UTC: sorts, and gives a day by integer division, alike on every database.
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("status", String(16), nullable=False),
    # The process that runs it, as `owner.Owner.name`; NULL once it is over.
    Column("owner", String(128)),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("usage_estimated", Boolean),
    # Picodollars (1e-12 $): an exact sum in SQL, which neither text nor SQLite's floating NUMERIC gives.
    Column("cost", BigInteger),
    Column("latency", Double),
    Column("time_to_first_token", Double),
    Column("error", Text),
    # For search: the start of what was asked and answered, without NUL and lone surrogates.
    Column("prompt", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("request", JSON, nullable=False),
    # NULL where it equals `request`.
    Column("effective_request", JSON(none_as_null=True)),
    Column("choices", JSON, nullable=False),
    # Apart from `choices` and last, so that lists never read it: twenty alternatives a token make megabytes.
    Column("logprobs", JSON(none_as_null=True)),
    # 1: thumb up, -1: thumb down.
    Column("rating", SmallInteger),
    # Whose it is: an account's id; empty: the host's.
    Column("account", String(64), nullable=False, server_default=""),
    UniqueConstraint("id", name="uq_runs_id"),
    # History, newest first by keyset: every filter is tried on this index and only what it shows is read from the wide
    # rows. Usage and latencies are answered from it alone.
    Index(
        "ix_runs_history",
        "account",
        *("created_at", "id", "endpoint", "model", "mode", "status", "rating", "cost"),
        *("prompt_tokens", "completion_tokens", "latency", "time_to_first_token"),
    ),
    # Which models there are.
    Index("ix_runs_model", "account", "endpoint", "model", "created_at"),
    # The few that run now.
    Index(
        "ix_runs_running",
        "owner",
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
)

PRESETS = Table(
    "presets",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # As `playground.presets.to_json` writes it.
    Column("content", JSON, nullable=False),
    Column("account", String(64), nullable=False, server_default=""),
    UniqueConstraint("account", "name", name="uq_presets_name"),
)

VOTES = Table(
    "votes",
    METADATA,
    # The comparison that was voted on: it has one vote.
    Column("id", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # [{run, system}, …]. No foreign key: a vote counts on when its runs have been deleted.
    Column("shown", JSON, nullable=False),
    # The place in `shown`; NULL: none is better.
    Column("chosen", SmallInteger),
    Column("account", String(64), nullable=False, server_default=""),
)

DATASETS = Table(
    "datasets",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    # Of the cases, as `evaluate.dataset.case_json` writes them.
    Column("cases", JSON, nullable=False),
    Column("account", String(64), nullable=False, server_default=""),
    UniqueConstraint("account", "name", name="uq_datasets_name"),
)

SWEEPS = Table(
    "sweeps",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("name", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    # The process that runs it, as `owner.Owner.name`; NULL while nobody does.
    Column("owner", String(128)),
    # What the calls are: a sweep goes on only where it is the same.
    Column("fingerprint", String(64), nullable=False),
    Column("calls", Integer, nullable=False),
    # Picodollars, as in `runs`. `spent` also holds what was paid for answers that are not kept; `reserved` is what the
    # calls under way may cost at most: of a dead process it counts as spent.
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("why", JSON(none_as_null=True)),
    Column("spec", JSON, nullable=False),
    Column("cells", JSON, nullable=False),
    # Frozen as they were: a dataset that changes later changes no result.
    Column("cases", JSON, nullable=False),
    Column("account", String(64), nullable=False, server_default=""),
    # Without it a list would read past all cases to find whose each is.
    Index("ix_sweeps_account", "account", "created_at"),
)

OUTPUTS = Table(
    "outputs",
    METADATA,
    # No foreign key: SQLite checks it at every answer. Deleting a sweep deletes its outputs.
    Column("sweep", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created_at", BigInteger, nullable=False),
    Column("cell", Integer, nullable=False),
    Column("row", Integer, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("usage_estimated", Boolean),
    Column("cost", BigInteger),
    Column("latency", Double),
    Column("time_to_first_token", Double),
    Column("finish_reason", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("error", Text),
    Column("answer", Text, nullable=False),
    # What came beside the answer: thoughts, function calls.
    Column("beside", JSON(none_as_null=True)),
)

BATCHES = Table(
    "batches",
    METADATA,
    # No foreign key: as in `outputs`. Deleting a sweep deletes them.
    Column("sweep", String(64), primary_key=True),
    # Counted over the sweep from 0.
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    # What its lines ask: /v1/completions or /v1/chat/completions.
    Column("url", String(64), nullable=False),
    # planned, uploaded, sending (whether it was created is asked before it is created again), sent, merged.
    Column("state", String(16), nullable=False),
    # How often its calls have been sent, this time included.
    Column("attempt", Integer, nullable=False),
    # Picodollars that its calls may cost at most, until it is merged.
    Column("reserved", BigInteger, nullable=False),
    # The server's ids, as soon as they are known.
    Column("file", String(200)),
    Column("batch", String(200)),
    # What the server said last: its status, and how many lines it has answered.
    Column("status", String(32)),
    Column("completed", Integer),
    Column("failed", Integer),
    # The numbers of its calls. Last: some thousands.
    Column("calls", JSON, nullable=False),
)

FIGURES = Table(
    "figures",
    METADATA,
    # No foreign key: as in `outputs`. Deleting a sweep deletes them.
    Column("sweep", String(64), primary_key=True),
    # What was worked out, with the version of how.
    Column("about", String(64), primary_key=True),
    # What the sweep's outcomes were then.
    Column("stamp", String(200), nullable=False),
    Column("value", Text, nullable=False),
)

RATERS = Table(
    "raters",
    METADATA,
    # No foreign key, here and below: as in `outputs`. Deleting a sweep deletes them.
    Column("sweep", String(64), primary_key=True),
    Column("rater", String(60), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # What the order of this rater's answers, and their names on the page, are drawn from.
    Column("seed", String(32), nullable=False),
    # What is rated, as `evaluate.rating.Queue` has it.
    Column("queue", JSON, nullable=False),
    # When they were shown whose answers these were: from then on their grades are closed.
    Column("revealed_at", BigInteger),
)

RATINGS = Table(
    "ratings",
    METADATA,
    # What was given is never changed: a rater's last row of an answer and a criterion counts.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("created_at", BigInteger, nullable=False),
    Column("sweep", String(64), nullable=False),
    # Of the output.
    Column("number", Integer, nullable=False),
    Column("rater", String(60), nullable=False),
    Column("criterion", String(200), nullable=False),
    # graded, unsure (it cannot be judged), undone (taken back: as if it had not been rated).
    Column("state", String(16), nullable=False),
    # NULL unless it is graded.
    Column("grade", SmallInteger),
    Column("comment", Text),
    Index("ix_ratings_sweep", "sweep", "rater"),
)

KEPT = Table(
    "kept",
    METADATA,
    # What all processes over this database share: the key that sessions are signed with, what is shared until when.
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", String(64), primary_key=True),
    # What the host sees; no two of them need differ.
    Column("name", String(60), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    # When the host stopped it: it may run nothing from then on.
    Column("stopped_at", BigInteger),
)

CHARGES = Table(
    "charges",
    METADATA,
    # A call: open while it has an owner, and then `cost` and `tokens` are what it may take at most; settled ones stay
    # for as long as a minute's limit counts them.
    Column("id", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("account", String(64), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    # The process that asks it, as `owner.Owner.name`; NULL once it is settled.
    Column("owner", String(128)),
    # Picodollars, as in `runs`.
    Column("cost", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_charges_created", "created_at"),
    Index("ix_charges_owner", "owner"),
)

SPENDING = Table(
    "spending",
    METADATA,
    # What settled calls come to. Days since 1970 UTC.
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("account", String(64), primary_key=True),
    Column("endpoint", String(64), primary_key=True),
    Column("model", String(255), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)

#: SQLite's full-text index over `runs`, and the tables that it keeps itself: made by a migration, not by METADATA.
WORDS = "runs_fts"
