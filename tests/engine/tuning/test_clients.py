"""The workbench's own client and command line drive the engine as they drive OpenAI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from playground.client import Client
from playground.errors import BadRequest, InvalidRequest, NotFound
from playground.finetune.finished import checkpoints_of, results_of
from playground.finetune.follow import Pace, follow
from playground.finetune.jobs import validate_job
from playground.finetune.results_read import read
from playground.finetune.trained import trained_on
from playground.picker import groups, parse_fine_tune
from playground.settings import VARIABLES
from playground.types import Endpoint
from tests.engine.tuning.conftest import TINY, Trainer, jsonl, pairs
from tests.fakes.terminal import cli_in

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[3]


async def test_the_client_uploads_creates_follows_and_reads_the_results(trainer: Trainer) -> None:
    local = Endpoint(name="local", kind="engine", base_url=f"{trainer.engine.url}/v1", api_key="a-key-of-the-tests")
    client = Client((local,), timeout=30)
    try:
        told: list[int] = []
        file = await client.upload("local", jsonl(pairs(20)), name="x.jsonl", report=lambda sent, _: told.append(sent))
        assert told[-1] == file["bytes"]
        plan = validate_job(base=TINY, suffix="client", epochs=30, batch_size=5)
        said = await client.create_job("local", plan.body(file["id"]))
        snapshots = [each async for each in follow(client, "local", said["id"], pace=Pace(quick=0.1, slow=0.2))]
        last = snapshots[-1]
        assert (last.state, last.job.status, last.progress) == ("ended", "succeeded", 1.0)
        assert [metric.step for metric in last.metrics] == list(range(1, 121))
        assert {metric.total_steps for metric in last.metrics} == {120}
        assert any(each.eta is not None for each in snapshots)
        events = [event.id for each in snapshots for event in each.new]
        assert len(events) == len(set(events))
        job, results = await results_of(client, "local", said["id"])
        assert len(read(results).steps) == 120
        assert len(await checkpoints_of(client, "local", said["id"])) == 30
        models = await client.models("local")
        found = {
            group.key: [item.id for item in group.items]
            for group in groups(models, client.endpoints, today=date.today())
        }
        assert job.fine_tuned_model in found["fine_tunes"]
        assert parse_fine_tune(str(job.fine_tuned_model)).base == TINY  # type: ignore[union-attr]
        trained = trained_on(await client.file_content("local", file["id"]))
        assert trained
        assert (trained.separator, trained.ending) == (" ->", "\n")
    finally:
        await client.aclose()


def test_the_command_line_trains_and_answers(trainer: Trainer, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PLAYGROUND_")}
    env |= {
        "OPENAI_BASE_URL": f"{trainer.engine.url}/v1",
        "OPENAI_API_KEY": "a-key-of-the-tests",
        "PLAYGROUND_ENGINE": "off",
        "PLAYGROUND_DATA_DIR": str(tmp_path / "data"),
    }
    file = tmp_path / "train.jsonl"
    file.write_bytes(jsonl(pairs(20)))

    def run(*words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "playground", *words, "--json"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    job = run("finetune", "create", str(file), "--base", TINY, "--epochs", "1", "--suffix", "cli", "--follow")
    assert job["status"] == "succeeded"
    assert job["id"] in [each["id"] for each in run("finetune", "list")]
    assert len(run("finetune", "show", job["id"])["checkpoints"]) == 1
    assert run("finetune", "results", job["id"])
    answer = run("complete", "The film was great 0 ->", "--model", job["fine_tuned_model"], "--max-tokens", "4")
    assert "choices" in json.dumps(answer)


async def test_a_model_is_exported_to_a_file_with_progress_and_deleted(
    trainer: Trainer, tuned: dict[str, Any], tmp_path: Path
) -> None:
    job = trainer.train(n_epochs=1)
    local = Endpoint(name="local", kind="engine", base_url=f"{trainer.engine.url}/v1", api_key="a-key-of-the-tests")
    client, told, out = Client((local,), timeout=30), list[tuple[int, int]](), tmp_path / "mine.gguf"
    try:
        model = job["fine_tuned_model"]
        size = await client.export_model("local", model, out, report=lambda come, whole: told.append((come, whole)))
        assert told[-1] == (size, size) == (out.stat().st_size, size)
        assert out.read_bytes()[:4] == b"GGUF"
        whole = await client.export_model("local", model, out, kind="f16")
        assert whole == out.stat().st_size > size
        with pytest.raises(InvalidRequest, match="cannot be written"):
            await client.export_model("local", model, tmp_path / "no" / "mine.gguf")
        with pytest.raises(InvalidRequest, match="folder"):
            await client.export_model("local", model, tmp_path)
        with pytest.raises(BadRequest, match="Only a fine-tune is merged"):
            await client.export_model("local", TINY, out)
        assert (await client.delete_model("local", model))["deleted"] is True
        for name in (model, f"ft:{TINY}:local::abcdefgh"):
            with pytest.raises(NotFound):
                await client.export_model("local", name, out)
            with pytest.raises(NotFound):
                await client.delete_model("local", name)
        assert os.listdir(tmp_path) == ["mine.gguf"]
    finally:
        await client.aclose()


def test_the_command_line_needs_no_server_it_starts_the_engine_itself(tiny: Path, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    ours = {"PLAYGROUND_MODEL_PATH": str(tiny), "PLAYGROUND_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    run = cli_in(tmp_path, {**kept, **ours})
    (tmp_path / "train.jsonl").write_bytes(jsonl(pairs(20)))
    begun = run("finetune", "create", "train.jsonl", "--base", f"local/{TINY}", "--epochs", "1")
    assert begun.returncode == 0, begun.stderr
    assert "waits until the engine runs again" in begun.stderr
    followed = run("finetune", "follow", begun.stdout.strip(), "--json")
    assert followed.returncode == 0, followed.stderr
    model = f"local/{json.loads(followed.stdout)['fine_tuned_model']}"
    answer = run("complete", "The film was great 0 ->", "--model", model, "--max-tokens", "4")
    assert answer.returncode == 0, answer.stderr
    saved = run("finetune", "export", model, "--type", "F16", "--out", "mine.gguf", "--json")
    assert saved.returncode == 0, saved.stderr
    assert "100 % of" in saved.stderr
    assert (tmp_path / "mine.gguf").read_bytes()[:4] == b"GGUF"
    told = json.loads(saved.stdout)
    assert (told["file"], told["type"], told["bytes"]) == ("mine.gguf", "f16", (tmp_path / "mine.gguf").stat().st_size)
    assert run("finetune", "delete", model).stdout == f"{model}: deleted\n"
    gone = run("finetune", "export", model, "--out", "again.gguf")
    assert (gone.returncode, (tmp_path / "again.gguf").exists()) == (1, False)
    assert "does not have this model" in gone.stderr
    for wrong in (["--type", "q4_0", "--out", "x.gguf"], ["--out", "no/x.gguf"]):
        assert run("finetune", "export", model, *wrong).returncode == 2
