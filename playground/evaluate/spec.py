"""What a sweep or an evaluation tries: models, presets or a prompt, parameters, cases, repeats; checked and frozen.

As YAML (JSON and the page have the same fields):

    name: temperature against top_p
    models: [local/smollm2-135m-instruct]
    prompt: "Tweet: {{tweet}}\\nSentiment:"        # or messages, or presets, or what each case asks itself
    parameters: {max_tokens: 3, stop: ["\\n"]}     # the same in every call
    grid:                                          # each value with each of the others; or a `list` of combinations
      temperature: {from: 0, to: 1, step: 0.25}
      top_p: [0.5, 1]
    dataset: tweets.csv
    rows: {tags: [short], first: 50}
    repeats: 5
    metrics: [exact_match, {label: {labels: [positive, negative]}}]
    baseline: local/smollm2-135m-instruct          # of several models the one that the others are compared with
    budget: 0.50                                   # dollars
    concurrency: 8
    batch: true                                    # by the file, where the server takes that: /v1/batches

How many calls that makes is known before a single one is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from math import prod
from typing import Any, Literal

from playground.errors import refused
from playground.evaluate import spec_values as values
from playground.evaluate.metrics.build import MetricSpec, read_metrics
from playground.evaluate.spec_files import load, plain
from playground.evaluate.spec_values import Axis

Mode = Literal["auto", "complete", "chat"]

MAX_CALLS, DEFAULT_CALLS = 1_000_000, 10_000
"""Calls that a spec may ask for at most, and where it does not say how many it expects."""
MAX_COMBINATIONS = 10_000
MAX_REPEATS, MAX_CONCURRENCY, MAX_BUDGET = 1_000, 64, Decimal(100_000)
MAX_MODELS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Which cases of a dataset: of those with one of `tags`, those with these `ids`; of these the `first`, or a
    `sample` by `seed`."""

    tags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    first: int | None = None
    sample: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A checked spec. `grid` has the parameters that vary, each with its values (None: unset), `combinations` the ones
    of a list; without both there is one combination. `baseline` is the model that the others are compared with, by
    default the first; `budget` is in dollars."""

    name: str = "sweep"
    models: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    prompt: str | None = None
    messages: tuple[Mapping[str, Any], ...] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    combinations: tuple[Mapping[str, Any], ...] = ()
    dataset: str | None = None
    rows: Rows = Rows()
    repeats: int = 1
    metrics: tuple[MetricSpec, ...] = ()
    training: str | None = None
    baseline: str | None = None
    budget: Decimal | None = None
    concurrency: int = 4
    max_calls: int = DEFAULT_CALLS
    mode: Mode = "auto"
    batch: bool = False

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The parameters that vary and their values, for a heatmap: also those of a list."""
        if self.grid:
            return dict(self.grid)
        names = dict.fromkeys(name for each in self.combinations for name in each)
        found = {
            name: _different(each.get(name, self.parameters.get(name)) for each in self.combinations) for name in names
        }
        return {name: several for name, several in found.items() if len(several) > 1}

    def settings(self) -> list[dict[str, Any]]:
        """Every combination of parameters, in the spec's order; what is the same in all calls comes with each."""
        if self.combinations:
            return [{**self.parameters, **each} for each in self.combinations]
        return [
            {**self.parameters, **dict(zip(self.grid, chosen, strict=True))} for chosen in product(*self.grid.values())
        ]


def read_spec(data: bytes | str, name: str = "spec.yaml") -> Spec:
    """The spec in a file's text. Raises InvalidRequest that says what is wrong and what to write."""
    return from_json(load(data, name))


def from_json(given: Any) -> Spec:
    """The spec that plain values make: from a page, a file or the store. Raises InvalidRequest."""
    about = plain(given)
    if not isinstance(about, Mapping):
        raise refused("spec_object", param="spec")
    _refuse_unknown(about)
    grid = values.grid(about.get("grid"))
    combinations = values.combinations(about.get("list"))
    if grid and combinations:
        raise refused("spec_grid_and_list", param="spec")
    written = [name for name in ("prompt", "messages", "presets") if about.get(name) not in (None, [])]
    if len(written) > 1:
        raise refused("spec_written_twice", param="spec", one=written[0], other=written[1])
    spec = Spec(
        name=values.line(about.get("name"), "name", 120) or "sweep",
        models=values.names(about.get("models", about.get("model")), "models", MAX_MODELS),
        presets=values.names(about.get("presets", about.get("preset")), "presets", MAX_MODELS),
        prompt=values.text(about.get("prompt"), "prompt"),
        messages=values.messages(about.get("messages")),
        variables=values.variables(about.get("variables")),
        parameters=values.parameters(about.get("parameters")),
        dataset=values.line(about.get("dataset"), "dataset", 500),
        rows=_rows(about.get("rows")),
        repeats=values.whole(about.get("repeats"), "repeats", 1, MAX_REPEATS) or 1,
        metrics=read_metrics(about.get("metrics")),
        training=values.line(about.get("training"), "training", 500),
        baseline=values.line(about.get("baseline"), "baseline", 200),
        budget=values.money(about.get("budget"), MAX_BUDGET),
        concurrency=values.whole(about.get("concurrency"), "concurrency", 1, MAX_CONCURRENCY) or 4,
        max_calls=values.whole(about.get("max_calls"), "max_calls", 1, MAX_CALLS) or DEFAULT_CALLS,
        mode=values.choice(about.get("mode"), "mode", ("auto", "complete", "chat")),
        batch=values.yes(about.get("batch"), "batch"),
    )
    if not spec.models and not spec.presets:
        raise refused("spec_no_models", param="models")
    _check_count(spec, grid, len(combinations))
    return replace(spec, grid={name: axis.values() for name, axis in grid.items()}, combinations=combinations)


