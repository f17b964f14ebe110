"""How long the examples of a training file are: in tokens, in turns, and what of it the model is to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from playground.chat_tokens import count_chat
from playground.finetune.chat_format import plain_text
from playground.finetune.table import Table
from playground.tokens import CHUNK, FALLBACK, Counter, encoding_for, load

BINS = 20


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one number per example. `edges` are those of the histogram's bins, one more than `counts`."""

    least: int
    median: float
    mean: float
    p95: float
    most: int
    total: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """`tokens` of whole examples, `turns` in messages, `completions` in tokens that are trained on.

    `exact` is False where the model's tokenizer is not known; a chat's tokens are an estimate in any case.
    """

    examples: int
    tokens: Summary
    turns: Summary
    completions: Summary
    exact: bool


def summary(values: Sequence[int]) -> Summary:
    """Bins are whole numbers wide, and BINS at most."""
    if not values:
        return Summary(0, 0, 0, 0, 0, 0, (0, 1), (0,))
    numbers = np.asarray(values, np.int64)
    least, most = int(numbers.min()), int(numbers.max())
    width = max(1, -(-(most - least + 1) // BINS))
    edges = np.arange(least, most + width + 1, width)
    counts, _ = np.histogram(numbers, edges)
    return Summary(
        least,
        float(np.median(numbers)),
        float(numbers.mean()),
        float(np.percentile(numbers, 95)),
        most,
        int(numbers.sum()),
        tuple(edges.tolist()),
        tuple(counts.tolist()),
    )


def chat_statistics(examples: Iterable[Mapping[str, Any]], model: str, counter: Counter | None = None) -> Statistics:
    """Of chat examples ({"messages", "tools"?}). Raises ConfigurationError where an encoding's file is gone."""
    counter = counter or Counter()
    encoding = encoding_for(model) or FALLBACK
    tokens, turns, completions = list[int](), list[int](), list[int]()
    for example in examples:
        messages = [message for message in example["messages"] if isinstance(message, Mapping)]
        trained = (m for m in messages if m.get("role") == "assistant" and m.get("weight", 1) != 0)
        tokens.append(count_chat(counter, example, model).tokens)
        turns.append(len(messages))
        texts = (plain_text(message.get("content")) for message in trained)
        completions.append(sum(_tokens(counter, encoding, text) for text in texts if text))
    return _statistics(tokens, turns, completions, model)


def pair_statistics(table: Table, model: str, counter: Counter | None = None) -> Statistics:
    """Of prompt and completion pairs. Raises ConfigurationError where an encoding's file is gone."""
    counter = counter or Counter()
    encoding = encoding_for(model) or FALLBACK
    completions = [_tokens(counter, encoding, text) for text in table.completions]
    prompts = [_tokens(counter, encoding, text) for text in table.prompts]
    tokens = [one + other for one, other in zip(prompts, completions, strict=True)]
    return _statistics(tokens, [2 if prompt else 1 for prompt in table.prompts], completions, model)


def _tokens(counter: Counter, encoding: str, text: str) -> int:
    """A short text is not worth the counter's memory of what was counted before."""
    return len(load(encoding).encode_ordinary(text)) if len(text) <= CHUNK else counter.count_as(encoding, text).tokens


def _statistics(tokens: Sequence[int], turns: Sequence[int], completions: Sequence[int], model: str) -> Statistics:
    exact = encoding_for(model) is not None
    return Statistics(len(tokens), summary(tokens), summary(turns), summary(completions), exact)
