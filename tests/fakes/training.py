"""Files and fine-tuning jobs as OpenAI has them, for the fake server.

    server.training.jobs["ftjob-1"]              a job as its JSON
    server.training.run("gpt-4.1-nano")          a new job, run to its end
    server.training.advance("ftjob-1")           one stage further; asking for a job (GET) does the same, unless held
    server.training.hold = True                  nothing moves by being asked for
    server.training.pausable = False             a server that has no pause and no resume
    server.training.tells_pace = True            steps tell speed and memory; the base's score comes before the first

A job goes validating_files → queued → running, one step each time, → succeeded, with events, metrics, a checkpoint an
epoch and a results.csv. A base named `broken` fails when it runs; one named `fault-403_training` is refused.
"""

from __future__ import annotations

import base64
import re
from typing import Any, NamedTuple

from tests.fakes.faults import refuse
from tests.fakes.payloads import encode

BEGAN = 1_780_000_000
STEP_SECONDS = 10
FILES, JOBS = "/v1/files", "/v1/fine_tuning/jobs"
ENDED = ("succeeded", "failed", "cancelled")
TOKENS_A_STEP = 120


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str] | None = None
    kind: str = "application/json"


class Training:
    """`page_size` caps every page, so that few objects are several pages. `as_base64`: how results are handed out.
    `methods`: what is not among them is refused.
    """

    def __init__(self, *, steps_an_epoch: int = 2, page_size: int = 100) -> None:
        self.steps_an_epoch = steps_an_epoch
        self.page_size = page_size
        self.hold = False
        self.as_base64 = False
        self.methods = ["supervised", "dpo"]
        self.pausable = True
        self.tells_pace = False
        self.jobs: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.checkpoints: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._steps: dict[str, int] = {}
        self._rows: dict[str, list[str]] = {}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer | None:
        """The answer to a request for files or jobs; None where it is for something else."""
        if not path.startswith((FILES, JOBS)):
            return None
        match method, path.removeprefix("/v1").strip("/").split("/"):
            case "POST", ["files"]:
                return self._upload(body)
            case "GET", ["files", name] if name in self.files:
                return _said(self.files[name][0])
            case "GET", ["files", name, "content"] if name in self.files:
                return self._content(self.files[name][1])
            case "POST", ["fine_tuning", "jobs"]:
                return self._create(body)
            case "GET", ["fine_tuning", "jobs"]:
                return self._page(list(self.jobs.values()), query, 20)
            case _, ["fine_tuning", "jobs", name, *rest] if name in self.jobs:
                return self._of_job(method, name, rest, query)
        no = refuse(404, f"Could not find {path.rsplit('/', 1)[-1]}", param="fine_tune_id", code="fine_tune_not_found")
        return Answer(no.status, no.body)

    def _of_job(self, method: str, name: str, rest: list[str], query: dict[str, str]) -> Answer:
        match method, rest:
            case "GET", []:
                said = _said(self.jobs[name])
                if not self.hold:
                    self.advance(name)
                return said
            case "GET", ["events"]:
                return self._page(self.events[name], query, 20)
            case "GET", ["checkpoints"]:
                return self._page(self.checkpoints[name], query, 10)
            case "POST", ["cancel"]:
                return self._cancel(name)
            case "POST", ["pause" | "resume"] if not self.pausable:
                return Answer(404, b'{"detail":"Not Found"}')
            case "POST", ["pause"]:
                return self._rest(name, of=("queued", "running"), to="paused", message="The job was paused")
            case "POST", ["resume"]:
                return self._rest(name, of=("paused",), to="running", message="The job was resumed")
        return _refused("Unknown request URL.", None)

    def run(self, base: str = "gpt-4.1-nano") -> str:
        """The id of a new job that has run to its end."""
        name = self.begin(base)
        while self.jobs[name]["status"] not in ENDED:
            self.advance(name)
        return name

    def begin(self, base: str) -> str:
        """The id of a new job with a training and a validation file."""
        file = self._keep("train.jsonl", b"{}\n", "fine-tune")["id"]
        self._create({"model": base, "training_file": file, "validation_file": file})
        return next(reversed(self.jobs))

    # --- what a client does ---

    def _upload(self, body: Any) -> Answer:
        boundary = (body or b"").partition(b"\r\n")[0]
        parts = [part.partition(b"\r\n\r\n") for part in (b"\r\n" + (body or b"")).split(b"\r\n" + boundary)]
        purpose = next((content for head, _, content in parts if b'name="purpose"' in head), b"")
        named = ((re.search(rb'name="file"; filename="(.*?)"', head), content) for head, _, content in parts)
        name, content = next(((found[1], content) for found, content in named if found), (b"", b""))
        if purpose not in (b"fine-tune", b"batch") or not name:
            return _refused("'purpose' or 'file' is missing.", "purpose")
        return _said(self._keep(name.decode(), content, purpose.decode()))

    def _keep(self, name: str, content: bytes, purpose: str) -> dict[str, Any]:
        about = {
            "id": f"file-{len(self.files) + 1}",
            "object": "file",
            "bytes": len(content),
            "created_at": BEGAN,
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        self.files[about["id"]] = (about, content)
        return about

    def _content(self, content: bytes) -> Answer:
        content = base64.b64encode(content) if self.as_base64 else content
        return Answer(200, content, None, "application/octet-stream")

    def _create(self, body: dict[str, Any]) -> Answer:
        for name in ("training_file", "validation_file"):
            if (body.get(name) or name) not in self.files and (name in body or name == "training_file"):
                return _refused(f"Invalid {name}: {body.get(name)}", name)
        method = (body.get("method") or {}).get("type", "supervised")
        if method not in self.methods:
            return _refused(f"Method {method} is not supported for model {body['model']}.", "method")
        asked = ((body.get("method") or {}).get(method) or {}).get("hyperparameters") or {}
        known = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 2.0, **asked}
        name = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[name] = {
            "object": "fine_tuning.job",
            "id": name,
            "model": body["model"],
            "created_at": BEGAN,
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "org-fake",
            "result_files": [],
            "status": "validating_files",
            "validation_file": body.get("validation_file"),
            "training_file": body["training_file"],
            "hyperparameters": {name: value for name, value in known.items() if name != "beta"},
            "trained_tokens": None,
            "error": None,
            "seed": body.get("seed", 42),
            "estimated_finish": None,
            "integrations": [],
            "metadata": None,
            "user_provided_suffix": body.get("suffix"),
            "method": {"type": method, method: {"hyperparameters": known}},
        }
        self.events[name], self.checkpoints[name], self._steps[name], self._rows[name] = [], [], 0, []
        self._happened(name, f"Created fine-tuning job: {name}")
        self._happened(name, f"Validating training file: {body['training_file']}")
        return _said(self.jobs[name])

    def _cancel(self, name: str) -> Answer:
        job = self.jobs[name]
        if job["status"] in ENDED:
            return _refused(f"Job has already {job['status']}.", None)
        self._end(name, "cancelled")
        self._happened(name, "The job was cancelled")
        return _said(job)

    def _rest(self, name: str, *, of: tuple[str, ...], to: str, message: str) -> Answer:
        job = self.jobs[name]
        if job["status"] not in of:
            return _refused(f"Job is {job['status']}.", None)
        job["status"] = to
        self._happened(name, message)
        return _said(job)

    # --- what a server does ---

    def total_steps(self, name: str) -> int:
        epochs: int = self.jobs[name]["hyperparameters"]["n_epochs"]
        return epochs * self.steps_an_epoch

    def advance(self, name: str) -> None:
        """One stage, or one step, further."""
        job, total = self.jobs[name], self.total_steps(name)
        match job["status"]:
            case "validating_files":
                job["status"] = "queued"
                self._happened(name, "Files validated, moving job to queued state")
            case "queued":
                job["status"] = "running"
                self._happened(name, "Fine-tuning job started")
                if self.tells_pace:
                    data = {"base_valid_loss": 2.5, "base_valid_mean_token_accuracy": 0.25, "base_valid_exact_match": 0}
                    self._happened(name, "Scored the base on the validation file", data=data)
            case "running" if job["model"] == "broken":
                self._end(name, "failed")
                job["error"] = {"code": "bad_example", "message": "Line 3 has no answer.", "param": "training_file"}
                self._happened(name, "The job failed: Line 3 has no answer.", level="error")
            case "running" if self._steps[name] < total:
                self._step(name, total)
            case "running":
                self._succeed(name, total)

    def _step(self, name: str, total: int) -> None:
        self._steps[name] += 1
        step = self._steps[name]
        loss, accuracy = round(2.0 / (step + 1), 4), round(step / (step + 1), 4)
        data: dict[str, Any] = {"step": step, "train_loss": loss, "total_steps": total}
        data["train_mean_token_accuracy"] = accuracy
        validated = bool(self.jobs[name]["validation_file"]) and step % self.steps_an_epoch == 0
        if validated:
            data |= {"valid_loss": loss + 0.1, "valid_mean_token_accuracy": accuracy}
        if self.tells_pace:
            data |= {"tokens_per_second": 45.2, "memory_bytes": 900_000_000, "trained_tokens": step * TOKENS_A_STEP}
        self._rows[name].append(f"{step},{loss},{accuracy}," + (f"{loss + 0.1},{accuracy}" if validated else ","))
        self._happened(name, f"Step {step}/{total}: training loss={loss:.2f}", data=data)
        self.jobs[name]["estimated_finish"] = BEGAN + STEP_SECONDS * (total + 10)
        if step % self.steps_an_epoch == 0:
            self._checkpoint(name, step, {key: value for key, value in data.items() if key != "total_steps"})

    def _checkpoint(self, name: str, step: int, metrics: dict[str, Any]) -> None:
        self.checkpoints[name].append(
            {
                "object": "fine_tuning.job.checkpoint",
                "id": f"ftckpt-{name}-{step}",
                "created_at": BEGAN + STEP_SECONDS * step,
                "fine_tuned_model_checkpoint": f"{self._model(name)}:ckpt-step-{step}",
                "fine_tuning_job_id": name,
                "metrics": metrics,
                "step_number": step,
            }
        )

    def _succeed(self, name: str, total: int) -> None:
        header = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
        results = "\n".join([header, *self._rows[name], ""]).encode()
        job = self.jobs[name]
        self._end(name, "succeeded")
        job["fine_tuned_model"], job["trained_tokens"] = self._model(name), total * TOKENS_A_STEP
        job["result_files"] = [self._keep("step_metrics.csv", results, "fine-tune-results")["id"]]
        self._happened(name, f"New fine-tuned model created: {self._model(name)}")
        data = {"valid_exact_match": 0.86} if self.tells_pace else None
        self._happened(name, "The job has successfully completed", data=data)

    def _model(self, name: str) -> str:
        return f"ft:{self.jobs[name]['model']}:acme:{self.jobs[name]['user_provided_suffix'] or ''}:{name[6:]}"

    def _end(self, name: str, status: str) -> None:
        self.jobs[name] |= {"status": status, "finished_at": BEGAN + 3600, "estimated_finish": None}

    def _happened(self, name: str, message: str, *, level: str = "info", data: dict[str, Any] | None = None) -> None:
        events = self.events[name]
        at = BEGAN + STEP_SECONDS * len(events)
        kind = "metrics" if data else "message"
        about = {"object": "fine_tuning.job.event", "id": f"ftevent-{name}-{len(events) + 1}", "created_at": at}
        events.append({**about, "level": level, "message": message, "type": kind, "data": data or {}})

    def _page(self, items: list[dict[str, Any]], query: dict[str, str], default: int) -> Answer:
        """Newest first, after the id of the query: into the past."""
        newest = items[::-1]
        ids = [item["id"] for item in newest]
        if "after" in query and query["after"] not in ids:
            return _refused(f"No such object: {query['after']}", "after")
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        end = start + min(int(query.get("limit", default)), self.page_size)
        page = newest[start:end]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return _said({"object": "list", "data": page, "has_more": end < len(newest), **ends})


def _said(value: dict[str, Any]) -> Answer:
    return Answer(200, encode(value))


def _refused(message: str, param: str | None) -> Answer:
    no = refuse(400, message, param=param)
    return Answer(no.status, no.body)
