"""Systems side by side, from a real store: figures, differences, who is best, what is off, where they disagree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sacrebleu
from scipy import stats

from playground.cli.evaluate_words import lines
from playground.errors import InvalidRequest, StoreError
from playground.evaluate import kept_figures, table, table_page
from playground.evaluate.comparison import VERSION, Column, Comparison
from playground.evaluate.metrics.build import GROUPS, OPTIONS, build, read_metrics, with_companions
from playground.evaluate.results import Results, load
from playground.settings import Settings
from playground.store import Output, Store
from playground.words import Language

LABELS = ("yes", "no")
CASES = [{"id": f"c{at}", "prompt": f"case {at}", "expected": LABELS[at % 2]} for at in range(24)]
MODELS = ("server/base", "server/ft:base:us::abc", "server/ft:base:us::abc:ckpt-step-5")
RIGHT = (8, 22, 20)
METRICS = ["exact_match", "label", "macro_f1", "chrf", "distinct", "domain", "off_domain"]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


def kept(store: Store, *, models: tuple[str, ...] = MODELS, answered: int = 24, **spec: Any) -> Results:
    """Each model right in its first cases; wrong ones say the other label, or what is no label and off the domain."""
    cells = [{"name": each, "model": each, "preset": None, "parameters": {}, "varied": {}} for each in models]
    about = {"models": list(models), "metrics": METRICS, **spec}
    store.sweeps.create(
        "kept", name="tweets", fingerprint="f", calls=24 * len(models), spec=about, cells=cells, cases=CASES
    )
    outputs = []
    for number in range(answered * len(models)):
        row, cell = divmod(number, len(models))
        right = row < RIGHT[cell]
        answer = CASES[row]["expected"] if right else "<b>elsewhere</b>" if row % 3 else LABELS[(row + 1) % 2]
        off = answer not in LABELS
        scores = {
            "exact_match": float(right),
            "label": float(right),
            "chrf": 100.0 * right,
            "domain": 0.1 + row / 1000 if off else 1.0,
            "off_domain": float(off),
        }
        outputs.append(
            Output(
                number=number,
                cell=cell,
                row=row,
                repeat=0,
                status="done",
                answer=answer,
                latency=0.1,
                completion_tokens=1 + cell,
                scores=scores,
            )
        )
    from decimal import Decimal

    store.sweeps.keep("kept", outputs, spent=Decimal(0), reserved=Decimal(0))
    return load(store, "kept")


def column(said: dict[str, Any], name: str, kind: str = "mean") -> dict[str, Any]:
    return next(each for each in said["columns"] if (each["name"], each["kind"]) == (name, kind))


def test_each_figure_stands_by_system_with_its_interval_and_its_difference_to_the_first(store: Store) -> None:
    said = table.table(kept(store))
    match = column(said, "exact_match")
    assert [each["value"] for each in match["figures"]] == [right / 24 for right in RIGHT]
    assert match["differences"][0] is None
    for at, right in ((1, 22), (2, 20)):
        found = match["differences"][at]
        assert found["value"] == pytest.approx((right - 8) / 24)
        assert found["low"] < found["value"] < found["high"]
        assert found["raw_p_value"] == pytest.approx(stats.binomtest(right - 8, right - 8).pvalue)
        assert (found["test"], found["count"]) == ("mcnemar", 24)
    assert [each["p_value"] for each in match["differences"][1:]] == [
        pytest.approx(2 * match["differences"][1]["raw_p_value"]),
        pytest.approx(max(each["p_value"] for each in match["differences"][1:])),
    ]


def test_the_baseline_is_the_one_that_was_chosen(store: Store) -> None:
    results = kept(store, baseline=MODELS[2])
    said = table.table(results)
    assert said["baseline"] == 2
    assert column(said, "exact_match")["differences"][0]["value"] == pytest.approx(-12 / 24)
    assert table.table(results, baseline="base")["baseline"] == 0
    with pytest.raises(InvalidRequest, match="other is not among the models"):
        table.table(results, baseline="other")


def test_the_best_is_named_only_where_a_test_shows_it(store: Store) -> None:
    said = table.table(kept(store))
    found = column(said, "exact_match")["verdict"]
    assert (found["winner"], found["best"], found["level"]) == (None, MODELS[1], [MODELS[2]])
    cheapest = column(said, "completion_tokens")["verdict"]
    assert (cheapest["winner"], cheapest["winner_cell"]) == (MODELS[0], 0)


def test_a_metric_of_all_answers_has_its_own_interval_and_test(store: Store) -> None:
    said = table.table(kept(store))
    f1, chrf, distinct = (column(said, name, "corpus") for name in ("macro_f1", "chrf", "distinct_2"))
    assert (f1["differences"][1]["test"], chrf["differences"][1]["test"]) == ("randomization", "randomization")
    assert f1["figures"][0]["value"] == pytest.approx(said["classes"][0]["macro"]["f1"])
    answers = [
        CASES[row]["expected"] if row < 8 else "<b>elsewhere</b>" if row % 3 else LABELS[(row + 1) % 2]
        for row in range(24)
    ]
    theirs = sacrebleu.corpus_chrf(answers, [[case["expected"] for case in CASES]]).score
    assert chrf["figures"][0]["value"] == pytest.approx(theirs)
    assert chrf["figures"][0]["low"] < theirs < chrf["figures"][0]["high"]
    assert distinct["jackknifed"]
    assert 0 <= distinct["figures"][0]["low"] <= distinct["figures"][0]["high"] <= 1


def test_the_classification_report_is_told_by_system(store: Store) -> None:
    said = table.table(kept(store))
    assert [each["accuracy"] for each in said["classes"]] == [right / 24 for right in RIGHT]
    assert all(sum(map(sum, each["matrix"])) == 24 for each in said["classes"])


def test_answers_off_the_domain_are_listed_with_their_case_the_farthest_first(store: Store) -> None:
    said = table.table(kept(store))
    share = column(said, "off_domain")
    assert [each["value"] * 24 for each in share["figures"]] == [
        sum(row % 3 > 0 for row in range(right, 24)) for right in RIGHT
    ]
    found = said["off_domain"]
    assert found["count"] == round(sum(each["value"] * 24 for each in share["figures"]))
    assert (found["answers"][0]["case"], found["answers"][0]["answer"]) == ("c8", "<b>elsewhere</b>")
    closeness = [each["closeness"] for each in found["answers"]]
    assert closeness == sorted(closeness)


def test_disagreements_are_the_cases_that_systems_score_most_differently(store: Store) -> None:
    said = table.table(kept(store))
    assert [each["case"] for each in said["disagreements"]] == [f"c{row}" for row in range(8, 22)]
    first = said["disagreements"][0]
    assert [each["score"] for each in first["answers"]] == [0.0, 1.0, 1.0]
    assert first["answers"][1]["answer"] == first["expected"] == "yes"
    by_tokens = table.table(load(store, "kept"), "completion_tokens")["disagreements"]
    assert by_tokens[0]["spread"] == 2.0


def test_one_system_has_figures_and_nothing_to_compare(store: Store) -> None:
    said = table.table(kept(store, models=MODELS[:1]))
    assert column(said, "exact_match")["figures"][0]["count"] == 24
    assert column(said, "exact_match")["differences"] == [None]
    assert said["disagreements"] == []
    assert "baseline" not in "\n".join(lines(said))


def test_an_evaluation_without_an_answer_has_no_figures_and_says_so(store: Store) -> None:
    results = kept(store, answered=0)
    said = table.table(results)
    assert (said["columns"], said["answered"]) == ([], 0)
    assert "0 of 72 answered" in next(iter(lines(said)))
    assert "No answer has a score" in table_page.page(results, said)


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_report_stands_alone_and_runs_nothing_that_a_model_wrote(store: Store, language: Language) -> None:
    results = kept(store)
    text = table_page.page(results, table.table(results, language=language), language=language)
    assert "<b>elsewhere" not in text
    assert "&lt;b&gt;elsewhere" in text
    assert not re.search(r"<script|(?:src|href)\s*=|https?://|@import", text)
    assert ("no difference shown" in text) is (language == "en")
    assert ("no se muestra ninguna diferencia" in text) is (language == "es")
    assert text.count('class="bar"') == sum(
        figure is not None for each in table.table(results)["columns"] for figure in each["figures"]
    )


def test_a_spanish_report_writes_numbers_as_spanish_does(store: Store) -> None:
    results = kept(store)
    text = table_page.page(results, table.table(results, language="es"), language="es")
    body = re.sub(r'style="[^"]*"|version:[0-9.]+', "", text.partition("</style>")[2])
    assert re.search(r"<b>0,333</b><br><span class=\"soft\">\[0,\d+; 0,\d+\] n = 24", body)
    assert not re.search(r"\d\.\d", body)


def test_json_is_the_table_with_every_output(store: Store) -> None:
    results = kept(store)
    said = json.loads(table.to_json(results, table.table(results)))
    assert len(said["outputs"]) == 72
    assert said["systems"][1]["name"] == MODELS[1]


def test_a_spec_is_an_evaluation_where_only_who_answers_differs() -> None:
    assert table.is_evaluation({"models": ["a", "b"]})
    assert not table.is_evaluation({"models": ["a"], "grid": {"temperature": [0, 1]}})
    assert not table.is_evaluation({"models": ["a"], "list": [{"temperature": 0}]})


def test_every_metric_belongs_to_one_way_to_evaluate() -> None:
    assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted(OPTIONS)


def test_what_is_read_beside_a_metric_comes_along_once() -> None:
    asked = read_metrics([{"label": {"labels": ["a", "b"]}}, "domain", "off_domain"])
    found = with_companions(asked)
    assert [each.name for each in found] == ["label", "macro_f1", "domain", "off_domain"]
    assert found[1].options == {"labels": ["a", "b"]}
    assert with_companions(found) == found


def test_an_answer_is_off_the_domain_by_the_threshold_that_training_tells() -> None:
    from playground.evaluate.dataset import Case
    from playground.evaluate.metrics.domain import Domain

    training = [
        f"the weather in {town} is {kind} today" for town in ("Rome", "Oslo", "Cork") for kind in ("wet", "dry")
    ]
    (metric,) = build(read_metrics("off_domain"), training=training)
    index = Domain(training)
    answers = ["the weather in Rome is dry today", "buy shares of this company now", "today it is wet"]
    assert metric.score is not None
    scores = [metric.score(answer, Case(id="1")) for answer in answers]
    assert [at for at, score in enumerate(scores) if score] == sorted(index.off(answers))
    assert scores[:2] == [0.0, 1.0]
    assert metric.score("", Case(id="1")) is None


# --- worked out once, kept in the store ---


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often figures are worked out: the baseline of each time."""
    times: list[int] = []
    work_out = Comparison._worked_out

    def counted(self: Comparison) -> tuple[Column, ...]:
        times.append(self.baseline)
        return work_out(self)

    monkeypatch.setattr(Comparison, "_worked_out", counted)
    return times


