"""A model fine-tuned on one's own machine, from the example's card to its answer: over the real engine, which
serves and trains a model so small that all of it takes seconds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from playground.engine.weights import find
from tests.browser.conftest import App, _running, _settings
from tests.fakes import tiny_gguf

pytestmark = pytest.mark.engine
JOBS = "/fine_tuning/jobs"
EXAMPLE = "sentimiento"
DETAIL = ".pg-jobs-detail"
ENDED = f"{DETAIL} [data-status=succeeded]"
LONG = 120_000


@pytest.fixture(scope="module")
def training_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    # Deep enough that a job of many epochs is still at it when something happens to it.
    tiny = tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf", layers=12, tokenizer_of=find(None).path)
    yield from _running(_settings(tmp_path_factory, engine=True, model_path=tiny, timeout=60.0))


class Engine:
    """What stands behind the page, asked without it."""

    def __init__(self, app: App) -> None:
        assert app.deps.engine is not None
        self.process = app.deps.engine
        where = app.deps.engine.endpoint
        self.http = httpx.Client(
            base_url=where.base_url, headers={"Authorization": f"Bearer {where.api_key}"}, timeout=60
        )

    def begin(self, *, epochs: int) -> str:
        """The id of a new job on 200 pairs, fifty steps an epoch."""
        lines = [{"prompt": f"{n} ->", "completion": f" {'odd' if n % 2 else 'even'}\n"} for n in range(200)]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        file = self.http.post("/files", data={"purpose": "fine-tune"}, files={"file": ("t.jsonl", content)}).json()
        numbers = {"n_epochs": epochs, "batch_size": 4}
        body = {"model": "tiny", "training_file": file["id"], "hyperparameters": numbers, "seed": 1}
        return str(self.http.post(JOBS, json=body).json()["id"])

    def job(self, name: str) -> dict[str, Any]:
        said: dict[str, Any] = self.http.get(f"{JOBS}/{name}").json()
        return said

    def said(self, name: str) -> list[str]:
        """All events, the newest first."""
        said: list[dict[str, Any]] = []
        while True:
            after = {"after": said[-1]["id"]} if said else {}
            page = self.http.get(f"{JOBS}/{name}/events", params={"limit": 100, **after}).json()
            said += page["data"]
            if not page["has_more"]:
                return [each["message"] for each in said]

    def models(self) -> list[str]:
        return [each["id"] for each in self.http.get("/models").json()["data"]]

    async def until(self, true: Callable[[], Any]) -> None:
        """Something that is bound to happen."""
        until = time.monotonic() + 60
        while not await asyncio.to_thread(true):
            assert time.monotonic() < until, "it did not happen"
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def engine(training_app: App) -> Iterator[Engine]:
    made = Engine(training_app)
    yield made
    made.http.close()


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, training_app: App) -> Any:
    opened = await visits(training_app, model="local/tiny")
    await opened.tab("finetune")
    await opened.page.locator(".pg-jobs-list button").first.wait_for()
    return opened


async def follow(screen: Any, name: str) -> None:
    await screen.page.click("text=Reload the list")
    await screen.page.locator(f".pg-job[data-key='local/{name}']").click()
    await screen.page.locator(f"{DETAIL} .pg-job-events li").first.wait_for()


async def stepping(screen: Any) -> None:
    await screen.page.locator(".pg-job-pace", has_text="Step").wait_for(timeout=LONG)


async def test_from_the_examples_card_to_an_answer_a_curve_a_file_and_an_end(
    screen: Any, training_app: App, engine: Engine
) -> None:
    page = screen.page
    await page.click("text=Train it now")
    await page.locator(ENDED).first.wait_for(timeout=LONG)
    model = (await page.inner_text(f"{DETAIL} h3 span")).strip()
    assert model.startswith(f"ft:tiny:local:{EXAMPLE}:")

    # Base and tuned, side by side, and what a small model learns.
    scores = page.locator(".pg-job-scores tbody tr")
    await page.locator(".pg-job-scores", has_text="of 50").wait_for()
    rows = [row.split("\t") for row in await scores.all_inner_texts()]
    assert [row[0] for row in rows[:4]] == ["Exact match", "Loss", "Token accuracy", "Labels right"]
    assert rows[0][1] == "0 of 50"
    assert rows[0][2].endswith(" of 50")
    assert float(rows[1][2]) < float(rows[1][1])
    assert "not knowledge" in await page.inner_text(DETAIL)
    titles = [text.split("\n")[0] for text in await page.locator(".pg-job-curves figcaption").all_inner_texts()]
    assert titles == ["Loss", "Token accuracy", "Exact match"]
    await page.click(f"{DETAIL} >> text=Checkpoints")
    saved = page.locator(".pg-job-checkpoints li")
    await saved.first.wait_for()
    assert [text.split("\n")[0] for text in await saved.locator("strong").all_inner_texts()] == [
        "Step 75",
        "Step 50",
        "Step 25",
    ]
    assert "Exact match" in await saved.first.inner_text()

    # It answers in Complete, with what it was trained on, at its base's price.
    await page.click(f"{DETAIL} >> text=Open in Complete")
    await screen.until("document.body.dataset.mode === 'complete'")
    screen.scope = "complete"
    await screen.until(f"document.querySelector('#pg-model input').value === 'local/{model}'")
    prompt = await screen.text()
    assert prompt.endswith(" ->")
    await screen.set("max_tokens", "4")
    await screen.submit()
    await screen.ended()
    run = training_app.last_run()
    assert (run.model, run.status) == (model, "done")
    assert (await screen.last("cost")).startswith("≈")

    # The picker has it below its base, with its checkpoints.
    await page.click("#pg-model input")
    listed = await page.locator("#pg-model .pg-option-name").all_inner_texts()
    assert listed[: listed.index(f"{model}:ckpt-step-50") + 1] == [
        "tiny",
        model,
        f"{model}:ckpt-step-25",
        f"{model}:ckpt-step-50",
    ]
    widths = [(await name.bounding_box())["width"] for name in await page.locator("#pg-model .pg-option-name").all()]
    assert min(widths) > 150
    await page.keyboard.press("Escape")
    assert await page.inner_text("#pg-model .pg-picker-own") == model.removeprefix("ft:tiny:local:")

    # Its results.csv is drawn, and a checkpoint compared with base and final.
    await screen.tab("results")
    await page.click(".pg-result-from button")
    await page.locator(".pg-result-job").filter(has_text=model).first.click()
    await page.locator("#pg-results .pg-plot canvas").first.wait_for()
    await page.locator("#pg-results .pg-plot").first.locator(".pg-checkpoint").first.click()
    await screen.until("document.body.dataset.mode === 'compare'")
    await screen.until("document.querySelectorAll('.pg-versus-column').length === 3")
    asked = page.locator("#pg-compare :is(.pg-versus-paper textarea, .pg-message-text):visible")
    await asked.last.fill(prompt)
    await page.click("#pg-compare .pg-submit")
    await screen.until("!document.querySelector('#pg-compare .pg-stop')", seconds=60)
    assert await page.locator(".pg-versus-column .pg-cell[data-key=usage]").count() == 3
    assert await page.locator(".pg-versus-column [data-tone=error]").count() == 0

    # The file reaches the browser, and nothing of it stays behind.
    await screen.tab("finetune")
    async with page.expect_download(timeout=LONG) as coming:
        await page.click("text=Download as GGUF")
    download = await coming.value
    assert download.suggested_filename.endswith("-q8_0.gguf")
    path = Path(await download.path())
    assert (await asyncio.to_thread(path.read_bytes))[:4] == b"GGUF"

    # Deleted after one question; the picker goes back to the base.
    await page.click("text=Delete the model…")
    await page.click("text=Keep it")
    await page.click("text=Delete the model…")
    await page.locator(".pg-job-sure >> text=Delete it").click()
    await screen.until("document.querySelector('#pg-model input').value === 'local/tiny'")
    assert await asyncio.to_thread(engine.models) == ["tiny"]
    await page.locator(f"{DETAIL} >> text=Open in Complete").first.wait_for(state="detached")
    await screen.tab("complete")
    await page.click("#pg-model input")
    assert await page.locator("#pg-model .pg-option-name").all_inner_texts() == ["tiny"]


async def dropped(screen: Any, path: Path, at: int) -> None:
    async with screen.page.expect_file_chooser() as chooser:
        await screen.page.locator(".pg-jobs-form .pg-dropzone button").nth(at).click()
    await (await chooser.value).set_files(str(path))
    await screen.page.get_by_text(path.name).wait_for()


async def test_the_engines_own_settings_are_its_bases_and_reach_the_job_whose_size_is_said_before_it_starts(
    screen: Any, engine: Engine, tmp_path: Path
) -> None:
    page = screen.page
    rows = [{"prompt": f"{n} ->", "completion": f" {'odd' if n % 2 else 'even'}"} for n in range(40)]
    for name in ("train", "valid"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    await page.click(".pg-jobs-new summary")
    early = page.get_by_label("Stop after validations without gain")
    await early.wait_for()
    assert not await page.get_by_label("Method").is_visible()
    await page.get_by_label("Model to train").fill("local/tiny")
    await dropped(screen, tmp_path / "train.jsonl", 0)
    await dropped(screen, tmp_path / "valid.jsonl", 1)
    await page.get_by_label("Epochs", exact=True).fill("2")
    said = page.locator(".pg-jobs-takes", has_text="About 20 steps (epochs 2, batch 4)")
    await said.wait_for()
    assert "MB that are free" in await said.inner_text()
    await page.get_by_label("Epochs", exact=True).fill("3")
    await page.locator(".pg-jobs-takes", has_text="About 30 steps (epochs 3, batch 4)").wait_for()
    await early.fill("50")
    await page.get_by_label("Positive class, of two").fill("odd")
    await page.get_by_label("Number of classes").fill("2")
    await page.get_by_label("Trainer").select_option("")
    await page.click("text=Start training")
    await page.locator(ENDED).first.wait_for(timeout=LONG)
    about = await page.inner_text(f"{DETAIL} .pg-quiet >> nth=0")
    for part in ("n_epochs 3", "early_stopping 50", "classification_positive_class odd", "classification_n_classes 2"):
        assert part in about
    newest = engine.http.get(JOBS).json()["data"][0]
    assert newest["hyperparameters"]["compute_classification_metrics"] is True
    assert "trainer" not in newest["hyperparameters"]


async def test_a_reload_in_the_middle_a_pause_and_a_cancel(screen: Any, engine: Engine, visits: Any) -> None:
    name = await asyncio.to_thread(lambda: engine.begin(epochs=50))
    await follow(screen, name)
    await stepping(screen)
    pace = await screen.page.inner_text(".pg-job-pace")
    for said in ("of 2,500", "tok/s", "MB"):
        assert said in pace
    await screen.page.reload()
    await screen.ready()
    visits.left_midway()
    await stepping(screen)
    await screen.page.click(f"{DETAIL} >> text=Pause")
    await screen.page.locator(f"{DETAIL} [data-status=paused]").first.wait_for(timeout=LONG)
    await screen.page.click(f"{DETAIL} >> text=Resume")
    await stepping(screen)
    await screen.page.click(f"{DETAIL} >> text=Cancel the job")
    await screen.page.locator(f"{DETAIL} [data-status=cancelled]").first.wait_for(timeout=LONG)
    assert any("goes on, from step" in text for text in await asyncio.to_thread(engine.said, name))
    assert (await asyncio.to_thread(engine.job, name))["status"] == "cancelled"


async def test_an_engine_that_is_killed_comes_back_the_job_goes_on_and_the_page_follows_it_to_its_end(
    screen: Any, engine: Engine
) -> None:
    name = await asyncio.to_thread(lambda: engine.begin(epochs=40))
    await follow(screen, name)
    await engine.until(lambda: any(text.startswith("Checkpoint") for text in engine.said(name)))
    pid = engine.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await screen.page.locator(ENDED).count() == 0
    await screen.page.locator(ENDED).first.wait_for(timeout=LONG)
    # The page shows the newest events only, and this model takes its steps quickly.
    assert any("goes on, from step" in text for text in await asyncio.to_thread(engine.said, name))
    assert engine.process.pid not in (None, pid)
    events = await screen.page.locator(".pg-job-events li span").all_inner_texts()
    assert events[0] == "The job has successfully completed"
    assert sum(text.startswith("Step 2000/2000") for text in events) == 1
