"""Until the page answers, the memory it holds, until the engine is ready, and the command line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import ROOT, Figure, app, fake_server, free_port, median, memory_mib, process

ROUNDS = 3
BARE = """
import sys, gradio as gr
with gr.Blocks(analytics_enabled=False) as page:
    gr.Textbox()
page.launch(server_port=int(sys.argv[1]), quiet=True, run_history=False, ssr_mode=False)
"""


def measure() -> list[Figure]:
    return [*_page(), _engine(), _command_line()]


def _page() -> list[Figure]:
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    with fake_server() as server, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bare.py"
        script.write_text(BARE)
        for _ in range(ROUNDS):
            port = free_port()
            with process([str(script), str(port)], f"http://127.0.0.1:{port}") as (pid, seconds):
                bare.append((seconds, memory_mib(pid)))
            with app(server) as (_url, pid, seconds):
                ours.append((seconds, memory_mib(pid)))
    ready, held = ([median([run[i] for run in runs]) for runs in (ours, bare)] for i in (0, 1))
    return [
        Figure(
            "page ready against a one-textbox Gradio app",
            ready[0] / ready[1],
            1.3,
            False,
            "x",
            f"{ready[0]:.2f} s against {ready[1]:.2f} s",
        ),
        Figure(
            "its memory against that app",
            held[0] / held[1],
            1.5,
            False,
            "x",
            f"{held[0]:.0f} MiB against {held[1]:.0f} MiB",
        ),
    ]


def _engine() -> Figure:
    seconds = []
    for _ in range(ROUNDS):
        port = free_port()
        arguments = ["-m", "playground.engine", "--port", str(port)]
        with process(arguments, f"http://127.0.0.1:{port}/health") as (_pid, taken):
            seconds.append(taken)
    return Figure("the engine is ready, median", median(seconds), 6, False, "s")


def _command_line() -> Figure:
    seconds = []
    for _ in range(7):
        begun = time.perf_counter()
        command = [sys.executable, "-m", "playground", "tokens", "--model", "gpt-4o", "How many tokens is this?"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    return Figure("python -m playground tokens, median", median(seconds), 0.6, False, "s")
