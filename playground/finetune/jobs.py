"""Fine-tuning jobs as data: what a server's JSON says of them, and what is asked for when one is created.

Servers differ and change: whatever is missing or of another type is None, and a status nobody knows is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from playground.errors import refused
from playground.messages import plain_text
from playground.parameters import Parameter, check

ENDED = ("succeeded", "failed", "cancelled")
PAUSED = "paused"
LONGEST_SUFFIX = 64
#: The ranges of OpenAI's API reference (CreateFineTuningJobRequest).
EPOCHS = Parameter(name="epochs", kind="int", low=1, high=50)
BATCH_SIZE = Parameter(name="batch_size", kind="int", low=1, high=256)
SEED = Parameter(name="seed", kind="int", low=0, high=2**31 - 1)
EARLY_STOPPING = Parameter(name="early_stopping", kind="int", low=1, high=1_000)
CLASSES = Parameter(name="classes", kind="int", low=2, high=10_000)
MOST_BETA = 2.0
LONGEST_CLASS = 200

Method = Literal["supervised", "dpo"]
METHODS: tuple[Method, ...] = get_args(Method)
"""How a model is trained: on answers, or on pairs of a better and a worse one (direct preference optimization)."""
Trainer = Literal["numpy", "torch"]
TRAINERS: tuple[Trainer, ...] = get_args(Trainer)
"""What the embedded engine trains with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. Times are Unix seconds. `hyperparameters` are those that the server says, "auto" as well."""

    id: str
    status: str
    base: str
    fine_tuned_model: str | None = None
    created: float | None = None
    finished: float | None = None
    estimated_finish: float | None = None
    trained_tokens: int | None = None
    hyperparameters: Mapping[str, int | float | str] = field(default_factory=dict)
    method: str | None = None
    suffix: str | None = None
    seed: int | None = None
    error: str | None = None
    training_file: str | None = None
    validation_file: str | None = None
    result_files: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen. `finished` decides for a status that is newer than this list."""
        return self.status in ENDED or self.finished is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What was measured at a step: `values` by the names of the results file, finite ones only."""

    step: int
    total_steps: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job. `level` is info, warn or error; `values` are the numbers it tells."""

    id: str
    created: float | None
    level: str
    message: str
    metric: Metric | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model that was saved on the way, and can be used."""

    id: str
    model: str
    step: int | None
    created: float | None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job to be created, but for its files. None is unset: it is not sent, and the server decides.

    The last four are the embedded engine's own: validations in a row that may bring nothing before it ends; the classes
    or, of two, the positive one, for 2023's classification metrics; and which trainer trains.
    """

    base: str
    suffix: str | None = None
    seed: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    method: Method = "supervised"
    beta: float | None = None
    early_stopping: int | None = None
    classes: int | None = None
    positive_class: str | None = None
    trainer: Trainer | None = None

    def body(self, training_file: str, validation_file: str | None = None) -> dict[str, Any]:
        """The request's JSON; the files are ids that the server gave them. `supervised` is what servers do unasked."""
        asked = {
            "beta": self.beta,
            "n_epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "early_stopping": self.early_stopping,
            "compute_classification_metrics": True if self.classes or self.positive_class else None,
            "classification_n_classes": self.classes,
            "classification_positive_class": self.positive_class,
            "trainer": self.trainer,
        }
        set_ = {name: value for name, value in asked.items() if value is not None}
        method = {"type": self.method, self.method: {"hyperparameters": set_}}
        body = {
            "model": self.base,
            "training_file": training_file,
            "validation_file": validation_file,
            "suffix": self.suffix,
            "seed": self.seed,
            "method": method if set_ or self.method != "supervised" else None,
        }
        return {name: value for name, value in body.items() if value is not None}


SETTINGS = tuple(each.name for each in fields(Plan) if each.name != "base")
"""What `validate_job` takes besides the base."""


def validate_job(
    *,
    base: Any,
    suffix: Any = None,
    seed: Any = None,
    epochs: Any = None,
    batch_size: Any = None,
    learning_rate_multiplier: Any = None,
    method: Any = None,
    beta: Any = None,
    early_stopping: Any = None,
    classes: Any = None,
    positive_class: Any = None,
    trainer: Any = None,
) -> Plan:
    """A plan from values as a page or the command line hands them over; None and empty text are unset.

    Raises InvalidRequest naming the parameter: epochs 1 to 50, batch size 1 to 256, learning-rate multiplier above 0,
    suffix 1 to 64 characters, seed 0 to 2³¹ − 1; method supervised (unset) or dpo, beta above 0 to 2 and of dpo only;
    early stopping 1 to 1,000 validations, 2 to 10,000 classes, trainer numpy or torch.
    """
    name = plain_text("base", base).strip() if isinstance(base, str) else ""
    if not name:
        raise refused("base", param="base")
    return Plan(
        base=name,
        suffix=_suffix(suffix),
        seed=check(SEED, seed),
        epochs=check(EPOCHS, epochs),
        batch_size=check(BATCH_SIZE, batch_size),
        learning_rate_multiplier=_above_zero("learning_rate_multiplier", learning_rate_multiplier),
        method=(known := _method(method)),
        beta=_beta(beta, known),
        early_stopping=check(EARLY_STOPPING, early_stopping),
        classes=check(CLASSES, classes),
        positive_class=_short("positive_class", positive_class),
        trainer=_trainer(trainer),
    )


