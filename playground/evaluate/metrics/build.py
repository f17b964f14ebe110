"""Metrics as a spec names them: checked when it is read, made when it runs.

A spec writes `exact_match`, or a name with its options: `{contains: {text: Paris}}`. A metric's own name in results is
`as`, by default its kind, numbered where it occurs again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from playground.errors import InvalidRequest, refused
from playground.evaluate.metrics import diversity, domain, judge, labels, matching, novelty, overlap
from playground.evaluate.metrics.metric import Metric
from playground.messages import plain_text

MOST = 20
MOST_LABELS = labels.MOST_LABELS
_BOOL, _TEXT, _TEXTS, _COUNT, _OBJECT, _TOKENS = "true or false", "text", "texts", "number", "object", "tokens"

#: By each kind: its options, and what they are.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "exact_match": {"ignore_case": _BOOL, "ignore_punctuation": _BOOL},
    "contains": {"text": _TEXT, "ignore_case": _BOOL},
    "regex": {"pattern": _TEXT, "whole": _BOOL},
    "json_schema": {"schema": _OBJECT},
    "label": {"labels": _TEXTS},
    "macro_f1": {"labels": _TEXTS},
    "bleu": {},
    "chrf": {},
    "meteor": {},
    "distinct": {"n": _COUNT},
    "self_bleu": {},
    "training_overlap": {"n": _COUNT},
    "domain": {},
    "off_domain": {},
    "judge": {"criterion": _TEXT, "model": _TEXT, "max_tokens": _TOKENS},
}
NEED_TRAINING = frozenset({"training_overlap", "domain", "off_domain"})
"""They compare with the texts that a model was trained on."""
Group = Literal["automatic", "diversity", "domain", "judged", "human"]
GROUPS: Mapping[Group, tuple[str, ...]] = {
    "automatic": (*("exact_match", "contains", "regex", "json_schema", "label", "macro_f1", "bleu", "chrf", "meteor"),),
    "diversity": ("distinct", "self_bleu", "training_overlap"),
    "domain": ("domain", "off_domain"),
    "judged": ("judge",),
}
"""The ways to evaluate, each with its metrics; what people say of answers (`human`) is rated, not computed."""
COMPANIONS: Mapping[str, str] = {"label": "macro_f1", "domain": "off_domain"}
"""What an evaluation adds to a metric: the figure that is read beside it."""
NEED_EXPECTED = frozenset({"exact_match", "label", "macro_f1", "bleu", "chrf", "meteor"})
"""They compare with the expected answer, as `contains` does where it is told no text."""
_NEEDED = {"regex": "pattern", "judge": "model"}


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric as it is asked for: its kind, the name of its figures, its options."""

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {self.kind: {**self.options, "as": self.name}}


def read_metrics(given: Any) -> tuple[MetricSpec, ...]:
    """The metrics of a spec. Raises InvalidRequest that names the metric, and what there is."""
    if given is None:
        return ()
    entries = [given] if isinstance(given, str) else given
    if not isinstance(entries, list | tuple) or len(entries) > MOST:
        raise refused("metrics", param="metrics", most=MOST)
    found: list[MetricSpec] = []
    for entry in entries:
        spec = _read(entry)
        taken = {each.name for each in found}
        name, number = spec.name, 1
        while name in taken:
            number += 1
            name = f"{spec.name}_{number}"
        found.append(replace(spec, name=name))
    return tuple(found)


def build(
    specs: Sequence[MetricSpec], *, known_labels: Sequence[str] = (), training: Sequence[str] = ()
) -> tuple[Metric, ...]:
    """What scores answers, in the order of `specs`; judges are left out, since they ask a model.

    `known_labels` are a dataset's expected answers, `training` the texts a model was trained on. Raises InvalidRequest
    where a metric lacks what it compares with.
    """
    index = _Training(training)
    made = []
    for spec in specs:
        if spec.kind != "judge":
            made.append(replace(_made(spec, known_labels, index), name=spec.name))
    return tuple(made)


