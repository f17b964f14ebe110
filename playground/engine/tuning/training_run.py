"""One job's way from its files to its model: what is written down of it at each turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from playground.engine.errors import ApiError
from playground.engine.generation import Generator
from playground.engine.serving import Serving
from playground.engine.shelf import Model
from playground.engine.training import shape
from playground.engine.training.plan import Plan
from playground.engine.tuning import examples, lines, plans, remains
from playground.engine.tuning.asked import Asked
from playground.engine.tuning.events import Level
from playground.engine.tuning.examples import Written
from playground.engine.tuning.files import Files
from playground.engine.tuning.jobs import Jobs, Record
from playground.engine.tuning.lines import Param

EVENTS = 5_000
"""Steps that become an event, about; of a job with more, every so manieth does."""
MEASURED = (
    "train_loss",
    "train_accuracy",
    "train_mean_token_accuracy",
    "valid_loss",
    "valid_mean_token_accuracy",
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
    "tokens_per_second",
    "memory_bytes",
    "trained_tokens",
)
TOLD = ("step", "train_loss", "train_accuracy", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy")


class TrainingRun:
    """A job, as its files are read and as its worker tells of it. Nothing here waits for the worker."""

    def __init__(self, record: Record, jobs: Jobs, files: Files) -> None:
        self.record = record
        self.done = False
        self.rested = False
        self.stepped = False
        self.failure: dict[str, Any] | None = None
        self._jobs, self._files = jobs, files
        self._folder = jobs.folder(record)
        self._total = 0
        self._trained: int | None = None
        self._valid_examples: int | None = None
        self._step = self._began_at = 0
        self._began = time.monotonic()

    # --- its files ---

    @property
    def prepared(self) -> bool:
        return (self._folder / "plan.json").exists()

    async def prepare(self, serving: Serving) -> None:
        """Files → tokens and a plan, by the tokenizer and the chat template of the job's base. Raises ApiError for a
        file that is not fit; returns early when the job's status is changed meanwhile."""
        name = self.record.job["model"]
        if serving.shelf.bytes(name) != self.record.base_bytes:
            raise ApiError(400, f"The engine no longer serves {name!r}.", param="model", code="bad_base")
        async with serving.use(name) as generator:
            await self.prepare_with(generator, (await serving.wanted(name)).model)

    async def prepare_with(self, generator: Generator, base: Model) -> None:
        """As `prepare`, once the base is loaded."""
        record = self.record
        speech = await examples.Speech.of(generator.llama)
        training = await self._tokens(speech, "training_file", generator.llama.context)
        if record.status != "validating_files":
            # It was read in part only. Looked at before anything is waited for: it may be resumed meanwhile.
            return
        if record.job["validation_file"] is not None:
            valid = await self._tokens(speech, "validation_file", generator.llama.context)
            lines.agree(training[0], valid[0])
        if record.status != "validating_files":
            return
        summary, written = training
        plan = plans.make(
            Asked(**record.asked),
            base=base.path,
            layers=generator.llama.header.block_count,
            context=generator.llama.context,
            examples=written.examples,
            seed=record.job["seed"],
            lines=summary.examples,
        )
        record.longest = written.longest
        plan.write(self._folder)
        self._say_plan(plan)

    async def _tokens(self, speech: examples.Speech, param: Param, context: int) -> tuple[lines.Summary, Written]:
        name = self.record.job[param]
        path = self._files.path(name)
        kept = self._folder / ("train.jsonl" if param == "training_file" else "valid.jsonl")
        try:
            summary = await asyncio.to_thread(lines.check, path, param)
            wanted = takewhile(lambda _: self.record.status == "validating_files", lines.read(path, param))
            return summary, await examples.write(speech, wanted, kept, context=context, param=param)
        except FileNotFoundError:
            said = f"The file {name} was deleted before it was read. Upload it again, and create the job again."
            raise ApiError(400, said, param=param, code=f"invalid_{param}") from None

    def check_machine(self) -> None:
        """Raises ApiError where memory or disk do not suffice; where only large batches do not fit, they are cut."""
        plan = Plan.read(self._folder)
        model = shape.read(plan.base, plan.trainer)
        plans.check_disk(plan, model, self._folder)
        fitted = plans.fitted(plan, model, longest=self.record.longest)
        if fitted != plan:
            fitted.write(self._folder)

    def _say_plan(self, plan: Plan) -> None:
        """What "auto" has become, where OpenAI says it."""
        multiplier = self.record.asked.get("learning_rate_multiplier") or 1.0
        numbers = {
            "n_epochs": plan.n_epochs,
            "batch_size": plan.batch_size,
            "learning_rate_multiplier": multiplier,
        }
        said = {**self.record.job["hyperparameters"], **numbers}
        self.record.job["hyperparameters"] = said
        self.record.job["method"] = {"type": "supervised", "supervised": {"hyperparameters": said}}

    # --- its training ---

    @property
    def threads(self) -> int:
        return Plan.read(self._folder).threads

    def begin(self) -> None:
        self.done, self.rested, self.stepped, self.failure = False, False, False, None
        self._step = self._jobs.newest_step(self.record) or 0
        again = f", from step {self._step}" if self._step else ""
        known = self.record.status == "running" or self._step > 0
        self.status("running")
        self.say(f"Fine-tuning job {'goes on' if known else 'started'}{again}")

    def hear(self, said: dict[str, Any]) -> None:
        """A line of the worker's (playground.engine.training.__main__ has them all)."""
        match said["type"]:
            case "started":
                self._total, self._step = said["total_steps"], said.get("resumed_at", 0)
                self._began, self._began_at = time.monotonic(), self._step
            case "base":
                self._hear_base(said)
            case "step":
                self._hear_step(said)
            case "checkpoint":
                self._keep(said["step"], said.get("metrics") or {})
            case "early_stopped":
                self.say(f"Stopped early at step {said['step']}: the validation loss no longer falls")
            case "paused":
                self.rested = True
            case "done":
                self.done = True
                self._step, self._trained = said["step"], said.get("trained_tokens")
            case "failed":
                self.failure = {name: said.get(name) for name in ("code", "message", "param")}

    def _hear_base(self, said: dict[str, Any]) -> None:
        """The base's own score, to be told from the tuned model's: each name begins with `base_`."""
        # What it took is no measure of how long a step takes.
        self._began = time.monotonic()
        data = {f"base_{name}": value for name, value in said.items() if name != "type" and value is not None}
        if "base_valid_loss" in data:
            words = f"The base model, before training: full validation loss={data['base_valid_loss']:.2f}"
            about = {"step": 0, "total_steps": self._total, "valid_examples": self._validated()}
            self.say(words + self._exact(said), data={**about, **data})

    def _hear_step(self, said: dict[str, Any]) -> None:
        step, total = said["step"], said["total_steps"]
        self.stepped = True
        self._step, self._total, self._trained = step, total, said.get("trained_tokens")
        pace = (time.monotonic() - self._began) / max(1, step - self._began_at)
        self.record.job["estimated_finish"] = int(time.time() + pace * (total - step)) + 1
        validated = said.get("valid_loss") is not None
        if step % max(1, total // EVENTS) and not validated and step != total:
            return
        data = {name: said[name] for name in MEASURED if said.get(name) is not None}
        data.setdefault("train_mean_token_accuracy", data.pop("train_accuracy", None))
        words = f"Step {step}/{total}: training loss={said['train_loss']:.2f}"
        words += f", validation loss={said['valid_loss']:.2f}" if validated else ""
        self.say(words, data={"step": step, **{k: v for k, v in data.items() if v is not None}, "total_steps": total})

    def _keep(self, step: int, metrics: dict[str, Any]) -> None:
        """A checkpoint that the worker has written."""
        record, name = self.record, f"{self.record.model}:ckpt-step-{step}"
        checkpoint = {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftckpt-{record.id.removeprefix('ftjob-')}-{step}",
            "created_at": int(time.time()),
            "fine_tuned_model_checkpoint": name,
            "fine_tuning_job_id": record.id,
            "metrics": {"step": step, **{key: value for key, value in metrics.items() if value is not None}},
            "step_number": step,
        }
        others = [each for each in record.checkpoints if each["step_number"] < step]
        record.checkpoints = [*others, checkpoint]
        self._jobs.save(record)
        # What the step's own event has told is not told again.
        new = {key: value for key, value in metrics.items() if value is not None and key not in TOLD}
        data = {"step": step, "total_steps": self._total, **new} if new and self._total else None
        self.say(f"Checkpoint created at step {step} with Snapshot ID: {name}{self._exact(metrics)}", data=data)

    def _exact(self, said: Mapping[str, Any]) -> str:
        """How many of the validation file's answers were given word for word, as the end of a message."""
        share, of = said.get("valid_exact_match"), self._validated()
        return "" if share is None or not of else f", exact match={round(share * of)} of {of}"

    def _validated(self) -> int:
        """Examples that are validated on; a chat may make several."""
        if self._valid_examples is None:
            try:
                with (self._folder / "valid.jsonl").open("rb") as file:
                    self._valid_examples = sum(1 for line in file if line.strip())
            except OSError:
                self._valid_examples = 0
        return self._valid_examples

    # --- its end ---

    def settle(self) -> None:
        """After a life of the worker: what it wrote and could not tell of any more."""
        step = self._jobs.newest_step(self.record)
        if step is not None and all(each["step_number"] < step for each in self.record.checkpoints):
            self._keep(step, {})

    def succeed(self) -> None:
        record = self.record
        record.step = self._jobs.newest_step(record) if self._missing(self._step) else self._step
        if record.step is None:
            self.fail("worker_failed", "The training ended without a model. Create the job again.")
            return
        record.job["trained_tokens"] = self._trained
        record.job["fine_tuned_model"] = record.model
        self.say("New fine-tuned model created")
        self._end("succeeded", "The job has successfully completed")

    def fail(self, code: str, message: str, param: str | None = None) -> None:
        self.record.job["error"] = {"code": code, "message": message, "param": param}
        self._end("failed", f"The job failed: {message}", level="error")

    def cancel(self) -> None:
        self._end("cancelled", "The job was cancelled")

    def _end(self, status: str, message: str, level: Level = "info") -> None:
        record = self.record
        record.job["finished_at"] = int(time.time())
        if status != "succeeded":
            # One that was paused is cancelled without another life: what the last one said is true.
            told = self._jobs.events(record).last("trained_tokens")
            record.job["trained_tokens"] = told if self._trained is None else self._trained
        remains.keep_results(record, self._folder, self._files)
        self.say(message, level=level)
        self.status(status)
        # Only now is going on over.
        remains.let_go(self._folder)

    def _missing(self, step: int) -> bool:
        return not self._jobs.adapter(self.record, step).exists()

    # --- what is written down ---

    def status(self, status: str) -> None:
        self.record.job["status"] = status
        if status != "running":
            self.record.job["estimated_finish"] = None
        self._jobs.save(self.record)

    def say(self, message: str, *, level: Level = "info", data: dict[str, Any] | None = None) -> None:
        self._jobs.events(self.record).add(message, level=level, data=data)
