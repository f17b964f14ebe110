"""Fine-tuning jobs on the page: created, followed, cancelled; a finished one's model opens with its stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_asyncio

HOSTILE = "<img src=x onerror=window.pwned=1>"
PAIRS = "".join(json.dumps({"prompt": f"{n} ->", "completion": f" {n * 7} or so END"}) + "\n" for n in range(20))


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app, model="server/fake")
    await opened.tab("finetune")
    await opened.page.locator(".pg-jobs-list button").first.wait_for()
    return opened


async def create(screen: Any, folder: Path, base: str, text: str = PAIRS) -> None:
    path = folder / "train.jsonl"
    path.write_text(text)
    await screen.page.click(".pg-jobs-new summary")
    async with screen.page.expect_file_chooser() as chooser:
        await screen.page.locator(".pg-jobs-form .pg-dropzone button").first.click()
    await (await chooser.value).set_files(str(path))
    await screen.page.get_by_text("Training file: train.jsonl").wait_for()
    await screen.page.get_by_label("Model to train").fill(base)
    await screen.page.click("text=Start training")


async def test_a_job_is_followed_to_its_end_and_its_model_opens_with_its_stop(screen: Any, tmp_path: Path) -> None:
    await create(screen, tmp_path, "server/tiny")
    await screen.page.locator(".pg-jobs-detail [data-status=succeeded]").wait_for(timeout=60_000)
    said = await screen.page.inner_text(".pg-job-events")
    assert "Created fine-tuning job" in said
    assert "The job has successfully completed" in said
    await screen.until("document.querySelector('#pg-jobs .pg-job-curves canvas')")
    await screen.page.click(".pg-jobs-detail >> text=Open in Complete")
    await screen.until("document.body.dataset.mode === 'complete'")
    await screen.until("document.querySelector('.pg-picker-input').value.startsWith('server/ft:tiny')")
    assert await screen.text() == "0 ->"
    assert "or so END" in await screen.page.locator("#pg-params").evaluate(
        "node => [...node.querySelectorAll('input, textarea')].map((box) => box.value).join('|') + node.textContent"
    )
    # What it was trained with is missed, and one click adds it.
    await screen.page.click(".pg-chip button")
    await screen.write("What is 7?")
    said = screen.page.locator("#pg-next-complete .pg-notice", has_text="trained on prompts that end with")
    await said.wait_for()
    assert "␣or␣so␣END" in await said.inner_text()
    await said.get_by_role("button").click()
    await said.wait_for(state="hidden")
    assert await screen.text() == "What is 7? ->"
    assert await screen.page.locator(".pg-chip code").all_inner_texts() == [" or so END"]
    await screen.page.click(".pg-picker-input")
    await screen.page.fill(".pg-picker-input", "ft:tiny")
    assert await screen.page.locator(".pg-option[data-ref^='server/ft:tiny']").count() >= 1


async def test_a_job_is_cancelled(screen: Any, fake: Any, tmp_path: Path) -> None:
    fake.training.hold = True
    try:
        await create(screen, tmp_path, "server/held")
        await screen.page.click("text=Cancel the job")
        await screen.page.locator(".pg-jobs-detail [data-status=cancelled]").wait_for()
    finally:
        fake.training.hold = False


async def test_a_server_that_no_longer_trains_says_until_when_it_did(screen: Any, tmp_path: Path) -> None:
    await create(screen, tmp_path, "server/fault-403_training")
    said = screen.page.locator(".pg-jobs .pg-notice")
    await said.wait_for()
    assert "2027-01-06" in await said.inner_text()
    assert "another server" in await said.inner_text()


async def test_what_a_server_says_is_text(screen: Any, fake: Any, tmp_path: Path) -> None:
    await create(screen, tmp_path, f"server/{HOSTILE}")
    await screen.page.locator(".pg-jobs-detail", has_text=HOSTILE).wait_for()
    assert await screen.page.evaluate("window.pwned") is None