def test_figures_are_worked_out_once_and_the_same_when_read_again(store: Store, worked_out: list[int]) -> None:
    kept(store)
    store.sweeps.let_go("kept", "done")
    first = table.table(load(store, "kept"))
    again = table.table(load(store, "kept"))
    assert again == first
    assert worked_out == [0]
    table.table(load(store, "kept"), baseline="base")
    table.table(load(store, "kept"), baseline=MODELS[2])
    assert worked_out == [0, 2]


def test_what_changes_an_outcome_works_them_out_again(store: Store, worked_out: list[int]) -> None:
    kept(store)
    store.sweeps.let_go("kept", "done")
    table.table(load(store, "kept"))
    store.ratings.join("kept", "Ana", {"criteria": ["grammar"]})
    store.ratings.save("kept", 0, "Ana", {"grammar": 4})
    said = table.table(load(store, "kept"))
    assert column(said, "human:grammar")["figures"][0]["value"] == 4
    store.sweeps.claim("kept")
    store.sweeps.let_go("kept", "done")
    table.table(load(store, "kept"))
    for training in (["what it was trained on"], ["what it was", "trained on"], ["what it was", "trained on"]):
        table.table(load(store, "kept", training=training))
    assert worked_out == [0, 0, 0, 0, 0]


def test_a_sweep_under_way_keeps_none_and_one_that_is_deleted_none_either(store: Store, worked_out: list[int]) -> None:
    kept(store)
    store.sweeps.claim("kept")
    table.table(load(store, "kept"))
    table.table(load(store, "kept"))
    assert worked_out == [0, 0]
    store.sweeps.let_go("kept", "done")
    table.table(load(store, "kept"))
    about, stamp = f"columns {VERSION} 0", str(kept_figures.stamp(store, "kept"))
    assert store.figures.kept("kept", about, stamp)
    store.sweeps.delete("kept")
    assert store.figures.kept("kept", about, stamp) is None


def test_what_is_no_figure_is_worked_out_again(store: Store, worked_out: list[int]) -> None:
    kept(store)
    store.sweeps.let_go("kept", "done")
    first = table.table(load(store, "kept"))
    store.figures.keep("kept", f"columns {VERSION} 0", str(kept_figures.stamp(store, "kept")), '[{"measure": 1}]')
    assert table.table(load(store, "kept")) == first
    assert worked_out == [0, 0]


def test_a_store_that_takes_nothing_costs_only_the_time(
    store: Store, worked_out: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(store)
    store.sweeps.let_go("kept", "done")

    def full(*given: Any) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(store.figures, "keep", full)
    monkeypatch.setattr(store.figures, "kept", full)
    assert table.table(load(store, "kept")) == table.table(load(store, "kept"))
    assert worked_out == [0, 0]
