"""Words in the history, on real files: what is found, by what, and that the index agrees with the runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql

from playground.settings import Settings
from playground.store import Filter, Store, database, history
from playground.store.history import LONGEST_WORD, MOST_WORDS
from playground.store.migrations.versions import v0002_history
from playground.types import Choice, Run
from tests.fakes.postgres import ON_SQLITE

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_run(id: str = "run-1", prompt: str = "¿Qué es el mar?", answer: str = "Agua.", **changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": id,
        "created_at": NOON,
        "mode": "complete",
        "endpoint": "local",
        "model": "m",
        "status": "done",
        "request": {"prompt": prompt},
        "effective_request": {"prompt": prompt},
        "choices": (Choice(index=0, text=answer),),
    }
    return Run(**{**values, **changes})


def keep(store: Store, count: int, **changes: Any) -> None:
    """Runs `run-000`, `run-001` and so on, one a minute."""
    for number in range(count):
        at = NOON + timedelta(minutes=number)
        store.finish_run(a_run(f"run-{number:03}", **{"created_at": at, **changes}))


def found(store: Store, text: str = "", **filters: Any) -> list[str]:
    return [listed.id for listed in store.listed(limit=1_000, matching=Filter(text=text, **filters))]


def test_search_sees_the_text_beside_an_image_and_nothing_of_the_image(store: Store) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,abcdef"}}
    content = [{"type": "text", "text": "un gato"}, image, {"type": "text", "text": None}, "loose"]
    request = {"messages": [{"role": "user", "content": content}]}
    store.finish_run(a_run(request=request, effective_request=request))
    assert found(store, "gato") == ["run-1"]
    assert found(store, "base64") == found(store, "loose") == []


@pytest.mark.parametrize(
    "text",
    [
        *("mar", "MAR", "qué", "QUÉ", "QUE\u0301", "agu", "Agua", "a", "mar agua", "agua mar", "¿qué mar?"),
        *("mar OR", "el AND es", '"el mar"', "(mar", "mar*", "mar:agua", "-mar", "mar+agua", "^mar", "es_el"),
    ],
)
def test_words_are_found_in_prompt_and_answer_whatever_their_case(store: Store, text: str) -> None:
    store.finish_run(a_run(answer="Agua orada, andando."))
    assert found(store, text) == ["run-1"]


@ON_SQLITE
def test_a_word_is_found_without_its_accents(store: Store) -> None:
    """PostgreSQL tells accents apart: what takes them off there is an extension that a host would have to allow."""
    store.finish_run(a_run())
    assert found(store, "que") == ["run-1"]


@pytest.mark.parametrize("text", ["mares", "gua", "mar tierra", "mar NOT agua", "prompt", "prompt:mar", "ma r2"])
def test_a_word_that_does_not_occur_finds_nothing(store: Store, text: str) -> None:
    store.finish_run(a_run())
    assert found(store, text) == []


@ON_SQLITE
def test_accents_that_stand_by_themselves_are_found_by_composed_ones_and_the_other_way_round(store: Store) -> None:
    store.finish_run(a_run("apart", "el an\u0303o e\u0301pico"))
    store.finish_run(a_run("composed", "el año épico"))
    for text in ("año", "an\u0303o", "ano", "épi", "e\u0301pi", "epi"):
        assert sorted(found(store, text)) == ["apart", "composed"], text


@pytest.mark.parametrize(
    "text",
    [
        *(
            '"',
            "''",
            "*",
            "(",
            ")",
            "AND",
            "NEAR(",
            "a NEAR b",
            "prompt:",
            "{prompt answer}:",
            "^",
            "-",
            "+",
            "\\",
            "%",
        ),
        *(
            "\0",
            "a\0b",
            "\ud800",
            "a\ud800b",
            "\udfff" * 10,
            "\u202e",
            "\ufeff",
            "🌊",
            "\u0301",
            "२",
            "½",
            "ﷺ",
            "\U0001e900b",
        ),
        *("a" * 10_000, "a " * 10_000, '"' * 10_000, "'; DROP TABLE runs; --", ":phrase", "%(phrase)s", "?", "\n\t"),
    ],
)
def test_no_text_is_too_odd_to_search_for(store: Store, text: str) -> None:
    store.finish_run(a_run())
    assert found(store, text) in ([], ["run-1"])
    assert list(store.each(Filter(text=text, mode="complete"))) in ([], [store.runs(limit=1)[0]])


@pytest.mark.parametrize("text", ["!", "¿?", '"', "...", "_", "🌊", "\0", "\ud800"])
def test_punctuation_alone_matches_nothing_and_blanks_match_all(store: Store, text: str) -> None:
    store.finish_run(a_run())
    assert found(store, text) == []
    assert found(store, "") == found(store, " \n\t") == ["run-1"]


def test_many_words_are_searched_by_the_first_and_a_long_one_by_its_beginning(store: Store) -> None:
    store.finish_run(a_run(prompt="mar " + "x" * 300))
    assert found(store, "mar " * MOST_WORDS + "tierra") == ["run-1"]
    assert found(store, "mar " * (MOST_WORDS - 1) + "tierra") == []
    assert found(store, "x" * LONGEST_WORD + "y" * 300) == ["run-1"]


@ON_SQLITE
def test_a_run_is_found_when_it_is_over_by_what_it_ended_with(store: Store) -> None:
    running = a_run(status="running", answer="Agu")
    store.start_run(running)
    for answer in ("Agua", "Agua salada", "Agua dulce"):
        store.save_progress(replace(running, choices=(Choice(index=0, text=answer),)))
    assert found(store, "agua") == []
    store.finish_run(a_run(answer="Agua fresca"))
    assert found(store, "fresca") == ["run-1"]
    assert found(store, "salada") == found(store, "dulce") == []


def test_an_interrupted_run_is_found_and_its_text_follows_a_late_end(settings: Settings) -> None:
    first = Store.open(settings)
    first.start_run(a_run(status="running", answer="Media frase"))
    first.close()
    store = Store.open(settings)
    assert found(store, "media", status="interrupted") == ["run-1"]
    store.finish_run(a_run(answer="Entera"))
    assert found(store, "media") == []
    assert found(store, "entera") == ["run-1"]
    store.close()


@ON_SQLITE
def test_saving_a_run_that_streams_leaves_the_words_alone(store: Store) -> None:
    def changes() -> int:
        with store._engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM runs_fts_docsize").scalar_one())

    running = a_run(status="running")
    store.start_run(running)
    store.save_progress(replace(running, choices=(Choice(index=0, text="Agua y sal"),)))
    assert changes() == 0
    store.finish_run(a_run())
    assert changes() == 1


@ON_SQLITE
def test_the_words_agree_with_the_runs_after_everything_that_happens_to_them(store: Store) -> None:
    keep(store, 5)
    store.start_run(a_run("late", status="running"))
    store.finish_run(a_run("run-001", answer="Otra respuesta"))
    store.finish_run(a_run("late", status="stopped", answer="Cortada"))
    store.rate("run-002", 1)
    store.delete(["run-003", "nobody"])
    with database.writing(store._engine) as connection:
        # SQLite compares every word with the table's text, and raises where they differ.
        connection.exec_driver_sql("INSERT INTO runs_fts(runs_fts, rank) VALUES ('integrity-check', 1)")
    assert sorted(found(store, "mar")) == ["late", "run-000", "run-001", "run-002", "run-004"]


def test_runs_of_before_the_search_are_indexed_by_the_migration_and_nothing_of_them_is_lost(settings: Settings) -> None:
    store = Store.open(settings)
    keep(store, 3)
    before = store.runs(limit=9)
    migrate(store, "0001")
    with store._engine.connect() as connection:
        assert not sa.inspect(connection).has_table("runs_fts")
    store.close()
    store = Store.open(settings)
    assert store.runs(limit=9) == before
    assert found(store, "agua") == ["run-002", "run-001", "run-000"]
    store.close()


def migrate(store: Store, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", f"{database.__file__.removesuffix('database.py')}migrations")
    with database.writing(store._engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def test_on_postgresql_the_search_is_by_the_very_expression_that_is_indexed() -> None:
    query = history.newest(history.SHOWN, "postgresql", "", Filter(text="mar 'agua' & sal:"), None, 50)
    compiled = query.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    (statement,) = v0002_history._POSTGRESQL
    indexed = statement.partition("USING gin (")[2].removesuffix(")")
    assert indexed == "to_tsvector('simple', prompt || ' ' || answer)"
    assert f"{indexed} @@ to_tsquery('simple'" in str(compiled).replace("runs.", "")
    assert "'mar':* & 'agua':* & 'sal':*" in compiled.params.values()


def test_on_postgresql_punctuation_alone_matches_nothing_and_a_long_word_fits() -> None:
    assert str(history._postgresql("¡!")) == "false"
    longest = history.words("\U00020000" * 10_000)
    assert [len(word.encode()) < 2_046 for word in longest] == [True]
