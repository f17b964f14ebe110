"""What training would cost: every figure by hand, and what is not known never shown as zero."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from playground.chat_tokens import count_chat
from playground.errors import InvalidRequest
from playground.finetune.estimate import Candidate, TrainingEstimate, default_epochs, estimate
from playground.finetune.prepare import analyse, apply
from playground.finetune.tables import read
from playground.pricing import per_million
from playground.tokens import Counter, load

TABLE: dict[str, Any] = json.loads(files("playground").joinpath("data", "finetune_prices.json").read_text())
BASES = [row["base"] for row in TABLE["models"]]
LEGACY = ["davinci-002", "babbage-002", "ada", "babbage", "curie", "davinci"]
PAIRS = [("A fruit ->", " Apple\n"), ("A very much longer prompt about fruit ->", " Orange and lemon\n")]
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "A fruit?"},
    {"role": "assistant", "content": "Apple."},
]


def costs(examples: Any, **changes: Any) -> TrainingEstimate:
    return estimate(examples, **{"counter": Counter(), "today": date(2026, 11, 23), **changes})


def of(base: str, examples: Any, **changes: Any) -> Candidate:
    (candidate,) = costs(examples, bases=[base], **changes).candidates
    return candidate


def said(candidate: Candidate) -> list[str]:
    return [line.key for line in candidate.lines]


# --- epochs ---


@pytest.mark.parametrize(
    ("records", "epochs"),
    [
        (1, 25),
        (4, 25),
        (5, 20),
        (10, 10),
        (33, 3),
        (34, 3),
        (100, 3),
        (8_333, 3),
        (8_334, 2),
        (12_500, 2),
        (12_501, 1),
        (25_001, 1),
        (10**9, 1),
    ],
)
def test_epochs_aim_at_100_to_25_000_examples(records: int, epochs: int) -> None:
    assert default_epochs(records) == epochs


@pytest.mark.parametrize("records", [0, -1])
def test_no_examples_have_no_epochs(records: int) -> None:
    with pytest.raises(InvalidRequest):
        default_epochs(records)


def test_epochs_are_the_default_unless_they_are_given() -> None:
    assert costs(PAIRS).epochs == 25
    assert costs(PAIRS, epochs=4).epochs == 4


@pytest.mark.parametrize("epochs", [0, -1, 51])
def test_epochs_outside_the_api_s_range_are_refused(epochs: int) -> None:
    with pytest.raises(InvalidRequest, match="1 to 50"):
        costs(PAIRS, epochs=epochs)


# --- tokens ---


@pytest.mark.parametrize("base", LEGACY)
def test_a_legacy_base_counts_prompt_and_completion_in_its_own_encoding(base: str) -> None:
    encoding = "cl100k_base" if base.endswith("-002") else "r50k_base"
    candidate = of(base, PAIRS)
    assert candidate.encoding == encoding
    assert candidate.tokens == sum(len(load(encoding).encode(text)) for pair in PAIRS for text in pair)
    assert "estimate.as_chat" not in said(candidate)


@pytest.mark.parametrize("base", ["gpt-4o", "gpt-4.1-nano", "gpt-3.5-turbo"])
def test_a_chat_base_counts_by_the_chat_rules(base: str) -> None:
    candidate = of(base, [CHAT, CHAT])
    assert candidate.tokens == 2 * count_chat(Counter(), {"messages": CHAT}, base).tokens
    assert candidate.encoding == ("cl100k_base" if base == "gpt-3.5-turbo" else "o200k_base")


def test_an_image_counts_for_each_model_as_that_model_counts() -> None:
    part = {"type": "image_url", "image_url": {"url": ""}, "width": 512, "height": 512}
    chat = [{"role": "user", "content": [part]}, CHAT[-1]]
    tokens = {
        each.base: each.tokens for each in costs([chat], bases=["gpt-4o", "gpt-4o-mini", "gpt-4.1-mini"]).candidates
    }
    assert len(set(tokens.values())) == 3
    for base, counted in tokens.items():
        assert counted == count_chat(Counter(), {"messages": chat}, base).tokens


def test_a_pair_trains_a_chat_base_as_a_question_and_its_answer() -> None:
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    pair, chat = of("gpt-4o", [("Q", "A")]), of("gpt-4o", [messages])
    assert (pair.tokens, pair.tuned, pair.untuned) == (chat.tokens, chat.tuned, chat.untuned)
    assert "estimate.as_chat" in said(pair)
    assert "estimate.as_chat" not in said(chat)


@pytest.mark.parametrize(("over", "truncated"), [(-1, 0), (0, 0), (1, 1), (500, 1)])
def test_of_an_example_longer_than_the_context_only_what_fits_is_billed(over: int, truncated: int) -> None:
    words = 2_049 + over
    candidate = of("ada", [("", " the" * words)], epochs=1)
    assert (candidate.tokens, candidate.truncated) == (min(2_049, words), truncated)
    assert ("estimate.truncated" in said(candidate)) == bool(truncated)


# --- money ---


@pytest.mark.parametrize("base", BASES)
def test_training_is_epochs_times_tokens_times_the_price(base: str) -> None:
    row = next(row for row in TABLE["models"] if row["base"] == base)
    candidate = of(base, PAIRS * 200, epochs=2)
    assert candidate.billed_tokens == 2 * candidate.tokens
    assert candidate.train_price == Decimal(row["train"])
    assert candidate.training == Decimal(2 * candidate.tokens) * Decimal(row["train"]) / 10**6


@pytest.mark.parametrize("base", BASES)
def test_later_requests_cost_the_fine_tunes_price_and_not_the_bases(base: str) -> None:
    row = next(row for row in TABLE["models"] if row["base"] == base)
    candidate = of(base, PAIRS)
    half = of(base, [(prompt, "") for prompt, _ in PAIRS]).tuned
    assert candidate.tuned is not None
    assert half is not None
    encoding = load(candidate.encoding)
    written = sum(len(encoding.encode(completion)) for _, completion in PAIRS)
    assert candidate.tuned - half == written * Decimal(row["output"]) * 1_000 / 2 / 10**6
    own = per_million(base, "openai")
    assert (candidate.untuned is None) == (own is None)
    assert candidate.untuned is None or candidate.untuned < candidate.tuned


def test_a_chats_later_request_is_all_before_its_last_answer() -> None:
    candidate = of("gpt-4o", [CHAT])
    prompt = count_chat(Counter(), {"messages": CHAT[:2]}, "gpt-4o").tokens
    written = len(load("o200k_base").encode("Apple."))
    assert candidate.tuned == (prompt * Decimal("3.75") + written * Decimal("15")) * 1_000 / 10**6


def test_a_price_that_is_not_known_is_said_and_never_zero() -> None:
    unknown = [each for each in costs(PAIRS).candidates if each.untuned is None]
    assert all("estimate.base_unknown" in said(each) for each in unknown)
    assert all(each.untuned != 0 and each.tuned != 0 for each in costs(PAIRS).candidates)


def test_the_lines_are_the_arithmetic() -> None:
    candidate = of("davinci", [("a", " b")] * 1_000)
    lines = [line.text() for line in candidate.lines]
    assert lines[0] == (
        "1,000 records of 2.0 tokens on average: 2,000 tokens × 3 epochs = 6,000 tokens; at $30 per million: $0.18"
    )
    sums = "1,000 requests × (1.0 prompt tokens at $120 + 1.0 completion tokens at $120 per million)"
    assert lines[1] == f"{sums} on the fine-tuned model: $0.24"
    assert lines[1].endswith("$0.24")
    assert lines[-1] == "davinci was shut down on 2024-01-04."
    assert all(line.text("es") for line in candidate.lines)


def test_the_prices_say_where_they_come_from_and_when() -> None:
    said = costs(PAIRS).prices
    assert said.text() == f"{TABLE['source']}; {TABLE['as_of']}"
    assert TABLE["as_of"] in said.text("es")
    assert TABLE["source"] not in said.text("es")


def test_rates_are_written_as_a_price_list_writes_them() -> None:
    mini, base = (" ".join(line.text() for line in of(name, PAIRS).lines) for name in ("gpt-4o-mini", "davinci-002"))
    assert "at $3 per million" in mini
    assert "prompt tokens at $0.30 +" in mini
    assert "completion tokens at $1.20 per million" in mini
    assert "at $0.15 and $0.60:" in mini
    assert "prompt tokens at $12 +" in base


# --- which bases ---


def test_pairs_can_train_every_base_and_chats_only_chat_models() -> None:
    assert [each.base for each in costs(PAIRS).candidates] == BASES
    assert {each.base for each in costs([CHAT]).candidates} == set(BASES) - set(LEGACY)


@pytest.mark.parametrize(
    ("today", "base", "status", "line"),
    [
        (date(2026, 5, 6), "gpt-4o", "open", None),
        (date(2026, 5, 7), "gpt-4o", "closed_to_new", "estimate.closed_to_new"),
        (date(2027, 1, 5), "gpt-4.1", "closed_to_new", "estimate.closed_to_new"),
        (date(2027, 1, 6), "gpt-4.1", "closed", "estimate.closed"),
        (date(2026, 9, 27), "davinci-002", "closed_to_new", "estimate.shuts_down"),
        (date(2026, 9, 28), "davinci-002", "shut_down", "estimate.shut_down"),
        (date(2027, 9, 28), "ada", "shut_down", "estimate.shut_down"),
    ],
)
def test_what_is_closed_is_said_from_its_day_on(today: date, base: str, status: str, line: str | None) -> None:
    candidate = of(base, PAIRS, today=today)
    assert candidate.status == status
    assert line is None or line in said(candidate)


def test_a_generator_is_taken() -> None:
    assert costs(pair for pair in PAIRS).records == 2


@pytest.mark.parametrize(
    ("examples", "bases", "param"),
    [
        ([], None, "examples"),
        ([*PAIRS, CHAT], None, "examples"),
        (PAIRS, ["gpt-99"], "bases"),
        (PAIRS, ["gpt-4o", ""], "bases"),
        ([CHAT], ["davinci-002"], "bases"),
    ],
)
def test_what_cannot_be_estimated_is_refused(examples: Any, bases: list[str] | None, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        costs(examples, bases=bases)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{}],
        [None, 3, "x"],
        [{"role": "user", "content": "only a question"}],
        [{"role": "assistant", "content": None}],
        [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}],
        [{"role": ["assistant"], "content": {"a": 1}}],
        [*CHAT, {"role": "user", "content": "and then?"}],
    ],
)
def test_an_odd_chat_is_counted_and_raises_nothing(messages: list[Any]) -> None:
    candidate = of("gpt-4o", [messages, CHAT])
    assert candidate.tokens >= count_chat(Counter(), {"messages": CHAT}, "gpt-4o").tokens
    assert candidate.training > 0


# --- a part that stands for all ---


def test_a_part_stands_for_all_in_every_sum_and_says_so() -> None:
    whole, part = costs(PAIRS * 100, bases=["davinci-002"]), costs(PAIRS, of=100 * len(PAIRS), bases=["davinci-002"])
    (all_of_it,), (scaled,) = whole.candidates, part.candidates
    assert (part.records, part.counted, part.epochs) == (100 * len(PAIRS), len(PAIRS), whole.epochs)
    assert (scaled.tokens, scaled.training, scaled.tuned) == (all_of_it.tokens, all_of_it.training, all_of_it.tuned)
    assert "estimate.part" in said(scaled)
    assert "estimate.part" not in said(all_of_it)


def test_the_default_epochs_are_those_of_the_whole() -> None:
    assert costs(PAIRS, of=30_000).epochs == 1


# --- a real file, reckoned by hand ---


@pytest.mark.parametrize(
    ("base", "encoding", "prices", "chat"),
    [("davinci-002", "cl100k_base", ("6", "12", "12"), 0), ("gpt-4o-mini", "o200k_base", ("3", "0.3", "1.2"), 1)],
)
def test_the_spanish_questions_cost_what_tiktoken_and_the_price_list_say(
    base: str, encoding: str, prices: tuple[str, str, str], chat: int
) -> None:
    """qa_es.csv prepared with ` ->` and ` END`: every figure of the arithmetic, without this package's counting."""
    data = (Path(__file__).parent / "data" / "qa_es.csv").read_bytes()
    prepared = apply(analyse(read(data, "qa_es.csv")))
    assert (prepared.separator, prepared.ending, len(prepared.table)) == (" ->", " END", 1_795)
    pairs = list(zip(prepared.table.prompts, prepared.table.completions, strict=True))
    encode = load(encoding).encode_ordinary  # tiktoken's own, from the files that ship with this package
    asked, answered = (sum(len(encode(pair[side])) for pair in pairs) for side in (0, 1))
    # A chat has 3 for each of two messages, a token for each role, and 3 for the answer that begins.
    tokens, sent = asked + answered + chat * 11 * len(pairs), asked + chat * 7 * len(pairs)
    found = of(base, pairs)
    train, read_at, written_at = map(Decimal, prices)
    assert (found.tokens, found.billed_tokens) == (tokens, 3 * tokens)
    assert found.training == 3 * tokens * train / 10**6
    assert found.tuned is not None
    later = 1_000 * (sent * read_at + answered * written_at) / len(pairs) / 10**6
    assert abs(found.tuned - later) < Decimal("1e-9")
