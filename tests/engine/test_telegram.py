"""The bot over the engine that comes with Playground, which it starts itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from playground.settings import VARIABLES, load
from playground.store import Store
from tests.engine.conftest import MODEL, ROOT
from tests.fakes.bot_api import TOKEN, BotApi

pytestmark = pytest.mark.engine


def test_a_chat_with_the_embedded_engine_is_answered_counted_and_kept(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    ours = {"PLAYGROUND_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "TELEGRAM_API_KEY": TOKEN}
    options = ["--preset", "Sports assistant", "--budget", "2000 tokens", "--chats", "7"]
    with BotApi() as api:
        command = [sys.executable, "-m", "playground", "telegram", *options, "--api", api.url]
        process = subprocess.Popen(command, cwd=tmp_path, env={**kept, **ours}, stderr=subprocess.PIPE, text=True)
        try:
            api.write("How many players does a basketball team have on the court?")
            api.until(lambda: len(api.texts()) >= 1, seconds=120)
            api.write("/cost", language="es")
            api.until(lambda: any("tokens" in text for text in api.texts()))
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    store = Store.open(load({"PLAYGROUND_DATA_DIR": str(tmp_path)}, dotenv=None))
    try:
        (run,) = store.runs(limit=5)
    finally:
        store.close()
    assert (run.status, run.mode, run.model) == ("done", "chat", MODEL)
    assert api.texts()[0].removesuffix(" […]") == run.choices[0].text.strip()
    assert run.usage is not None
    assert f"tokens: {run.usage.total_tokens}, precio desconocido" in api.texts()[-1]
    assert f"{2000 - run.usage.total_tokens} tokens." in api.texts()[-1]
