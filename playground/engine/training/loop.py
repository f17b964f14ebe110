"""A job from its first step to its last: steps, validations, checkpoints, and an end before time.

What is learnt in a step follows from the seed and the step's number alone, so that a job that goes on from a checkpoint
writes the same curve as one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playground.engine.training import checkpoints, memory
from playground.engine.training.checkpoints import Position
from playground.engine.training.curve import Curve
from playground.engine.training.errors import Stopped, TrainingError
from playground.engine.training.examples import Batch, Example, batches, steps_per_epoch
from playground.engine.training.learner import Learner, diverged
from playground.engine.training.optimizer import rate
from playground.engine.training.plan import Plan
from playground.engine.training.validation import Validation

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What is learnt (`train`), by what (`learner`), measured on what (`validation`, None without a file), and where
    it is kept. `emit` takes each line of what happens; `stopping` says whether a stop is asked for."""

    folder: Path
    plan: Plan
    learner: Learner
    train: Sequence[Example]
    validation: Validation | None
    emit: Emit
    stopping: Callable[[], bool]

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(len(self.train), self.plan.batch_size)

    @property
    def total_steps(self) -> int:
        return self.plan.n_epochs * self.steps_per_epoch


class Loop:
    def __init__(self, job: Job) -> None:
        """Where the newest whole checkpoint stands, or at the beginning. Raises TrainingError, OSError."""
        self._job = job
        self._position, self._saved = Position(), 0
        if (found := checkpoints.newest(job.folder)) is not None:
            self._position, state = found
            self._saved = self._position.step
            try:
                job.learner.restore(state)
            except (KeyError, ValueError) as exc:
                message = "The job's checkpoint does not belong to its plan. Create the job again."
                raise TrainingError("worker_failed", message) from exc
        columns = job.validation.columns if job.validation else ()
        self._curve = Curve(job.folder, step=self._position.step - self._position.unfinished, more=columns)
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def run(self, memory_bytes: int) -> None:
        """Until it is done, or ended early, or a stop is asked for. `memory_bytes`: what it is expected to need."""
        self._say("started", **self._outlook(), resumed_at=self._position.step, memory_bytes=memory_bytes)
        try:
            self._steps()
        except Stopped:
            self._say("paused", step=self._position.step)
            return
        if self._fruitless():
            self._say("early_stopped", step=self._position.step)
        self._say("done", step=self._position.step, trained_tokens=self._position.trained_tokens)

    def _steps(self) -> None:
        job = self._job
        if self._position.step == 0 and job.validation:
            self._say("base", **job.validation.whole(job.stopping))
        if self._position.unfinished:
            self._finish_step()
        while self._position.step < job.total_steps and not self._fruitless():
            if job.stopping():
                self._pause()
            self._take_step()
            self._finish_step()

    def _take_step(self) -> None:
        plan, step = self._job.plan, self._position.step + 1
        batch = self._batch(step)
        now = rate(step, total=self._job.total_steps, peak=plan.learning_rate, warmup_ratio=plan.warmup_ratio)
        begun = time.perf_counter()
        try:
            measured = self._job.learner.learn(batch, now)
        except TrainingError:
            self._curve.add({"step": step, "train_loss": math.nan})
            raise
        seconds = time.perf_counter() - begun
        self._position = replace(
            self._position,
            step=step,
            trained_tokens=self._position.trained_tokens + measured.tokens,
            unfinished=True,
            last={
                "train_loss": measured.loss,
                "train_accuracy": measured.accuracy,
                "tokens_per_second": measured.tokens / seconds,
            },
        )

    def _batch(self, step: int) -> Batch:
        epoch, number = divmod(step - 1, self._job.steps_per_epoch)
        if self._epoch[0] != epoch:
            lengths = [len(example) for example in self._job.train]
            plan = self._job.plan
            self._epoch = (epoch, batches(lengths, plan.batch_size, seed=plan.seed, epoch=epoch))
        return [self._job.train[example] for example in self._epoch[1][number]]

    def _finish_step(self) -> None:
        """Validate where it is due, write the step's row and line, and at an epoch's end a checkpoint."""
        step, last = self._position.step, self._position.last or {}
        epoch_ends = step % self._job.steps_per_epoch == 0
        try:
            valid = self._validate(step, whole=epoch_ends)
        except Stopped:
            self._save()
            raise
        row = {"step": step, **{name: last[name] for name in ("train_loss", "train_accuracy")}, **valid}
        self._curve.add(row)
        self._position = replace(self._position, unfinished=False)
        self._say_step(last, valid)
        if exploded(self._curve.losses, self._job.learner.shape.vocabulary) or not _finite(valid):
            raise diverged(valid.get("valid_loss", math.inf) if not _finite(valid) else last["train_loss"])
        if epoch_ends:
            self._remember(valid.get("valid_loss"))
            self._save()
            self._say_checkpoint(valid)

    def _validate(self, step: int, *, whole: bool) -> dict[str, float]:
        validation = self._job.validation
        if validation is None:
            return {}
        if whole:
            return validation.whole(self._job.stopping)
        every = between(self._job.total_steps)
        return validation.part(step // every, self._job.plan.batch_size) if step % every == 0 else {}

    def _remember(self, valid_loss: float | None) -> None:
        best = self._position.best
        if valid_loss is None:
            return
        if best is None or valid_loss < best:
            self._position = replace(self._position, best=valid_loss, fruitless=0)
        else:
            self._position = replace(self._position, fruitless=self._position.fruitless + 1)

    def _fruitless(self) -> bool:
        patience = self._job.plan.early_stopping
        return patience is not None and self._position.fruitless >= patience

    def _pause(self) -> None:
        if self._saved != self._position.step:
            self._save()
            self._say_checkpoint({})
        raise Stopped

    def _save(self) -> None:
        learner, plan = self._job.learner, self._job.plan
        checkpoints.save(
            self._job.folder,
            self._position,
            learner.state(),
            learner.adapter(),
            alpha=plan.alpha,
            architecture=learner.shape.architecture,
        )
        self._saved = self._position.step

    def _outlook(self) -> dict[str, int]:
        return {"total_steps": self._job.total_steps, "steps_per_epoch": self._job.steps_per_epoch}

    def _say_step(self, last: Mapping[str, float], valid: Mapping[str, float]) -> None:
        self._say(
            "step",
            step=self._position.step,
            total_steps=self._job.total_steps,
            **last,
            **{name: value for name, value in valid.items() if math.isfinite(value)},
            memory_bytes=memory.resident(),
            trained_tokens=self._position.trained_tokens,
        )

    def _say_checkpoint(self, valid: Mapping[str, float]) -> None:
        """By the names of OpenAI's checkpoint metrics; `full_valid_…` are of the whole validation set."""
        last = self._position.last or {}
        names = ("valid_loss", "valid_mean_token_accuracy")
        metrics = {
            "step": self._position.step,
            "train_loss": last["train_loss"],
            "train_mean_token_accuracy": last["train_accuracy"],
            **valid,
            **{f"full_{name}": valid[name] for name in names if name in valid},
        }
        self._say("checkpoint", step=self._position.step, metrics=metrics)

    def _say(self, kind: str, **values: Any) -> None:
        self._job.emit({"type": kind, **values})


def between(total: int) -> int:
    """Steps from one look at a part of the validation set to the next: about fifteen looks in a short job."""
    return min(25, max(4, total // 15))


def _finite(values: Mapping[str, float]) -> bool:
    return all(map(math.isfinite, values.values()))


def exploded(losses: Sequence[float], vocabulary: int) -> bool:
    """Whether learning did harm: a step's loss is twice that of a blind guess (ln vocabulary) and of the beginning, or
    ten steps are on average worse by a nat than the first three."""
    if losses[-1] > 2 * max(losses[0], math.log(vocabulary)):
        return True
    return len(losses) >= 20 and sum(losses[-10:]) / 10 > sum(losses[:3]) / 3 + 1