class _Training:
    """The texts a model was trained on, and the index of their words, which is made once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def domain(self) -> domain.Domain:
        return domain.Domain(self.texts)


def group(kind: str) -> Group:
    """The way to evaluate that a kind of metric belongs to."""
    return next(name for name, kinds in GROUPS.items() if kind in kinds)


def with_companions(specs: Sequence[MetricSpec]) -> tuple[MetricSpec, ...]:
    """The metrics, each with what is read beside it, where that is not asked for anyway."""
    kinds, names = {each.kind for each in specs}, {each.name for each in specs}
    found: list[MetricSpec] = []
    for each in specs:
        found.append(each)
        beside = COMPANIONS.get(each.kind)
        if beside is not None and beside not in kinds | names and len(specs) < MOST:
            kinds |= {beside}
            found.append(MetricSpec(beside, beside, each.options))
    return tuple(found[:MOST])


def needs_expected(spec: MetricSpec) -> bool:
    return spec.kind in NEED_EXPECTED or (spec.kind == "contains" and "text" not in spec.options)


def judges(specs: Sequence[MetricSpec]) -> tuple[MetricSpec, ...]:
    return tuple(spec for spec in specs if spec.kind == "judge")


def _made(spec: MetricSpec, known_labels: Sequence[str], training: _Training) -> Metric:
    if spec.kind in NEED_TRAINING and not training.texts:
        raise refused("metric_training", param="metrics", name=spec.kind)
    if spec.kind in _CLASSIFY:
        wanted = spec.options.get("labels") or known_labels
        if not 0 < len(wanted) <= MOST_LABELS:
            raise refused("metric_labels", param="metrics", count=len(wanted), most=MOST_LABELS)
        return _CLASSIFY[spec.kind](wanted)
    if spec.kind == "training_overlap":
        return novelty.training_overlap(novelty.TrainingText(training.texts, spec.options.get("n", novelty.ORDER)))
    if spec.kind in _DOMAIN:
        return _DOMAIN[spec.kind](training.domain)
    return _PLAIN[spec.kind](**spec.options)


_CLASSIFY: Mapping[str, Callable[[Sequence[str]], Metric]] = {"label": labels.label, "macro_f1": labels.macro_f1}
_DOMAIN: Mapping[str, Callable[[domain.Domain], Metric]] = {"domain": domain.domain, "off_domain": domain.off_domain}
_PLAIN: Mapping[str, Callable[..., Metric]] = {
    "exact_match": matching.exact_match,
    "contains": matching.contains,
    "regex": matching.matches_pattern,
    "json_schema": matching.fits_schema,
    "bleu": overlap.bleu,
    "chrf": overlap.chrf,
    "meteor": overlap.meteor,
    "distinct": lambda n=2: diversity.distinct(n),
    "self_bleu": diversity.unlike,
}


def _read(entry: Any) -> MetricSpec:
    if isinstance(entry, str):
        kind, options = entry, dict[str, Any]()
    elif isinstance(entry, Mapping) and len(entry) == 1:
        kind, given = next(iter(entry.items()))
        options = {} if given is None else given
    else:
        raise refused("metric_shape", param="metrics")
    if not isinstance(kind, str) or kind not in OPTIONS:
        raise refused("metric_unknown", param="metrics", name=str(kind)[:40], known=", ".join(OPTIONS))
    if not isinstance(options, Mapping):
        raise refused("metric_shape", param="metrics")
    checked = {name: _option(kind, name, value) for name, value in options.items() if name != "as"}
    needed = _NEEDED.get(kind)
    if needed is not None and needed not in checked:
        raise refused("metric_needs", param="metrics", name=kind, option=needed)
    _check_contents(kind, checked)
    default = f"{kind}_{checked.get('n', 2)}" if kind == "distinct" else kind
    return MetricSpec(kind, _name(options.get("as"), default), checked)


def _name(value: Any, default: str) -> str:
    if value is None:
        return default
    if not isinstance(value, str) or not 0 < len(value.strip()) <= 40 or not value.isprintable():
        raise refused("metric_name", param="metrics")
    return value.strip()


def _option(kind: str, name: Any, value: Any) -> Any:
    wanted = OPTIONS[kind].get(name) if isinstance(name, str) else None
    if wanted is None:
        known = ", ".join(OPTIONS[kind]) or "–"
        raise refused("metric_option", param="metrics", name=kind, option=str(name)[:40], known=known)
    right = {
        _BOOL: isinstance(value, bool),
        _TEXT: isinstance(value, str) and bool(value.strip()),
        _TEXTS: isinstance(value, list | tuple) and all(isinstance(each, str) and each.strip() for each in value),
        _COUNT: type(value) is int and 1 <= value <= 10,
        _OBJECT: isinstance(value, Mapping),
        _TOKENS: type(value) is int and 1 <= value <= 100_000,
    }
    if not right[wanted]:
        raise refused("metric_value", param="metrics", name=kind, option=name)
    return plain_text(name, value) if isinstance(value, str) else value


def _check_contents(kind: str, options: Mapping[str, Any]) -> None:
    try:
        if kind == "regex":
            matching.compile_pattern(options["pattern"])
        if kind == "json_schema":
            matching.fits_schema(**options)
    except InvalidRequest as error:
        error.param = "metrics"
        raise
    if kind == "judge" and len(options.get("criterion", "")) > judge.LONGEST_REASON:
        raise refused("metric_value", param="metrics", name=kind, option="criterion")