def _trainer(value: Any) -> Trainer | None:
    if value is None or value == "":
        return None
    if value not in TRAINERS:
        raise refused("trainer", param="trainer", trainers=", ".join(TRAINERS))
    found: Trainer = value
    return found


def _short(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = plain_text(name, value).strip()
    if len(text) > LONGEST_CLASS:
        raise refused("class_long", param=name, most=LONGEST_CLASS, length=len(text))
    return text or None


def _method(value: Any) -> Method:
    if value is None or value == "":
        return "supervised"
    if value == "reinforcement":
        raise refused("reinforcement", param="method")
    if value not in METHODS:
        raise refused("method", param="method", methods=", ".join(METHODS))
    found: Method = value
    return found


def _beta(value: Any, method: Method) -> float | None:
    number = _above_zero("beta", value, MOST_BETA)
    if number is not None and method != "dpo":
        raise refused("beta_method", param="beta", method=method)
    return number


def _suffix(value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = plain_text("suffix", value)
    if not text.strip() or len(text) > LONGEST_SUFFIX:
        key = "suffix_long" if text.strip() else "suffix_blank"
        raise refused(key, param="suffix", most=LONGEST_SUFFIX, length=len(text))
    return text


def _above_zero(name: str, value: Any, most: float = math.inf) -> float | None:
    """A finite number above 0 and at most `most`, None if unset."""
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number < math.inf or number > most:
        key = "above_zero" if most == math.inf else "above_zero_to"
        raise refused(key, param=name, name=name, most=f"{most:g}")
    return number


def parse_job(said: Mapping[str, Any]) -> Job:
    """A job of OpenAI's shape, old or new."""
    method = _object(said.get("method"))
    kind = _text(method.get("type"))
    asked = _object(_object(method.get(kind or "supervised")).get("hyperparameters"))
    error = _object(said.get("error"))
    return Job(
        id=_text(said.get("id")) or "",
        status=_text(said.get("status")) or "unknown",
        base=_text(said.get("model")) or "",
        fine_tuned_model=_text(said.get("fine_tuned_model")),
        created=_number(said.get("created_at")),
        finished=_number(said.get("finished_at")),
        estimated_finish=_number(said.get("estimated_finish")),
        trained_tokens=_whole(said.get("trained_tokens")),
        hyperparameters=_hyperparameters({**_object(said.get("hyperparameters")), **asked}),
        method=kind,
        suffix=_text(said.get("user_provided_suffix")),
        seed=_whole(said.get("seed")),
        # A job that has not failed carries an object of nulls at times.
        error=_text(error.get("message")) or _text(error.get("code")) or _text(said.get("error")),
        training_file=_text(said.get("training_file")),
        validation_file=_text(said.get("validation_file")),
        result_files=_ids(said.get("result_files")),
    )


def parse_event(said: Mapping[str, Any]) -> Event:
    """An event; `metric` is there where it carries numbers of a step."""
    message, data = _text(said.get("message")) or "", _object(said.get("data"))
    return Event(
        id=_text(said.get("id")) or "",
        created=_number(said.get("created_at")),
        level=_text(said.get("level")) or "info",
        message=message,
        metric=_metric(data, message),
        values=_values(data),
    )


def parse_checkpoint(said: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(
        id=_text(said.get("id")) or "",
        model=_text(said.get("fine_tuned_model_checkpoint")) or "",
        step=_whole(said.get("step_number")),
        created=_number(said.get("created_at")),
        values=_values(_object(said.get("metrics"))),
    )


def merged(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """One metric a step, in order: servers send a step's validation apart from its training, and in any order."""
    by_step: dict[int, Metric] = {}
    for metric in metrics:
        before = by_step.get(metric.step, metric)
        total = metric.total_steps or before.total_steps
        by_step[metric.step] = Metric(step=metric.step, total_steps=total, values={**before.values, **metric.values})
    return tuple(by_step[step] for step in sorted(by_step))


def _metric(data: Mapping[str, Any], message: str) -> Metric | None:
    """OpenAI says the total in `data.total_steps`, and where it does not, in words: Step 3/90: training loss=0.71."""
    step, values = _whole(data.get("step")), _values(data)
    if step is None or step < 0 or not values:
        return None
    total = _whole(data.get("total_steps"))
    if total is None and (words := re.match(r"Step \d{1,9}/(\d{1,9})\b", message, re.ASCII)):
        total = int(words[1])
    return Metric(step=step, total_steps=total if total and total >= step else None, values=values)


def _values(data: Mapping[str, Any]) -> dict[str, float]:
    numbers = {str(name): _number(value) for name, value in data.items() if name not in ("step", "total_steps")}
    return {name: number for name, number in numbers.items() if number is not None}


def _hyperparameters(said: Mapping[str, Any]) -> dict[str, int | float | str]:
    return {str(name): value for name, value in said.items() if _text(value) or (_number(value) is not None)}


def _ids(said: Any) -> tuple[str, ...]:
    """File ids: strings, and in old jobs objects with an `id`."""
    each = said if isinstance(said, list) else []
    found = (_text(item) or _text(_object(item).get("id")) for item in each)
    return tuple(name for name in found if name)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    """A finite number; an integer of 400 digits is none that could be used."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e300 < value < 1e300:
        return None
    return value


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None
