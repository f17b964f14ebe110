"""Fine-tuning jobs on the page: created, followed, cancelled; a finished one's model opens with its stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_asyncio

CHAT = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
CHATS = (json.dumps(CHAT) + "\n") * 12
SAID = {"role": "assistant", "content": "Good day"}, {"role": "assistant", "content": "What?"}
PREFERENCE = {"input": {"messages": CHAT["messages"][:1]}, "preferred_output": [SAID[0]]}
PREFERENCES = (json.dumps({**PREFERENCE, "non_preferred_output": [SAID[1]]}) + "\n") * 12
HOSTILE = "<img src=x onerror=window.pwned=1>"
PAIRS = "".join(json.dumps({"prompt": f"{n} ->", "completion": f" {n * 7} or so END"}) + "\n" for n in range(20))


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app, model="server/fake")
    await opened.tab("finetune")
    await opened.page.locator(".pg-jobs-list button").first.wait_for()
    return opened


async def create(screen: Any, folder: Path, base: str, text: str = PAIRS, *, method: str = "supervised") -> None:
    path = folder / "train.jsonl"
    path.write_text(text)
    if not await screen.page.locator(".pg-jobs-new").evaluate("fold => fold.open"):
        await screen.page.click(".pg-jobs-new summary")
    await screen.page.get_by_label("Method").select_option(method)
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
    await screen.until("document.querySelector('#pg-picker-input').value.startsWith('server/ft:tiny')")
    assert await screen.text() == "0 ->"
    assert "or so END" in await screen.page.locator("#pg-params").evaluate(
        "node => [...node.querySelectorAll('input, textarea')].map((box) => box.value).join('|') + node.textContent"
    )
    # Right after an answer, nothing is missed that was there when it was asked.
    await screen.run()
    assert (await screen.text()).startswith("0 ->")
    assert len(await screen.text()) > len("0 ->")
    await screen.until("document.querySelector('#pg-next-complete .pg-cell')")
    assert not await screen.page.locator("#pg-next-complete .pg-notice", has_text="trained on prompts").is_visible()
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
    await screen.page.click("#pg-picker-input")
    await screen.page.fill("#pg-picker-input", "ft:tiny")
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


async def test_the_closed_door_is_told_in_spanish_too(visits: Any, fake_app: Any, tmp_path: Path) -> None:
    screen = await visits(fake_app, locale="es-ES")
    await screen.tab("finetune")
    await screen.page.click(".pg-jobs-new summary")
    (tmp_path / "train.jsonl").write_text(PAIRS)
    await screen.page.locator(".pg-jobs-form input[type=file]").first.set_input_files(tmp_path / "train.jsonl")
    await screen.page.get_by_text("Archivo de entrenamiento: train.jsonl").wait_for()
    await screen.page.get_by_label("Modelo que se entrena").fill("server/fault-403_training")
    await screen.page.click("text=Empezar a entrenar")
    said = screen.page.locator(".pg-jobs .pg-notice", has_text="ya no entrena modelos para esta cuenta")
    await said.wait_for()
    assert "2027-01-06" in await said.inner_text()
    # A chosen file can be taken out again.
    await screen.page.locator(".pg-jobs-name").get_by_label("Quitar").click()
    assert await screen.page.get_by_text("Archivo de entrenamiento: train.jsonl").count() == 0


async def test_what_a_server_says_is_text(screen: Any, fake: Any, tmp_path: Path) -> None:
    await create(screen, tmp_path, f"server/{HOSTILE}")
    await screen.page.locator(".pg-jobs-detail", has_text=HOSTILE).wait_for()
    assert await screen.page.evaluate("window.pwned") is None


async def finished(screen: Any, folder: Path, text: str) -> None:
    await create(screen, folder, "server/tiny", text)
    await screen.page.locator(".pg-jobs-detail [data-status=succeeded]").wait_for(timeout=60_000)


async def opened_in(screen: Any, words: str, mode: str) -> list[str]:
    """Open the job's model there; the stop sequences that are set then."""
    await screen.page.click(f".pg-jobs-detail >> text={words}")
    await screen.until(f"document.body.dataset.mode === '{mode}'")
    await screen.until("document.querySelector('#pg-picker-input').value.startsWith('server/ft:tiny')")
    return list(await screen.page.locator(".pg-chip code").all_inner_texts())


