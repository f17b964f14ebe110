"""plan.json: what a job is to do. Written before the worker starts, read by it; every number is final."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from playground.engine.training.errors import TrainingError

NAME = "plan.json"

Trainer = Literal["numpy", "torch"]

Module = Literal["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
MODULES: tuple[Module, ...] = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""A block's matrices, by llama.cpp's names, in the order in which a token meets them."""

TARGETS: tuple[Module, ...] = ("attn_q", "attn_v")
RANK = 8
ALPHA = 16.0
LEARNING_RATE = 2e-3
WARMUP_RATIO = 0.1
MAX_GRAD_NORM = 1.0
NICE = 10


def first_layer(layers: int) -> int:
    """The upper half learns: the backward ends there, and what was learnt serves as fast as it can."""
    return layers // 2


@dataclass(frozen=True, slots=True)
class Classification:
    """OpenAI's legacy `compute_classification_metrics`: of two classes one is the positive one, or there are more."""

    n_classes: int
    positive_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job's numbers. `learning_rate` is absolute; `context` is in tokens, an example's most; `early_stopping` is how
    many validations in a row may bring nothing; layers before `first_layer` do not learn; `memory` is how many bytes
    a step's activations may take (None: `memory.ACTIVATIONS`)."""

    base: Path
    n_epochs: int
    batch_size: int
    seed: int
    context: int
    first_layer: int
    trainer: Trainer = "numpy"
    learning_rate: float = LEARNING_RATE
    rank: int = RANK
    alpha: float = ALPHA
    targets: tuple[Module, ...] = TARGETS
    warmup_ratio: float = WARMUP_RATIO
    max_grad_norm: float = MAX_GRAD_NORM
    early_stopping: int | None = None
    threads: int = 1
    nice: int = NICE
    classification: Classification | None = None
    memory: int | None = None

    @property
    def scale(self) -> float:
        """What the product of the two matrices is multiplied by: alpha / rank (LoRA, arXiv 2106.09685, section 4.1)."""
        return self.alpha / self.rank

    def write(self, folder: Path) -> None:
        """As `plan.json` in a job's folder, whole or not at all."""
        text = json.dumps({**asdict(self), "base": str(self.base)}, indent=1)
        temporary = folder / f"{NAME}.tmp"
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, folder / NAME)

    @staticmethod
    def read(folder: Path) -> Plan:
        """The plan in a job's folder. Raises TrainingError, naming the value that cannot be."""
        try:
            data = json.loads((folder / NAME).read_text(encoding="utf-8"), parse_constant=_refuse)
        except (OSError, ValueError, RecursionError) as exc:
            raise TrainingError("worker_failed", f"The job's {NAME} cannot be read. Create the job again.") from exc
        if not isinstance(data, dict):
            raise _bad("its shape", data)
        return Plan(**{name: _checked(name, data[name]) for name in _CHECKS if name in data or _missing(name)})


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _missing(name: str) -> bool:
    """False for a value that has a default; raises TrainingError for one that has none."""
    if name in ("base", "n_epochs", "batch_size", "seed", "context", "first_layer"):
        raise TrainingError("worker_failed", f"The job's {NAME} lacks {name}. Create the job again.", param=name)
    return False


def _checked(name: str, value: Any) -> Any:
    try:
        return _CHECKS[name](value)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as exc:
        raise _bad(name, value) from exc


def _bad(name: str, value: Any) -> TrainingError:
    shown = repr(value)[:40]
    return TrainingError(
        "worker_failed", f"The job's {NAME} is not valid: {name} cannot be {shown}. Create the job again.", param=name
    )


def _whole(low: int, high: int = 2**31) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return check


def _real(low: float, high: float, *, above: bool = True) -> Callable[[Any], float]:
    """A finite number up to `high`, above `low` or at least `low`."""

    def check(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError
        if value > high or value < low or (above and value == low):
            raise ValueError
        return float(value)

    return check


def _optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return check


def _targets(value: Any) -> tuple[str, ...]:
    """In the order of MODULES, so that the same set begins with the same numbers however it was written."""
    if not isinstance(value, list) or not value or not set(value) <= set(MODULES):
        raise ValueError
    return tuple(module for module in MODULES if module in value)


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return Path(value)


def _classification(value: Any) -> Classification:
    positive = value.get("positive_class")
    if positive is not None and not isinstance(positive, str):
        raise ValueError
    return Classification(n_classes=_whole(2)(value["n_classes"]), positive_class=positive)


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "base": _path,
    "n_epochs": _whole(1, 10_000),
    "batch_size": _whole(1, 65_536),
    "seed": _whole(0, 2**63),
    "context": _whole(2),
    "first_layer": _whole(0),
    "trainer": _one_of("numpy", "torch"),
    "learning_rate": _real(0, 1e6),
    "rank": _whole(1, 4_096),
    "alpha": _real(0, 1e6),
    "targets": _targets,
    "warmup_ratio": _real(0, 1, above=False),
    "max_grad_norm": _real(0, 1e9),
    "early_stopping": _optional(_whole(1)),
    "threads": _whole(1, 1_024),
    "nice": _whole(0, 19),
    "classification": _optional(_classification),
    "memory": _optional(_whole(1, 2**62)),
}
