"""The engine with fine-tunes: what one costs in speed, whether several keep apart, and answers while a job trains."""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness import Figure, free_port, median, process
from playground.engine.weights import DEFAULT_ID, find
from tests.fakes import adapters

TUNES = 3
LONG, SHORT = 64, 24
ROUNDS = 9
PROMPTS = ("Once upon a time", "The", "In 1492", "My dog")
#: No end before the last token is asked for.
ENDLESS = {"0": -100, "2": -100}


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        data, base = Path(folder) / "engine", find(None).path
        tunes = [adapters.plant(data, base, DEFAULT_ID, seed=seed) for seed in range(TUNES)]
        url = f"http://127.0.0.1:{(port := free_port())}"
        arguments = ["-m", "playground.engine", "--port", str(port), "--data", str(data)]
        with process(arguments, f"{url}/health"), httpx.Client(base_url=url, timeout=300, trust_env=False) as http:
            return [_speed(http, tunes), _apart(http, tunes), _while_training(http)]


def _ask(http: httpx.Client, model: str, prompt: str, tokens: int) -> tuple[str, float]:
    """The answer, and the seconds that it took."""
    body = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "logit_bias": ENDLESS}
    started = time.perf_counter()
    said = http.post("/v1/completions", json=body).raise_for_status().json()
    return said["choices"][0]["text"], time.perf_counter() - started


def _speed(http: httpx.Client, tunes: list[str]) -> Figure:
    """Another model with each request, in turn with the base."""
    for model in (DEFAULT_ID, *tunes):
        _ask(http, model, PROMPTS[0], LONG)
    base, tuned = [], []
    for turn in range(ROUNDS):
        base.append(_ask(http, DEFAULT_ID, PROMPTS[0], LONG)[1])
        tuned.append(_ask(http, tunes[turn % TUNES], PROMPTS[0], LONG)[1])
    detail = f"{LONG / median(tuned):.0f} against {LONG / median(base):.0f} tokens/s"
    name = "another fine-tune with each request, speed against the base"
    return Figure(name, median(base) / median(tuned), 0.8, True, "x", detail)


def _apart(http: httpx.Client, tunes: list[str]) -> Figure:
    """Answers that are, asked four models at once, what they are alone. What was read once stays cached and is then
    read in parts of another size, so all is asked once before."""
    models = (DEFAULT_ID, *tunes)
    asked = [[(model, prompt) for model in models] for prompt in PROMPTS]
    alone = {}
    for _ in range(2):
        alone = {one: _ask(http, *one, SHORT)[0] for four in asked for one in four}
    same = 0
    for four in asked:
        with ThreadPoolExecutor(len(models)) as pool:
            together = pool.map(lambda one: _ask(http, *one, SHORT)[0], four)
            same += sum(answer == alone[one] for one, answer in zip(four, together, strict=True))
    detail = f"{same} of {len(alone)}"
    return Figure("four models asked at once answer as alone", same / len(alone), 1, True, "of all", detail)


def _while_training(http: httpx.Client) -> Figure:
    idle = [_ask(http, DEFAULT_ID, PROMPTS[0], LONG)[1] for _ in range(ROUNDS)]
    name = _job(http, b"".join(_line(number) for number in range(200)))
    path = f"/v1/fine_tuning/jobs/{name}"
    while not any(event["type"] == "metrics" for event in http.get(f"{path}/events").json()["data"]):
        time.sleep(0.2)
    busy = [_ask(http, DEFAULT_ID, PROMPTS[0], LONG)[1] for _ in range(2 * ROUNDS)]
    training = http.get(path).json()["status"] == "running"
    http.post(f"{path}/cancel")
    if not training:
        raise RuntimeError("The job ended before it was measured.")
    detail = f"{median(busy):.2f} s against {median(idle):.2f} s"
    return Figure(
        f"{LONG} tokens while a job trains, against idle", median(busy) / median(idle), 1.5, False, "x", detail
    )


def _line(number: int) -> bytes:
    pair = {"prompt": f"Item {number}: is it odd or even? ->", "completion": " odd\n" if number % 2 else " even\n"}
    return json.dumps(pair).encode() + b"\n"


def _job(http: httpx.Client, content: bytes) -> str:
    said: Any = http.post("/v1/files", data={"purpose": "fine-tune"}, files={"file": ("x.jsonl", content)}).json()
    body = {"model": DEFAULT_ID, "training_file": said["id"], "hyperparameters": {"n_epochs": 10}}
    return str(http.post("/v1/fine_tuning/jobs", json=body).raise_for_status().json()["id"])
