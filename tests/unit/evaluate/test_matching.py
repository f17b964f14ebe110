"""Exact match, contains, patterns that are bounded, JSON schemas; what no metric can be is refused."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.evaluate.dataset import Case
from playground.evaluate.metrics import matching
from playground.evaluate.metrics.build import OPTIONS, build, judges, read_metrics
from playground.evaluate.metrics.metric import Metric, corpus_score

FOREVER = "a" * 40 + "b"
"""What `(a+)+$` and its like take longer to refuse than the universe is old."""


def scored(metric: Metric, answer: str, expected: str | None = None) -> float | None:
    assert metric.score is not None
    return metric.score(answer, Case(id="1", expected=expected))


@pytest.mark.parametrize(
    ("answer", "expected", "options", "score"),
    [
        (" Paris\n", "Paris", {}, 1),
        ("paris", "Paris", {}, 0),
        ("paris", "PARIS", {"ignore_case": True}, 1),
        ("¡París!", "París", {}, 0),
        ("¡París!", "París", {"ignore_punctuation": True}, 1),
        ("Pari\u0301s", "París", {}, 1),
        ("straße", "STRASSE", {"ignore_case": True}, 1),
        ("anything", None, {}, None),
    ],
)
def test_an_exact_match(answer: str, expected: str | None, options: dict[str, bool], score: float | None) -> None:
    assert scored(matching.exact_match(**options), answer, expected) == score


@pytest.mark.parametrize(
    ("answer", "expected", "options", "score"),
    [
        ("It is paris.", "Paris", {}, 1),
        ("It is paris.", "Paris", {"ignore_case": False}, 0),
        ("It is Rome.", "Paris", {"text": "rome"}, 1),
        ("It is Rome.", None, {}, None),
        ("It is Rome.", "  ", {}, None),
    ],
)
def test_contains(answer: str, expected: str | None, options: dict[str, Any], score: float | None) -> None:
    assert scored(matching.contains(**options), answer, expected) == score


def test_a_pattern_is_found_in_an_answer_or_is_all_of_it() -> None:
    assert scored(matching.matches_pattern(pattern=r"\b\d{4}\b"), "in 1984.") == 1
    assert scored(matching.matches_pattern(pattern=r"\d+", whole=True), "1984.") == 0


@pytest.mark.parametrize("pattern", [r"(x+x+)+y", r"^(?:a|a|aa)*$", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_pattern_that_would_take_forever_scores_nothing_and_is_soon_given_up(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "SECONDS", 0.05)
    metric = matching.matches_pattern(pattern=pattern)
    answers = ["x" * 5_000, "a" * 5_000 + "b"] * 20
    found = [scored(metric, answer) for answer in answers]
    assert None in found
    assert found.count(None) >= len(answers) // 2
    assert set(found) <= {None, 0.0}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "not a regular expression"),
        ("[a", "not a regular expression"),
        ("(?<=a+", "not a regular expression"),
        ("", "1 to 2,000 characters"),
        ("a" * 2_001, "1 to 2,000 characters"),
        (None, "1 to 2,000 characters"),
        ("((a{1000}){1000}){1000}", "more than 100,000"),
        ("(a{,1000}b{5,1000})", "more than 100,000"),
        ("a{999999999999999999}", "more than 100,000"),
    ],
)
def test_what_is_no_pattern_or_would_take_all_memory_is_refused(pattern: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        matching.compile_pattern(pattern)
    assert caught.value.translated


SCHEMA = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}


@pytest.mark.parametrize(
    ("answer", "schema", "score"),
    [
        ('{"mood": "good"}', SCHEMA, 1),
        ('```json\n{"mood": "good"}\n```', SCHEMA, 1),
        ('{"mood": "so so"}', SCHEMA, 0),
        ('{"mood": "good"', SCHEMA, 0),
        ("NaN", None, 0),
        ("[1]", None, 1),
        ("[" * 100_000, None, 0),
        ("good", SCHEMA, 0),
    ],
)
def test_an_answer_is_json_that_fits_its_schema(answer: str, schema: dict[str, Any] | None, score: float) -> None:
    assert scored(matching.fits_schema(schema=schema), answer) == score


def test_patterns_in_a_schema_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "SECONDS", 0.05)
    slow = matching.fits_schema(schema={"type": "string", "pattern": "^(a+)+$"})
    assert scored(slow, f'"{"a" * 9}"') == 1
    assert scored(slow, f'"{FOREVER}"') == 0
    keys = matching.fits_schema(
        schema={"patternProperties": {"^(x+x+)+y": {"type": "integer"}, "^n_": {"type": "null"}}}
    )
    assert scored(keys, f'{{"{"x" * 60}": "text"}}') == 1
    assert scored(keys, '{"n_a": null, "other": 1}') == 1
    assert scored(keys, '{"n_a": 0}') == 0


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "nothing"}, "JSON schema is wrong"),
        ({"$ref": "https://example.com/schema.json"}, "refers to something that is not in it"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "more than 100,000"),
    ],
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        matching.fits_schema(schema=schema)


def test_a_spec_names_metrics_with_their_options() -> None:
    given = ["exact_match", {"contains": {"text": "Paris", "as": "capital"}}, {"distinct": {"n": 3}}, {"bleu": None}]
    specs = read_metrics([*given, "exact_match", {"judge": {"model": "openai/gpt-4o", "criterion": "grammar"}}])
    assert [spec.name for spec in specs] == ["exact_match", "capital", "distinct_3", "bleu", "exact_match_2", "judge"]
    assert read_metrics([spec.as_json() for spec in specs]) == specs
    made = build(specs)
    assert [metric.name for metric in made] == ["exact_match", "capital", "distinct_3", "bleu", "exact_match_2"]
    assert [spec.options["criterion"] for spec in judges(specs)] == ["grammar"]
    assert made[1].score is not None
    assert made[1].score("It is Paris", Case(id="1")) == 1
    assert read_metrics(None) == ()
    assert [spec.kind for spec in read_metrics("chrf")] == ["chrf"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["accuracy"], "no metric accuracy"),
        ([7], "A metric is a name"),
        ([{"bleu": {}, "chrf": {}}], "A metric is a name"),
        ([{"contains": "Paris"}], "A metric is a name"),
        ([{"contains": {"word": "a"}}], "has no option word"),
        ([{"contains": {"ignore_case": "yes"}}], "cannot have such a value of ignore_case"),
        ([{"distinct": {"n": True}}], "cannot have such a value of n"),
        ([{"label": {"labels": ["a", 1]}}], "cannot have such a value of labels"),
        ([{"regex": {}}], "regex needs pattern"),
        ([{"regex": {"pattern": "("}}], "not a regular expression"),
        ([{"json_schema": {"schema": {"type": 3}}}], "JSON schema is wrong"),
        ([{"judge": {"criterion": "grammar"}}], "judge needs model"),
        ([{"bleu": {"as": ""}}], "What a metric is called"),
        ({"bleu": {}}, "metrics is a list"),
        (["bleu"] * 21, "at most 20"),
    ],
)
def test_what_is_no_metric_is_refused_with_what_there_is(given: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        read_metrics(given)
    assert caught.value.param in ("metrics", "schema")


def test_a_metric_that_compares_with_training_needs_it_and_labels_have_to_be_few() -> None:
    for name in ("domain", "training_overlap"):
        with pytest.raises(InvalidRequest, match="compares with training texts"):
            build(read_metrics([name]))
        assert build(read_metrics([name]), training=["a text of training"])[0].name == name
    with pytest.raises(InvalidRequest, match="1 to 50 labels, and there are 60"):
        build(read_metrics(["label"]), known_labels=[str(at) for at in range(60)])
    assert build(read_metrics(["label"]), known_labels=["yes", "no"])[0].binary


def test_the_figure_of_many_answers_is_their_mean_where_the_metric_has_no_other() -> None:
    cases = [Case(id="1", expected="a"), Case(id="2", expected="b"), Case(id="3")]
    assert corpus_score(matching.exact_match(), ["a", "c", "d"], cases) == 0.5
    assert corpus_score(matching.exact_match(), ["a"], [Case(id="1")]) is None
    assert set(OPTIONS) >= {metric.kind for metric in read_metrics(["bleu", "self_bleu"])}
