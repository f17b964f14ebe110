"""README.md of a bundle, in English or Spanish: how it starts, what it costs, when its model ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from playground import pricing
from playground.deploy.cost import Cost, Spread
from playground.deploy.frozen import Frozen
from playground.words import Language, Said


def readme(
    frozen: Frozen,
    cost: Cost,
    cases: Mapping[str, Any],
    *,
    own_cases: bool,
    requests: int,
    day: date,
    language: Language,
) -> str:
    """The file. `cases` is cases.json, `own_cases` whether it came of a dataset; `requests` are a day's."""
    writer = _Writer(frozen, language, day)
    parts = [
        *writer.start(),
        *writer.run(),
        *writer.cases(cases, own=own_cases),
        *writer.cost(cost, requests),
        *writer.end(),
    ]
    return "\n\n".join(parts) + "\n"


class _Writer:
    def __init__(self, frozen: Frozen, language: Language, day: date) -> None:
        self._frozen, self._language, self._day = frozen, language, day
        self._model = _code(frozen.info.id)

    def _say(self, key: str, /, **args: str | int | float) -> str:
        return Said(f"deploy.{key}", args).text(self._language)

    def start(self) -> Iterator[str]:
        told = self._frozen.as_json()
        yield self._say("title", name=_code(self._frozen.name))
        yield self._say("made", day=self._day.isoformat(), model=self._model, address=_code(told["base_url"]))
        yield self._say("start")
        yield _block(
            "python -m venv .venv && . .venv/bin/activate  # Windows: .venv\\Scripts\\activate; Python 3.11+",
            "pip install -r requirements.txt",
            "cp .env.example .env",
        )
        if told["key_variable"]:
            yield self._say("key", key=told["key_variable"])
        elif self._frozen.endpoint.kind == "engine":
            yield self._say("engine")
        else:
            yield self._say("no_key")

    def run(self) -> Iterator[str]:
        names = list(self._frozen.variables)
        yield self._say("run")
        yield _block(" ".join(["python answer.py", *(f'{name}="…"' for name in names)]))
        if names:
            yield self._say("variables", names=", ".join(map(_code, names)))
        yield self._say("run_note")
        given = "{" + ", ".join(f'"{name}": "…"' for name in names) + "}"
        yield _block("from answer import ask", "", f"print(ask({given if names else ''}).text)", language="python")
        yield self._say("failing")
        if self._frozen.left_out:
            yield self._say("left_out", names=", ".join(_code(each.param) for each in self._frozen.left_out))

    def cases(self, cases: Mapping[str, Any], *, own: bool) -> Iterator[str]:
        count = len(cases["cases"])
        yield self._say("cases")
        yield _block("pip install -r requirements-test.txt", "pytest")
        if count:
            share = f"{cases['at_least']:.0%}"
            yield self._say("cases_note", count=count, metric=cases["check"]["kind"], share=share)
        if own:
            return
        yield self._say("cases_own" if count else "cases_none")

    def cost(self, cost: Cost, requests: int) -> Iterator[str]:
        yield self._say("cost")
        yield self._say(f"by_{cost.basis}", **({"runs": cost.runs} if cost.basis != "estimate" else {}))
        yield "\n".join(self._table(cost, requests))
        if cost.dollars is None:
            yield self._say("unknown", model=self._model)
            return
        if cost.mean is not None:
            mean, total = pricing.format_money(cost.mean), pricing.format_money(cost.mean * requests)
            yield self._say("mean", mean=mean, requests=requests, total=total)
        if cost.priced_as:
            yield self._say("priced_as", model=_code(cost.priced_as))
        yield self._say("prices", source=pricing.prices_as_of())

    def _table(self, cost: Cost, requests: int) -> Iterator[str]:
        heads = ("expected", "most") if cost.basis == "estimate" else ("median", "p95")
        yield self._say("head", middle=self._say(heads[0]), high=self._say(heads[1]))
        yield "|---|--:|--:|"
        yield self._row("prompt_tokens", cost.prompt_tokens, "tokens")
        yield self._row("completion_tokens", cost.completion_tokens, "tokens")
        for key, spread in (("latency", cost.latency), ("first_token", cost.first_token)):
            if spread is not None:
                yield self._row(key, spread, "seconds")
        if cost.dollars is not None:
            yield _line(self._say("request"), *map(_money, cost.dollars))
            day = [None if each is None else each * requests for each in cost.dollars]
            yield _line(self._say("day", requests=requests), *map(_money, day))

    def _row(self, key: str, spread: Spread, unit: str) -> str:
        cells = ("–" if each is None else self._say(unit, value=float(each)) for each in (spread.p50, spread.p95))
        return _line(self._say(key), *cells)

    def end(self) -> Iterator[str]:
        told = self._frozen.shutdown_date
        yield self._say("shutdown")
        if told is None:
            yield self._say("shutdown_none", model=self._model)
            return
        left = (date.fromisoformat(told) - self._day).days
        if left < 0:
            yield self._say("shutdown_past", model=self._model, day=told)
        else:
            yield self._say("shutdown_in", model=self._model, day=told, days=left)
        if self._frozen.replacement:
            yield self._say("replacement", model=_code(self._frozen.replacement))


def _money(amount: Decimal | None) -> str:
    return "–" if amount is None else pricing.format_money(amount)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _block(*lines: str, language: str = "sh") -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _code(text: str) -> str:
    """`text` as Markdown shows it letter by letter, whatever is in it (CommonMark 0.31, 6.1)."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * next(length for length in range(1, len(text) + 2) if length not in runs)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text}{room}{fence}"
