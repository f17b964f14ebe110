"""The Learner for larger models and GPUs: torch, transformers and peft (requirements-finetune.txt).

It computes loss and gradients; what is done with them is the same code as the default trainer's. So the two take the
same steps from the same seed, and each is a check of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from playground.engine.training import memory, torch_model
from playground.engine.training import shape as shapes
from playground.engine.training.base import Arrays
from playground.engine.training.errors import TrainingError
from playground.engine.training.examples import Batch
from playground.engine.training.learner import AdapterLearner, share_of
from playground.engine.training.metrics import Measured, joined
from playground.engine.training.plan import Plan
from playground.engine.training.shape import Shape


def load(plan: Plan) -> TorchLearner:
    """Raises TrainingError: missing_extra, bad_base, unsupported_architecture, out_of_memory."""
    shape = shapes.read(plan.base, "torch")
    with out_of_memory():
        return TorchLearner(plan, shape, torch_model.load(plan, shape))


class TorchLearner(AdapterLearner):
    def __init__(self, plan: Plan, shape: Shape, model: Any) -> None:
        super().__init__(plan, shape)
        self._model = model
        self._learnt = torch_model.parameters(model, plan, shape)
        self._kept = memory.TORCH_KEPT * memory.kept_bytes(shape, shape.layers - plan.first_layer)
        self.changed()

    def changed(self) -> None:
        import torch

        with torch.no_grad():
            for name, tensor in self._learnt.items():
                array = torch_model.from_gguf(name, self._adapter[name], self._shape)
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))

    def gradients(self, batch: Batch) -> tuple[Measured, Arrays]:
        for tensor in self._learnt.values():
            tensor.grad = None
        share = share_of(batch)
        with out_of_memory():
            measured = [self._learn(part, share) for part in self.parts(batch, self._kept)]
        found = {name: tensor.grad.float().cpu().numpy() for name, tensor in self._learnt.items()}
        return joined(measured), {
            name: np.array(torch_model.to_gguf(name, array, self._shape)) for name, array in found.items()
        }

    def _learn(self, part: Batch, share: float) -> Measured:
        """Forward and backward; where even this part does not fit, each layer's forward is computed twice."""
        again = not self.fits(part, self._kept)
        if again:
            self._model.train()  # transformers heeds checkpointing only then; no dropout comes with it
            self._model.gradient_checkpointing_enable({"use_reentrant": False})
        try:
            measured, losses = self._forward(part)
            (losses.sum() * share).backward()
        finally:
            if again:
                self._model.gradient_checkpointing_disable()
                self._model.eval()
        return measured

    def measure(self, batch: Batch, candidates: Sequence[int] = (), place: int = 0) -> Measured:
        import torch

        parts = self.parts(batch, memory.TORCH_KEPT * memory.kept_bytes(self._shape, 1))
        with torch.no_grad(), out_of_memory():
            return joined([self._forward(part, candidates, place)[0] for part in parts])

    def _forward(self, part: Batch, candidates: Sequence[int] = (), place: int = 0) -> tuple[Measured, Any]:
        """What was measured, and each learnt token's loss with its history. An example's last token is not read."""
        import torch

        device = next(self._model.parameters()).device
        ids, mask = _padded(part)
        asked = np.unique(np.concatenate([example.learnt - 1 for example in part]))
        logits = self._model(
            input_ids=torch.from_numpy(ids).to(device),
            attention_mask=torch.from_numpy(mask).to(device),
            logits_to_keep=torch.from_numpy(asked).to(device),
            use_cache=False,
        ).logits
        owners = np.repeat(np.arange(len(part)), [len(example.learnt) for example in part])
        places = np.concatenate([np.searchsorted(asked, example.learnt - 1) for example in part])
        targets = np.concatenate([example.tokens[example.learnt] for example in part]).astype(np.int64)
        chosen = logits[torch.from_numpy(owners), torch.from_numpy(places)].float()
        wanted = torch.from_numpy(targets).to(device)
        losses = torch.nn.functional.cross_entropy(chosen, wanted, reduction="none")
        correct = (chosen.argmax(dim=-1) == wanted).cpu().numpy()
        measured = Measured(
            losses=losses.detach().cpu().numpy(),
            correct=correct,
            owners=owners,
            tokens=sum(map(len, part)),
            scores=_scores(chosen.detach(), owners, len(part), candidates, place),
        )
        return measured, losses


def _padded(part: Batch) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Token ids and the mask of what is read (examples × longest). At the right: what is read never looks there."""
    ids = np.zeros((len(part), max(map(len, part)) - 1), np.int64)
    mask = np.zeros_like(ids)
    for row, example in enumerate(part):
        ids[row, : len(example) - 1] = example.tokens[:-1]
        mask[row, : len(example) - 1] = 1
    return ids, mask


def _scores(
    logits: Any, owners: np.ndarray[Any, Any], examples: int, candidates: Sequence[int], place: int
) -> np.ndarray[Any, Any]:
    """The logs of how likely `candidates` are as each example's `place`-th learnt token (examples × candidates)."""
    scores = np.full((examples, len(candidates)), -np.inf, np.float32)
    if candidates:
        here = np.flatnonzero(np.arange(len(owners)) - np.searchsorted(owners, owners) == place)
        logs = logits[here].log_softmax(dim=-1)[:, list(candidates)]
        scores[owners[here]] = logs.cpu().numpy()
    return scores


@contextmanager
def out_of_memory() -> Iterator[None]:
    """torch's two ways of saying it, as the job's failure."""
    try:
        yield
    except RuntimeError as exc:
        # torch.OutOfMemoryError is one; the CPU's allocator has no class of its own.
        if "memory" not in str(exc):
            raise
        message = "The memory is used up. Create the job again with a smaller batch_size or shorter examples."
        raise TrainingError("out_of_memory", message, param="batch_size") from exc