async def test_a_model_of_pairs_opens_in_chat_with_its_stop_and_the_conversation_stays(
    screen: Any, tmp_path: Path
) -> None:
    await screen.tab("chat")
    await screen.page.locator("#pg-conversation .pg-message-text").last.fill("My question")
    await screen.tab("finetune")
    await finished(screen, tmp_path, PAIRS)
    assert await opened_in(screen, "Open in Chat", "chat") == [" or so END"]
    assert await screen.messages() == [("user", "My question")]


async def test_a_model_of_chats_opens_in_both_tabs_and_what_was_written_stays(screen: Any, tmp_path: Path) -> None:
    await screen.tab("complete")
    await screen.write("My prompt")
    await screen.tab("finetune")
    await finished(screen, tmp_path, CHATS)
    assert await opened_in(screen, "Open in Chat", "chat") == []
    await screen.tab("finetune")
    assert await opened_in(screen, "Open in Complete", "complete") == []
    assert await screen.text() == "My prompt"


async def test_a_job_whose_training_file_is_gone_opens_all_the_same_and_says_so(
    screen: Any, fake: Any, tmp_path: Path
) -> None:
    await finished(screen, tmp_path, PAIRS)
    fake.training.files.pop(list(fake.training.jobs.values())[-1]["training_file"])
    assert await opened_in(screen, "Open in Complete", "complete") == []
    said = await screen.toast("The training file is not there any more")
    assert "has no file" in said


async def test_preferences_are_trained_on_with_beta_and_refused_by_the_other_method(
    screen: Any, fake: Any, tmp_path: Path
) -> None:
    await create(screen, tmp_path, "server/tiny", PREFERENCES)
    await screen.page.locator(".pg-jobs .pg-notice", has_text="are for the method dpo").wait_for()
    assert not await screen.page.get_by_label("Beta").is_visible()
    await screen.page.get_by_label("Method").select_option("dpo")
    await screen.page.get_by_label("Beta").fill("0.2")
    await screen.page.click("text=Start training")
    await screen.page.locator(".pg-jobs-detail", has_text="beta 0.2").wait_for()
    asked = next(each.body for each in reversed(fake.requests) if each.method == "POST" and "jobs" in each.path)
    assert asked["method"] == {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}


async def test_openais_closing_dates_are_said_before_anything_is_uploaded(visits: Any, openai_app: Any) -> None:
    for locale, words in (("en-US", "closed fine-tuning to new organisations"), ("es-ES", "cerró el ajuste fino")):
        screen = await visits(openai_app, locale=locale)
        await screen.tab("finetune")
        await screen.page.locator(".pg-jobs-list button").first.wait_for()
        await screen.page.click(".pg-jobs-new summary")
        said = screen.page.locator(".pg-jobs-closed")
        assert words in await said.inner_text()
        assert "2027-01-06" in await said.inner_text()


async def test_on_a_phone_what_is_refused_is_said_where_it_is_seen(visits: Any, fake_app: Any, tmp_path: Path) -> None:
    screen = await visits(fake_app, model="server/fake", width=390)
    await screen.tab("finetune")
    await screen.page.locator(".pg-jobs-list button").first.wait_for()
    await create(screen, tmp_path, "server/fault-403_training")
    said = screen.page.locator(".pg-jobs > .pg-notice")
    await said.wait_for()
    await screen.until("document.querySelector('.pg-jobs > .pg-notice').getBoundingClientRect().top >= 0")
    box = await said.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900


async def test_another_servers_form_has_nothing_of_the_embedded_engines(screen: Any, tmp_path: Path) -> None:
    await create(screen, tmp_path, "server/tiny")
    await screen.page.locator(".pg-jobs-detail [data-status=succeeded]").wait_for(timeout=60_000)
    await screen.page.click(".pg-jobs-new summary")
    for label in ("Stop after validations without gain", "Positive class, of two", "Number of classes", "Trainer"):
        assert not await screen.page.get_by_label(label).is_visible()
    assert not await screen.page.locator(".pg-jobs-takes").is_visible()


async def test_another_servers_form_says_nothing_of_openai(screen: Any) -> None:
    await screen.page.click(".pg-jobs-new summary")
    await screen.page.get_by_label("Model to train").fill("server/tiny")
    assert not await screen.page.locator(".pg-jobs-closed").is_visible()
