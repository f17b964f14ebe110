"""A results file of 1,000,000 rows: read, smoothed, reduced, and what of it goes to the browser."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.browser import FLAGS, TIMED
from benchmarks.harness import ROOT, Figure, app, fake_server, median, run
from playground.finetune.report import Look, report
from playground.finetune.results_read import read
from playground.finetune.results_reduce import WIDTH, curves, reduce, smooth
from playground.finetune.results_verdict import verdict

ROWS = 1_000_000
ROUNDS = 5
KB = 1_000
VALUES = ("0.5", "0.6", "0.7", "0.8", "0.9")
#: The charts are drawn anew with what was asked for: the one that stood there is gone then.
SLIDE = """performance.clearResourceTimings(); window.begun = performance.now();
  window.old = document.querySelector('#pg-results canvas');
  const slider = document.querySelector('#pg-results input[type=range]');
  slider.value = VALUE; slider.dispatchEvent(new Event('input'));"""
ANSWERED = "performance.getEntriesByType('resource').at(-1).responseEnd - window.begun"
SMOOTHED = "document.querySelector('#pg-results canvas') && document.querySelector('#pg-results canvas') !== window.old"

#: In a process of its own: how much more it holds at its most while it reads the file, over what it held before.
_MEMORY = """
import sys
from pathlib import Path
from playground.finetune.results_read import read
read(b"step,train_loss\\n1,2\\n")
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
read(Path(sys.argv[1]).read_bytes())
print(peak() - before)
"""


def measure() -> list[Figure]:
    data = _file()
    results = read(data)
    loss = results.columns["train_loss"].values
    plain = _seconds(lambda: pd.read_csv(io.BytesIO(data)))
    reading = _seconds(lambda: read(data))
    drawing = _seconds(lambda: reduce(results.steps, smooth(loss, 0.05), WIDTH))
    whole = _seconds(lambda: curves(results, alpha=0.05))
    judging = _seconds(lambda: verdict(results))
    payload = len(json.dumps(curves(results, alpha=0.05)))
    page = len(report([("results.csv", results)], look=Look(alpha=0.05)))
    size = f"{len(data) / 1e6:.0f} MB, five columns"
    return [
        Figure("reading 1,000,000 rows / pandas alone", reading / plain, 2.5, False, "×", f"{reading:.2f} s, {size}"),
        Figure("memory to read them / the file", _memory(data) / len(data), 5, False, "×"),
        Figure("smoothing and reducing a column of them", drawing * 1_000, 150, False, "ms"),
        Figure("all curves / reading", whole / reading, 1, False, "×", f"{whole * 1_000:.0f} ms, smoothed as well"),
        Figure("the verdict / reading", judging / reading, 1, False, "×", f"{judging * 1_000:.0f} ms"),
        Figure("what goes to the browser", payload / KB, 300, False, "KB"),
        Figure("the report as HTML", page / KB, 1_000, False, "KB"),
        *_in_chromium(data),
    ]


def _in_chromium(data: bytes) -> list[Figure]:
    """As a person sees it, all of it: the upload, the reading, the way to the page and the drawing."""
    with fake_server() as server, app(server) as (url, _pid, _seconds), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.csv"
        path.write_bytes(data)
        dropped, answered, drawn = run(lambda: _dropped(url, path))
    return [
        Figure("in Chromium, from the file to the first chart", dropped, 3, False, "s", f"{len(data) / 1e6:.0f} MB"),
        Figure("in Chromium, from the slider to its answer", answered, 150, False, "ms", f"{drawn:.0f} ms until drawn"),
    ]


async def _dropped(url: str, path: Path) -> tuple[float, float, float]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = await browser.new_page()
        await page.goto(url)
        await page.wait_for_selector(".pg-front")
        await page.wait_for_function("document.querySelector('#pg-model input').value !== ''")
        await page.click("#pg-tab-results-button")
        begun = time.perf_counter()
        await page.set_input_files("#pg-results input[type=file]", path)
        await page.wait_for_selector("#pg-results .pg-plot canvas", timeout=60_000)
        first = time.perf_counter() - begun
        answers, drawings = [], []
        for value in VALUES:
            drawings.append(float(await page.evaluate(TIMED, [SLIDE.replace("VALUE", value), SMOOTHED])))
            answers.append(float(await page.evaluate(ANSWERED)))
        await browser.close()
    return first, median(answers), median(drawings)


def _seconds(work: Callable[[], Any]) -> float:
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def _memory(data: bytes) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.csv"
        path.write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
        )
    return int(done.stdout)


def _file() -> bytes:
    """A run that learns, with spikes, and validation in every tenth row."""
    chance = np.random.default_rng(3)
    u = np.linspace(0, 1, ROWS)
    loss = 0.3 + 2 * np.exp(-5 * u) + chance.gamma(1, 0.2, ROWS)
    frame = pd.DataFrame({"step": np.arange(1, ROWS + 1), "train_loss": loss, "train_accuracy": np.exp(-loss)})
    seen = np.where(np.arange(ROWS) % 10 == 0, loss + chance.normal(0.2, 0.05, ROWS), np.nan)
    frame["valid_loss"], frame["valid_mean_token_accuracy"] = seen, np.exp(-seen)
    text: str = frame.round(5).to_csv(index=False)
    return text.encode()
