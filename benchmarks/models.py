"""Several models in one engine: speed against llama.cpp's own server, loading, switching, and what memory they take."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from gguf import GGMLQuantizationType as Kinds

from benchmarks import synthetic
from benchmarks.harness import Figure, free_port, median, process
from playground.engine.weights import DEFAULT_ID, find

TOKENS = 96
ROUNDS = 7
HALF, SECOND = "half", "second"
PROMPT = "Once upon a time"
ENDLESS = {"0": -100, "2": -100}


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models"
        folder.mkdir()
        base = find(None).path
        synthetic.write(folder / f"{HALF}.gguf", synthetic.QWEN_HALF, tokenizer_of=base)
        synthetic.write(folder / f"{SECOND}.gguf", synthetic.QWEN_HALF, tokenizer_of=base, kind=Kinds.Q4_1)
        os.sync()  # a warm disk: the files are in memory, and nothing of them is still to be written
        with _engine(folder, name) as (http, pid):
            tried, memory = _first_loads(http, pid)
        with _engine(folder, name) as (http, pid):
            return [_load(http, tried), *memory, *_switching(http), _speed(http, base)]


@contextmanager
def _engine(folder: Path, data: str) -> Iterator[tuple[httpx.Client, int]]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    arguments = ["-m", "playground.engine", "--port", str(port), "--models", str(folder), "--data", data]
    with process(arguments, f"{url}/health") as (pid, _), httpx.Client(base_url=url, timeout=600) as http:
        yield http, pid


def _ask(http: httpx.Client, model: str, tokens: int = TOKENS) -> float:
    """Seconds of an answer."""
    started = time.perf_counter()
    body = {"model": model, "prompt": PROMPT, "max_tokens": tokens, "temperature": 0, "logit_bias": ENDLESS}
    http.post("/v1/completions", json=body).raise_for_status()
    return time.perf_counter() - started


def _first_loads(http: httpx.Client, pid: int) -> tuple[float, list[Figure]]:
    """Seconds of the slower first load, which tries a file in a process of its own before, and the memory's figures.
    They are measured with Q4_1: of Q4_0, llama.cpp makes a copy in another order, and the file's own pages stay only
    for as long as nobody wants them."""
    first = _ask(http, HALF, 1)
    before = _resident(pid)
    second = _ask(http, SECOND, 1)
    took = _resident(pid) - before
    told = http.get(f"/v1/models/{SECOND}").raise_for_status().json()["meta"]["memory"]
    detail = f"{took >> 20} MB of {told >> 20}"
    return max(first, second), [
        Figure("memory that it takes, of what was told", took / told, 1.05, False, "x", detail),
        Figure("memory that was told, of what it takes", told / took, 1.3, False, "x"),
    ]


def _load(http: httpx.Client, tried: float) -> Figure:
    """The slower of two files that were tried by an engine before."""
    loaded = max(_ask(http, HALF, 1), _ask(http, SECOND, 1))
    detail = f"{tried:.2f} s the very first time, when the file is tried before"
    return Figure("a 0.5B Q4 model loaded from a warm disk, to its first token", loaded, 5, False, "s", detail)


def _switching(http: httpx.Client) -> list[Figure]:
    """An answer right after another model's, against one after its own."""
    same, other = [], []
    for _ in range(ROUNDS):
        _ask(http, DEFAULT_ID, 1)
        same.append(_ask(http, DEFAULT_ID, 1))
        _ask(http, HALF, 1)
        other.append(_ask(http, DEFAULT_ID, 1))
    detail = f"{1000 * (median(other) - median(same)):.0f} ms more"
    return [Figure("one token after another model's answer", median(other), 0.3, False, "s", detail)]


def _speed(http: httpx.Client, path: Path) -> Figure:
    """The same prompt, tokens and threads, streamed, in turn."""
    ours, theirs = [], []
    with _llama(path) as plain:
        for turn in range(ROUNDS + 1):
            pair = (_streamed(http), _streamed(plain))
            if turn:
                ours.append(pair[0])
                theirs.append(pair[1])
    detail = f"{TOKENS / median(ours):.0f} against {TOKENS / median(theirs):.0f} tokens/s"
    # Each pair is measured side by side: what else the machine does weighs on both.
    ratio = median([b / a for a, b in zip(ours, theirs, strict=True)])
    return Figure("tokens/s against llama.cpp's own server", ratio, 0.95, True, "x", detail)


@contextmanager
def _llama(path: Path) -> Iterator[httpx.Client]:
    """llama.cpp's server alone, in a process of its own, with as many threads and as long a context."""
    port = free_port()
    with (
        process(["-m", "benchmarks.models", str(path), str(port)], f"http://127.0.0.1:{port}/health"),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as http,
    ):
        yield http


def _streamed(http: httpx.Client) -> float:
    """Seconds of an answer of which every token is sent as it comes, as the page has it."""
    started, chunks = time.perf_counter(), 0
    body: dict[str, Any] = {"prompt": PROMPT, "max_tokens": TOKENS, "temperature": 0, "logit_bias": ENDLESS}
    with http.stream("POST", "/v1/completions", json={**body, "model": DEFAULT_ID, "stream": True}) as said:
        for line in said.raise_for_status().iter_lines():
            chunks += line.startswith("data: {")
    if chunks < TOKENS / 2:
        raise RuntimeError("The answer was not streamed.")
    return time.perf_counter() - started


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _serve(path: str, port: int) -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    from playground.engine.llama import CONTEXT, physical_cores

    params = xllamacpp.CommonParams()
    params.model.path, params.hostnames, params.port = path, ["127.0.0.1"], port
    params.n_ctx, params.ui, params.verbosity = CONTEXT, False, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = physical_cores()
    server = xllamacpp.Server(params)
    while server:
        time.sleep(60)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
