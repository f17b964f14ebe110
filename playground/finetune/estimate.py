"""What training on a set would cost, for each base that could be tuned, and what a thousand requests cost afterwards.

Prices are data (`data/finetune_prices.json`), and so are the rules that OpenAI may change (`data/training.json`). All
of it is an estimate: OpenAI bills what it counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from playground.catalog import ModelFacts, describe
from playground.chat_tokens import REPLY, count_chat
from playground.errors import refused
from playground.pricing import format_money, per_million
from playground.tokens import Counter, encoding_for
from playground.words import Said

Pair = tuple[str, str]
Example = Pair | Sequence[Mapping[str, Any]]
"""A (prompt, completion) pair, or the messages of a chat in OpenAI's shape."""
Status = Literal["open", "closed_to_new", "closed", "shut_down"]

REQUESTS = 1_000
EPOCHS = range(1, 51)
_ANSWER = {"role": "assistant", "content": ""}


class Length(NamedTuple):
    """An example's tokens: all of them, and of these what a later request would send and get back."""

    tokens: int
    prompt: int
    completion: int


class _Sample(NamedTuple):
    """The lengths of the examples that were counted, and how many there are."""

    lengths: list[Length]
    whole: int

    def scaled(self, counted: int) -> int:
        """What would be counted of all, by what was counted of these."""
        return round(Decimal(counted) * self.whole / len(self.lengths))

    @property
    def exact(self) -> bool:
        return len(self.lengths) == self.whole

    def average(self, part: Literal["prompt", "completion"]) -> Decimal:
        return Decimal(sum(getattr(each, part) for each in self.lengths)) / len(self.lengths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One base. Money is in dollars, None where no price is known; `lines` are the arithmetic and what to know.

    `tokens` are those of one epoch, each example at most the context; `training` = epochs × tokens × `train_price`
    (per million). `tuned` and `untuned` are REQUESTS later requests of the set's average length, on the fine-tuned
    model and on the base as it is.
    """

    base: str
    status: Status
    encoding: str
    tokens: int
    truncated: int
    billed_tokens: int
    train_price: Decimal
    training: Decimal
    tuned: Decimal | None
    untuned: Decimal | None
    lines: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEstimate:
    """`counted` of the `records` were looked at; where those are fewer, all sums are taken from their average."""

    records: int
    counted: int
    epochs: int
    candidates: tuple[Candidate, ...]
    prices: Said
    """Where the prices come from, and of when they are."""


def default_epochs(records: int) -> int:
    """How many epochs OpenAI trains by default: 3; for few records up to 25, for many down to 1.

    Source: openai-cookbook, Chat_finetuning_data_prep: it aims at 100 to 25,000 examples over all epochs.
    """
    if records < 1:
        raise refused("no_examples", param="examples")
    rule: dict[str, int] = _data("training")["epochs"]
    if records * rule["target"] < rule["least_examples"]:
        return min(rule["most"], rule["least_examples"] // records)
    if records * rule["target"] > rule["most_examples"]:
        return max(1, rule["most_examples"] // records)
    return rule["target"]


def estimate(
    examples: Iterable[Example],
    *,
    counter: Counter,
    today: date,
    of: int | None = None,
    epochs: int | None = None,
    bases: Sequence[str] | None = None,
) -> TrainingEstimate:
    """What it costs to train on `examples`, in the order of the price table; `bases` None: all that can take them.

    `of` is how many examples there are, where these are a part of them that stands for all.

    Pairs can train every base (a chat model gets them as one user and one assistant message), chats only chat models.
    Raises InvalidRequest for a mixed or an empty set, an unknown base or one that cannot take the set, and epochs
    outside 1 to 50; ConfigurationError where an encoding's file is gone.
    """
    chats, records = _sorted_out(examples)
    whole = max(of or 0, len(records))
    epochs = default_epochs(whole) if epochs is None else epochs
    if epochs not in EPOCHS:
        raise refused("epochs_range", param="epochs", low=EPOCHS[0], high=EPOCHS[-1])
    images = chats and any(_has_image(each) for each in records)
    lengths: dict[tuple[str, ...], list[Length]] = {}
    candidates = []
    for row, known in _rows(bases, chats=chats):
        encoding = encoding_for(known.id) or ""
        # Models of one encoding count alike, but for images.
        key = encoding, known.kind, known.id if images else ""
        if key not in lengths:
            lengths[key] = [_length(each, known, encoding, counter) for each in records]
        sample = _Sample(lengths[key], whole)
        candidates.append(_candidate(row, known, encoding, sample, epochs, as_chat=not chats, today=today))
    table = _data("finetune_prices")
    prices = Said("estimate.prices", {"date": table["as_of"]})
    return TrainingEstimate(
        records=whole, counted=len(records), epochs=epochs, candidates=tuple(candidates), prices=prices
    )


def _sorted_out(examples: Iterable[Example]) -> tuple[bool, list[Example]]:
    """Whether they are chats, and all of them."""
    records = list(examples)
    pairs = sum(_is_pair(each) for each in records)
    if pairs not in (0, len(records)):
        raise refused("mixed_examples", param="examples")
    if not records:
        raise refused("no_examples", param="examples")
    return not pairs, records


def _is_pair(example: Example) -> bool:
    return isinstance(example, tuple) and len(example) == 2 and all(isinstance(text, str) for text in example)


def _has_image(example: Example) -> bool:
    contents = (each.get("content") for each in example if isinstance(each, Mapping))
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return any(isinstance(part, Mapping) and part.get("type") == "image_url" for part in parts)


def _rows(bases: Sequence[str] | None, *, chats: bool) -> list[tuple[dict[str, Any], ModelFacts]]:
    """The price table's rows of these bases, with what is known of each model."""
    table = {row["base"]: row for row in _data("finetune_prices")["models"]}
    known = {base: about for base in table if (about := describe(base)) and encoding_for(base)}
    for base in bases or ():
        if base not in known:
            raise refused("no_price", param="bases", base=base, known=", ".join(known))
        if chats and known[base].kind != "chat":
            raise refused("no_chats", param="bases", base=base)
    able = [base for base, about in known.items() if not chats or about.kind == "chat"]
    return [(table[base], known[base]) for base in able if bases is None or base in bases]


def _length(example: Example, known: ModelFacts, encoding: str, counter: Counter) -> Length:
    if known.kind != "chat":
        prompt, completion = (counter.count_as(encoding, str(text)).tokens for text in example)
        return Length(prompt + completion, prompt, completion)
    messages: Sequence[Any] = example
    if _is_pair(example):
        messages = [{"role": "user", "content": example[0]}, {"role": "assistant", "content": example[1]}]

    def count(some: Sequence[Any]) -> int:
        return count_chat(counter, {"messages": some}, known.id).tokens

    roles = [each.get("role") if isinstance(each, Mapping) else None for each in messages]
    # The last answer is what a later request would get, and what stands before it what it would send.
    answer = len(roles) - 1 - roles[::-1].index("assistant") if "assistant" in roles else len(roles)
    prompt = count(messages[:answer])
    completion = count(messages[answer : answer + 1]) - count([_ANSWER]) if answer < len(roles) else 0
    return Length(prompt + count(messages[answer:]) - REPLY, prompt, completion)


def _candidate(
    row: dict[str, Any],
    known: ModelFacts,
    encoding: str,
    sample: _Sample,
    epochs: int,
    *,
    as_chat: bool,
    today: date,
) -> Candidate:
    base, context = known.id, known.context_length
    tokens = sample.scaled(sum(min(context, each.tokens) for each in sample.lengths))
    truncated = sample.scaled(sum(each.tokens > context for each in sample.lengths))
    billed, train_price = tokens * epochs, Decimal(row["train"])
    training = billed * train_price / _data("finetune_prices")["per_tokens"]
    prompt, completion = sample.average("prompt"), sample.average("completion")
    models = {"estimate.tuned": f"ft:{base}:o::i", "estimate.base": base}
    tuned, untuned = (_later(model, prompt, completion) for model in models.values())
    status, closing = _status(known, today)
    lines = [_sum(sample.whole, tokens, epochs, train_price, training)]
    if not sample.exact:
        lines.append(Said("estimate.part", {"counted": len(sample.lengths)}))
    if truncated:
        lines.append(Said("estimate.truncated", {"context": context, "count": truncated}))
    lines += [_later_line(key, base, model, prompt, completion) for key, model in models.items()]
    if as_chat and known.kind == "chat":
        lines.append(Said("estimate.as_chat"))
    return Candidate(
        base=base,
        status=status,
        encoding=encoding,
        tokens=tokens,
        truncated=truncated,
        billed_tokens=billed,
        train_price=train_price,
        training=training,
        tuned=tuned,
        untuned=untuned,
        lines=(*lines, *closing),
    )


def _later(model: str, prompt: Decimal, completion: Decimal) -> Decimal | None:
    """REQUESTS requests of this many tokens."""
    prices = per_million(model, "openai")
    return None if prices is None else (prompt * prices[0] + completion * prices[1]) * REQUESTS / 10**6


def _sum(records: int, tokens: int, epochs: int, train_price: Decimal, training: Decimal) -> Said:
    counted = {"records": records, "average": tokens / records, "tokens": tokens, "epochs": epochs}
    money = {"price": _rate(train_price), "amount": format_money(training)}
    return Said("estimate.training", {**counted, "billed": tokens * epochs, **money})


def _later_line(key: str, base: str, model: str, prompt: Decimal, completion: Decimal) -> Said:
    """The sum behind `_later`, or that no price is known."""
    prices = per_million(model, "openai")
    if prices is None:
        return Said(f"{key}_unknown", {"base": base})
    read, written = map(_rate, prices)
    rates = {"base": base, "read": read, "written": written, "amount": format_money(_later(model, prompt, completion))}
    return Said(key, {**rates, "prompt": float(prompt), "completion": float(completion)})


def _rate(price: Decimal) -> str:
    """Dollars per million, as a price list writes them: 0.30, 12, 1.875."""
    whole, point, cents = f"{price.normalize():f}".partition(".")
    return whole + point + (cents.ljust(2, "0") if point else "")


def _status(known: ModelFacts, today: date) -> tuple[Status, list[Said]]:
    """Whether the base can still be tuned, and what to say of it. Dates count from their first day."""
    lines = []
    if known.shutdown_date:
        gone = date.fromisoformat(known.shutdown_date) <= today
        args = {"base": known.id, "date": known.shutdown_date}
        lines.append(Said("estimate.shut_down" if gone else "estimate.shuts_down", args))
        if gone:
            return "shut_down", lines
    status, said = closing(today)
    return status, [*lines, *([said] if said else [])]


def closing(today: date) -> tuple[Literal["open", "closed_to_new", "closed"], Said | None]:
    """Whom OpenAI still trains models for, and what to say of it; None while that is everybody."""
    rules = _data("training")
    new, everyone = rules["closed_to_new"], rules["closed_to_all"]
    if date.fromisoformat(everyone) <= today:
        return "closed", Said("estimate.closed", {"date": everyone})
    if date.fromisoformat(new) <= today:
        return "closed_to_new", Said("estimate.closed_to_new", {"date": new, "all": everyone})
    return "open", None


@cache
def _data(name: Literal["finetune_prices", "training"]) -> dict[str, Any]:
    text = files("playground").joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
