"""Fine-tuning at full size: 200 short examples in Spanish, 3 epochs, one thread, beside an engine that answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.harness import ROOT, Figure, free_port, median, process
from benchmarks.sentiment import HELD_OUT, TRAIN
from playground.engine.training.plan import Plan, first_layer
from playground.engine.training.shape import Shape, read
from playground.engine.weights import find
from tests.fakes.plain_llama import PlainLlama

ASK_SECONDS = 5
END = 2
"""<|im_end|>, which the default model's answers end with."""


@dataclass
class Done:
    """What the worker said, how long it took, how much memory it had at its highest."""

    lines: list[dict[str, Any]]
    seconds: float
    megabytes: float
    answers: list[float] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]


def measure() -> list[Figure]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory() as folder,
        process(["-m", "playground.engine", "--port", str(port)], f"{url}/health"),
        httpx.Client(base_url=url, timeout=120, trust_env=False) as engine,
    ):
        job = Path(folder)
        _write(job, lambda text: engine.post("/tokenize", json={"content": text}).json()["tokens"])
        idle = median([_answer(engine) for _ in range(7)])
        done = _train(job, engine)
        return [*_learnt(done), *_beside(done, idle), _of_bare_products(done, job), _serving(job), _served(job, done)]


def _write(job: Path, tokenize: Callable[[str], list[int]]) -> None:
    for name, pairs in (("train", TRAIN), ("valid", HELD_OUT)):
        with (job / f"{name}.jsonl").open("w") as file:
            for prompt, completion in pairs:
                before, after = tokenize(prompt), [*tokenize(completion), END]
                weights = [0] * len(before) + [1] * len(after)
                file.write(json.dumps({"tokens": before + after, "weights": weights}) + "\n")
    base = find(None).path
    plan = Plan(base=base, n_epochs=3, batch_size=8, seed=42, context=512, first_layer=first_layer(read(base).layers))
    plan.write(job)


def _answer(engine: httpx.Client) -> float:
    """Seconds for 64 tokens."""
    body = {"model": "smollm2-135m-instruct", "prompt": "Once upon a time", "max_tokens": 64, "temperature": 1}
    begun = time.perf_counter()
    used = engine.post("/v1/completions", json=body).json()["usage"]["completion_tokens"]
    return (time.perf_counter() - begun) * 64 / used


def _train(job: Path, engine: httpx.Client) -> Done:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "playground.engine.training", str(job)]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with _asking(engine) as answers:
        lines = [json.loads(line) for line in worker.stdout or ()]
        _, _, used = os.wait4(worker.pid, 0)
    worker.returncode = 0
    return Done(lines, time.perf_counter() - begun, used.ru_maxrss / 1024, answers)


@contextmanager
def _asking(engine: httpx.Client) -> Iterator[list[float]]:
    """Seconds of answers that are asked for now and then meanwhile."""
    answers: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(ASK_SECONDS):
            answers.append(_answer(engine))

    thread = threading.Thread(target=ask)
    thread.start()
    yield answers
    over.set()
    thread.join()


def _learnt(done: Done) -> list[Figure]:
    exact = done.of("checkpoint")[-1]["metrics"]["valid_exact_match"]
    epochs = ", ".join(f"{line['metrics']['valid_exact_match']:.2f}" for line in done.of("checkpoint"))
    before = done.of("base")[0]["valid_exact_match"]
    return [
        Figure("training, 200 × 3: held-out exact match before", before, 0.1, False),
        Figure("training, 200 × 3: held-out exact match after", exact, 0.8, True, detail=f"epochs: {epochs}"),
    ]


def _beside(done: Done, idle: float) -> list[Figure]:
    slower = median(done.answers) / idle
    return [
        Figure("training, 200 × 3: seconds beside a serving engine", done.seconds, 240, False, "s"),
        Figure("training, 200 × 3: memory at its highest", done.megabytes, 1_500, False, "MB"),
        Figure("64 tokens of the engine meanwhile against idle", slower, 1.5, False, "×", f"idle {idle:.2f} s"),
    ]


def _of_bare_products(done: Done, job: Path) -> Figure:
    """The share of a step that its matrix products would take alone: what NumPy leaves to be gained."""
    steps = done.of("step")
    tokens = steps[-1]["trained_tokens"] / len(steps)
    speed = median([line["tokens_per_second"] for line in steps])
    shape = read(find(None).path)
    seconds = _products(shape, round(tokens), Plan.read(job).first_layer)
    best = tokens / seconds
    detail = f"median {speed:.0f} tokens/s in training, products alone {best:.0f}"
    return Figure("trainer's tokens/s against its matrix products alone", speed / best, 0.4, True, "×", detail)


def _products(shape: Shape, rows: int, first: int) -> float:
    """Seconds of one forward through all layers and one backward through those that learn, on one thread."""
    code = f"""
import time, numpy as np
def product(a, b): begun = time.perf_counter(); a @ b; return time.perf_counter() - begun
sizes = {[shape.matrix(module) for module in _modules()]}
total = 0.0
for rows, columns in sizes:
    w = np.random.rand(rows, columns).astype(np.float32)
    x, y = (np.random.rand({rows}, n).astype(np.float32) for n in (columns, rows))
    forward = min(product(x, w.T) for _ in range(7))
    backward = min(product(y, w) for _ in range(7))
    total += {shape.layers} * forward + {shape.layers - first} * backward
print(total)
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return float(
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    )


def _modules() -> tuple[Any, ...]:
    from playground.engine.training.plan import MODULES

    return MODULES


def _adapter(job: Path) -> Path:
    return max((job / "checkpoints").glob("step-*"), key=lambda path: path.stat().st_mtime) / "adapter.gguf"


def _serving(job: Path) -> Figure:
    """Writing with the adapter and without, in turn, by one llama.cpp."""
    llama = PlainLlama(find(None).path, [_adapter(job)])
    taken: dict[int | None, list[float]] = {None: [], 0: []}
    for _ in range(9):
        for adapter, times in taken.items():
            begun = time.perf_counter()
            written = len(llama.write([504, 3575, 282], 64, adapter, on=True))
            times.append((time.perf_counter() - begun) / written)
    llama.close()
    return Figure("tokens/s with the adapter against the base", min(taken[None]) / min(taken[0]), 0.8, True, "×")


def _served(job: Path, done: Done) -> Figure:
    """Exact match of what llama.cpp writes, against the trainer's own evaluation."""
    llama = PlainLlama(find(None).path, [_adapter(job)])
    right = []
    for line in (job / "valid.jsonl").read_text().splitlines():
        example = json.loads(line)
        learnt = example["weights"].index(1)
        prompt, completion = example["tokens"][:learnt], example["tokens"][learnt:]
        # Without the end token, after which llama.cpp stops and which it does not give out.
        right.append(llama.write(prompt, len(completion), 0)[: len(completion) - 1] == completion[:-1])
    llama.close()
    apart = abs(float(np.mean(right)) - done.of("checkpoint")[-1]["metrics"]["valid_exact_match"]) * 100
    detail = f"served {np.mean(right):.2f}"
    return Figure("held-out exact match served against the trainer's own, points", apart, 2, False, detail=detail)