def to_json(spec: Spec) -> dict[str, Any]:
    """The spec as `from_json` reads it, without what is unset."""
    rows = {name: _listed(getattr(spec.rows, name)) for name in ("tags", "ids", "first", "sample")}
    if spec.rows.sample is not None:
        rows["seed"] = spec.rows.seed
    said: dict[str, Any] = {
        "name": spec.name,
        "models": list(spec.models),
        "presets": list(spec.presets),
        "prompt": spec.prompt,
        "messages": None if spec.messages is None else [dict(message) for message in spec.messages],
        "variables": dict(spec.variables),
        "parameters": values.jsonable(spec.parameters),
        "grid": {name: values.jsonable(list(axis)) for name, axis in spec.grid.items()},
        "list": [values.jsonable(each) for each in spec.combinations],
        "dataset": spec.dataset,
        "rows": {name: value for name, value in rows.items() if value not in (None, [])},
        "repeats": spec.repeats,
        "metrics": [metric.as_json() for metric in spec.metrics],
        "training": spec.training,
        "baseline": spec.baseline,
        "budget": None if spec.budget is None else format(spec.budget, "f"),
        "concurrency": spec.concurrency,
        "max_calls": spec.max_calls,
        "mode": spec.mode,
        "batch": spec.batch or None,
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def count(spec: Spec, cases: int = 1) -> int:
    """How many calls the spec makes on that many cases."""
    combinations = len(spec.combinations) or prod(map(len, spec.grid.values()))
    return max(1, len(spec.models)) * max(1, len(spec.presets)) * combinations * spec.repeats * cases


def check_count(calls: int, most: int) -> None:
    """Raises InvalidRequest for more calls than the spec expects."""
    if calls > most:
        raise refused("spec_calls", param="max_calls", calls=calls, most=most, highest=MAX_CALLS)


def _check_count(spec: Spec, grid: Mapping[str, Axis], listed: int) -> None:
    """Before a single combination is built: a range of three numbers can stand for a billion values."""
    combinations = (
        max(1, len(spec.models)) * max(1, len(spec.presets)) * (listed or prod(axis.size for axis in grid.values()))
    )
    if combinations > MAX_COMBINATIONS:
        raise refused("spec_combinations", param="grid", combinations=combinations, most=MAX_COMBINATIONS)
    check_count(combinations * spec.repeats, spec.max_calls)


_KNOWN = (
    "name", "models", "presets", "prompt", "messages", "variables", "parameters", "grid", "list", "dataset", "rows",
    "repeats", "metrics", "training", "baseline", "budget", "concurrency", "max_calls", "mode", "batch",
)  # fmt: skip


def _refuse_unknown(about: Mapping[str, Any]) -> None:
    unknown = next((name for name in about if name not in (*_KNOWN, "model", "preset")), None)
    if unknown is not None:
        raise refused("spec_field", param="spec", name=unknown[:40], known=", ".join(_KNOWN))


def _rows(given: Any) -> Rows:
    if given is None:
        return Rows()
    if not isinstance(given, Mapping) or set(given) - {"tags", "ids", "first", "sample", "seed"}:
        raise refused("spec_rows", param="rows")
    first = values.whole(given.get("first"), "rows.first", 1, 100_000)
    sample = values.whole(given.get("sample"), "rows.sample", 1, 100_000)
    if first is not None and sample is not None:
        raise refused("spec_rows", param="rows")
    return Rows(
        tags=values.names(given.get("tags"), "rows.tags", 100),
        ids=values.names(given.get("ids"), "rows.ids", 100_000),
        first=first,
        sample=sample,
        seed=values.whole(given.get("seed"), "rows.seed", 0, 2**31) or 0,
    )


def _different(found: Any) -> tuple[Any, ...]:
    kept: list[Any] = []
    for each in found:
        if each not in kept:
            kept.append(each)
    return tuple(kept)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
