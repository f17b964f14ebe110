"""The extra that the torch trainer needs, and what is said where it is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from playground.engine.training.errors import TrainingError

PACKAGES = ("torch", "transformers", "peft")
INSTALL = "pip install -r requirements-finetune.txt"


def check() -> None:
    """Raises TrainingError, missing_extra."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        message = f"The torch trainer needs {', '.join(missing)}. Run: {INSTALL}"
        raise TrainingError("missing_extra", message, param="trainer")
