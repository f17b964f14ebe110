"""How much memory a model takes, told before it is loaded, and how long a context there is room for.

llama.cpp maps the weights' file, once for all that serve it; each server has its context's keys and values and its own
working memory. That was measured for models of 49,152 and 151,936 tokens, Q4_0, Q4_1 and Q8_0, contexts of 8,192 and
32,768 tokens (`make bench ARGS=models` compares it with what loading takes). Of Q4_0 and some others llama.cpp makes a
copy in another order; the file's own pages stay only for as long as nobody wants them, so weights are counted once.

What xllamacpp offers (`estimate_gpu_layers`) shares layers out to GPUs: its graph for a 0.5B Qwen has 299 MB and more
where a server on the CPU takes 107, and it reads the whole header with gguf-py first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from playground.engine.errors import ApiError
from playground.engine.llama import CONTEXT
from playground.engine.shelf import Model
from playground.memory import MB, available_bytes

"""As sizes of files are told everywhere, and memory in the page."""
RESERVE = 256 * 2**20
"""Bytes of memory that stay free whatever is loaded."""
CONTEXTS = (CONTEXT, 4_096, 2_048)
"""Tokens of context that a model gets, where it has as many itself: the most that fit."""
ROOMY = 4_096
"""A context that long is enough for two models to stay loaded side by side rather than one with more."""
_SERVER = 32 * 2**20
_PER_TOKEN = 400
"""Of the vocabulary: its text in our tables and in llama.cpp's, and room for its scores."""
_WORKING = 32
"""A batch's activations are about this part of the weights."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes: of the file at `path`, which others may have mapped already, and of what is a server's `own`."""

    path: Path
    mapped: int
    own: int

    @property
    def whole(self) -> int:
        return self.mapped + self.own


def need(model: Model, context: int) -> Need:
    """What a server takes that serves `model` with so many tokens of context (16 bits a number)."""
    kept = 2 * model.header.kv_width * context
    return Need(model.path, model.bytes, kept + _SERVER + _PER_TOKEN * model.header.tokens + model.bytes // _WORKING)


def contexts(model: Model) -> list[int]:
    """The contexts that may be chosen for it, the longest first."""
    return sorted({min(tokens, model.header.context_length) for tokens in CONTEXTS}, reverse=True)


def total(loaded: Collection[Need]) -> int:
    """What all take together, each file counted once."""
    return sum({each.path: each.mapped for each in loaded}.values()) + sum(each.own for each in loaded)


class Budget:
    """`most` bytes for all loaded models; None is what the machine has free, less a reserve."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most

    def free(self, loaded: Collection[Need]) -> int:
        """Bytes that there are beside what is loaded. What is mapped counts as free to the system; not to us."""
        if self.most is not None:
            return self.most - total(loaded)
        return available_bytes() - RESERVE - sum({each.path: each.mapped for each in loaded}.values())

    def fits(self, new: Need, loaded: Collection[Need]) -> bool:
        return self._more(new, loaded) <= self.free(loaded)

    def context(self, model: Model, loaded: Collection[Need], staying: Collection[Need]) -> int | None:
        """Tokens of context for one more server: as many as fit beside all, if these are enough; else as many as fit
        beside those that are `staying`, once the others have left. None where even the fewest do not."""
        choices = contexts(model)
        for tokens in choices:
            if tokens >= min(ROOMY, choices[0]) and self.fits(need(model, tokens), loaded):
                return tokens
        room = self.free(loaded) + total(loaded) - total(staying)
        return next((tokens for tokens in choices if self._more(need(model, tokens), staying) <= room), None)

    def refusal(self, model: Model, loaded: Collection[Need], staying: Collection[Need]) -> ApiError:
        """What is answered where not even the fewest tokens of context fit beside those that are `staying`."""
        tokens = contexts(model)[-1]
        needed = self._more(need(model, tokens), staying)
        room = max(0, self.free(loaded) + total(loaded) - total(staying))
        where = "PLAYGROUND_MODEL_MEMORY leaves" if self.most is not None else "this machine has"
        todo = "Raise it" if self.most is not None else "Close other programs, wait for a training job to end"
        return ApiError(
            400,
            f"The model {model.id!r} does not fit: it takes {-(-needed // MB)} MB with {tokens} tokens of context, and "
            f"{where} {room // MB} MB for it. {todo}, or choose a smaller model.",
            param="model",
            code="out_of_memory",
        )

    def _more(self, new: Need, loaded: Collection[Need]) -> int:
        return new.own + (0 if any(each.path == new.path for each in loaded) else new.mapped)
