"""What a request for a job may hold: OpenAI's CreateFineTuningJobRequest, and a few hyperparameters more."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from playground.engine.errors import ApiError, bad
from playground.engine.schemas import Text, parse

SEEDS = 2**31 - 1
LONGEST_SUFFIX = 64
_SUFFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _auto(value: Any) -> Any:
    return None if value == "auto" else value


class Asked(BaseModel):
    """Hyperparameters as they were asked for; None is "auto", or unset. The last five are not OpenAI's of today:
    `early_stopping` is how many validations in a row may bring nothing; the classification ones are those of 2023."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    n_epochs: Annotated[Annotated[int, Field(ge=1, le=50)] | None, BeforeValidator(_auto)] = None
    batch_size: Annotated[Annotated[int, Field(ge=1, le=256)] | None, BeforeValidator(_auto)] = None
    learning_rate_multiplier: Annotated[Annotated[float, Field(gt=0, le=1e6)] | None, BeforeValidator(_auto)] = None
    trainer: Literal["numpy", "torch"] | None = None
    early_stopping: Annotated[int, Field(ge=1, le=1_000)] | None = None
    compute_classification_metrics: bool | None = None
    classification_n_classes: Annotated[int, Field(ge=2, le=10_000)] | None = None
    classification_positive_class: Annotated[Text, Field(min_length=1, max_length=200)] | None = None


class JobBody(BaseModel):
    """POST /v1/fine_tuning/jobs. What is not named here is ignored, as OpenAI does."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    model: Text
    training_file: Text
    validation_file: Text | None = None
    suffix: Text | None = None
    seed: Annotated[int, Field(ge=0, le=SEEDS)] | None = None
    method: dict[str, Any] | None = None
    hyperparameters: dict[str, Any] | None = None
    integrations: list[Any] | None = None
    metadata: Annotated[dict[Text, Text], Field(max_length=16)] | None = None


def read(content: bytes) -> tuple[JobBody, Asked]:
    """A request's body, checked as far as that needs neither the files nor the model. Raises a 400."""
    body = parse(JobBody, content)
    if body.integrations:
        raise bad("This engine reports to no other service: leave integrations out.", "integrations")
    body.suffix = _suffix(body.suffix)
    asked = _hyperparameters(body)
    if asked.early_stopping is not None and body.validation_file is None:
        raise bad("early_stopping needs a validation_file: it ends when that gets no better.", "validation_file")
    if asked.compute_classification_metrics:
        if body.validation_file is None:
            raise bad("compute_classification_metrics needs a validation_file.", "validation_file")
        if asked.classification_n_classes is None and asked.classification_positive_class is None:
            raise bad(
                "compute_classification_metrics needs classification_n_classes, or for two classes "
                "classification_positive_class.",
                "classification_n_classes",
            )
        if asked.classification_n_classes == 2 and asked.classification_positive_class is None:
            raise bad("Of two classes, classification_positive_class names one.", "classification_positive_class")
    return body, asked


def _hyperparameters(body: JobBody) -> Asked:
    """From `method`, or from the top level, where they stood before there was a method."""
    given, where = body.hyperparameters, "hyperparameters"
    if body.method is not None:
        kind = body.method.get("type")
        if kind != "supervised":
            raise bad(f"This engine trains by the method supervised, not by {str(kind)[:40]!r}.", "method")
        own = (body.method.get("supervised") or {}) if isinstance(body.method.get("supervised"), dict | None) else None
        if own is None or not isinstance(own.get("hyperparameters"), dict | None):
            raise bad("method.supervised is an object with hyperparameters.", "method")
        if own.get("hyperparameters") is not None:
            given, where = own["hyperparameters"], "method.supervised.hyperparameters"
    return hyperparameters(given, where)


def hyperparameters(given: dict[str, Any] | None, where: str) -> Asked:
    """Raises a 400 that names the first of them that is wrong, as one of `where`."""
    try:
        return Asked.model_validate(given or {})
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        name = first["loc"][0]
        raise bad(f"Invalid value for {name!r}: {first['msg']}.", f"{where}.{name}") from None


def _suffix(given: str | None) -> str:
    """The suffix, "" for none. It becomes part of a name that stands in addresses."""
    if given is None:
        return ""
    if len(given) > LONGEST_SUFFIX or not _SUFFIX.fullmatch(given):
        raise _odd(given)
    return given


def _odd(given: str) -> ApiError:
    plain = unicodedata.normalize("NFKD", given).encode("ascii", "ignore").decode()
    better = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:LONGEST_SUFFIX]
    idea = f" Try {better!r}." if better else ""
    return bad(
        f"suffix is 1 to {LONGEST_SUFFIX} letters from a to z, digits, dots, dashes and underscores, and begins with a "
        f"letter or a digit.{idea}",
        "suffix",
    )
