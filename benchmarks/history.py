"""100,000 runs in SQLite: the first page of 50, searched by words and filters as the History tab does it."""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, islice
from pathlib import Path

from benchmarks.harness import Figure, median
from playground.settings import Settings
from playground.store import Filter, Store
from playground.store.database import writing
from playground.store.schema import RUNS
from playground.tokens import load
from playground.types import Choice, Run, TokenLogprob, Usage

RUN_COUNT = 100_000
BATCH = 1_000
PAGE = 51
"""One more than the tab shows, which tells it whether there are more."""
ROUNDS = 5
BEGINNING = datetime(2025, 11, 23, 12, tzinfo=UTC)
MODELS = (("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("local", "smollm2-135m-instruct"), ("server", "rare"))


def measure() -> list[Figure]:
    words = _vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Settings(data_dir=Path(folder), engine=False))
        _fill(store, words)
        taken = {name: _milliseconds(store, matching) for name, matching in _searches(words).items()}
        store.close()
    slowest = max(taken, key=lambda name: median(taken[name]))
    each = sorted(milliseconds for several in taken.values() for milliseconds in several)
    return [
        Figure(
            f"search and the first page of 50 in {RUN_COUNT:,} runs, p95 of {len(each)}",
            each[int(len(each) * 0.95)],
            200,
            False,
            "ms",
            f"median {median(each):.0f} ms; slowest: {slowest}, {median(taken[slowest]):.0f} ms",
        )
    ]


def _searches(words: list[str]) -> dict[str, Filter]:
    """`words` are the commonest first. The store takes every word as a beginning."""
    rare = Filter(endpoint="server", model="rare")
    searches = {
        "everything": Filter(),
        "nothing has it": Filter(text="zzzzzz"),
        "20 words": Filter(text=" ".join(words[20:40])),
        "two rare words": Filter(text=f"{words[30_000]} {words[31_000]}"),
        "a common and a rare word": Filter(text=f"the {words[30_000]}"),
        "two common words": Filter(text="the que"),
        "a word and the last month": Filter(text="con", since=BEGINNING + timedelta(days=335)),
        "a word and the first month": Filter(text="con", until=BEGINNING + timedelta(days=30)),
        "a word, few of a rare model": replace(rare, text="the", rating=-1, status="failed"),
        "a rare word, one mode": Filter(text=words[20_000], mode="edit"),
    }
    searches |= {f"the word {words[rank]!r}": Filter(text=words[rank]) for rank in (10, 100, 1_000, 10_000, 49_000)}
    searches |= {f"beginning with {start!r}": Filter(text=start) for start in ("a", "x", "co", "con", "cont", "inter")}
    for text in ("", "the", "con pro"):
        searches |= {
            f"a rare model {text}": replace(rare, text=text),
            f"thumbs down {text}": Filter(text=text, rating=-1),
            f"failed {text}": Filter(text=text, status="failed"),
            f"dear {text}": Filter(text=text, cost_at_least=Decimal("0.00999")),
            f"no run is as dear {text}": Filter(text=text, cost_at_least=Decimal(5)),
        }
    return searches


def _milliseconds(store: Store, matching: Filter) -> list[float]:
    """Of each round, with the models that the tab offers beside its first page."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        store.listed(limit=PAGE, matching=matching)
        store.models()
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def _vocabulary() -> list[str]:
    """50,000 words and pieces of words as English and Spanish spell them, the commonest first: OpenAI's tokenizer's."""
    encoding = load("o200k_base")
    texts = (encoding.decode([token]) for token in range(encoding.n_vocab - 100))
    return [text[1:] for text in texts if re.fullmatch(" [a-záéíóúüñ]+", text)]


def _fill(store: Store, words: list[str]) -> None:
    runs = _runs(words)
    while batch := [store._whole(run) for run in islice(runs, BATCH)]:
        with writing(store._engine) as connection:
            connection.execute(RUNS.insert(), batch)


def _runs(words: list[str]) -> Iterator[Run]:
    """A year of runs of 50 to 400 words: one of 100 is the rare model's, as many failed, one of 50 has logprobs."""
    chance = random.Random(4)
    often = list(accumulate(1 / (rank + 3) for rank in range(len(words))))  # Zipf's law
    for number in range(RUN_COUNT):
        length = chance.randint(50, 400)
        text = chance.choices(words, cum_weights=often, k=length)
        prompt, answer = " ".join(text[: length // 4]), text[length // 4 :]
        tokens = [TokenLogprob(f" {word}", -0.5, ((f" {word}", -0.5), (" a", -2.25))) for word in answer]
        endpoint, model = chance.choices(MODELS, (50, 30, 19, 1))[0]
        request = {"model": model, "prompt": prompt, "temperature": 0.7, "max_tokens": 500, "stop": ["\n\n"]}
        logprobs = tuple(tokens) if number % 50 == 0 else ()
        yield Run(
            id=f"{chance.getrandbits(128):032x}",
            created_at=BEGINNING + timedelta(minutes=5.25 * number),
            mode=chance.choice(("complete", "chat", "edit")),
            endpoint=endpoint,
            model=model,
            status=chance.choices(("done", "stopped", "failed"), (90, 9, 1))[0],
            request=request,
            effective_request=request,
            choices=(Choice(index=0, text=" ".join(answer), finish_reason="stop", logprobs=logprobs),),
            usage=Usage(prompt_tokens=length // 3, completion_tokens=length),
            cost=Decimal(chance.randint(1, 10**6)).scaleb(-8),
            latency=chance.uniform(0.5, 20),
            time_to_first_token=chance.uniform(0.1, 0.5),
            rating=chance.choices((None, 1, -1), (980, 15, 5))[0],
        )
