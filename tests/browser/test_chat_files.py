"""Training sets in the Fine-tune tab: dropped, judged, drawn, and made into other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_asyncio

from playground.finetune.splitting import split_lines
from tests.ui.test_chat_files import CHATS, PAIRS

LOOK = "#pg-sets .pg-histogram"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app)
    await opened.tab("finetune")
    return opened


async def drop(screen: Any, folder: Path, name: str, text: str, *, at: int = 0) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    await screen.page.locator("#pg-sets input[type=file]").nth(at).set_input_files(folder / name)


async def test_a_broken_file_is_said_to_be_refused_with_its_lines(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "chats.jsonl", CHATS + "{broken\n")
    await screen.page.locator(LOOK).first.wait_for()
    assert "OpenAI would refuse this file." in await screen.page.inner_text("#pg-sets .pg-sets-about")
    said = await screen.page.inner_text("#pg-sets .pg-finding[data-severity=error]")
    assert "not valid JSON: 1" in said
    assert "Line 21" in said
    assert await screen.page.locator(LOOK).count() == 3
    await screen.page.locator("#pg-sets .pg-histogram summary").nth(1).click()
    table = screen.page.locator("#pg-sets .pg-histogram table").nth(1)
    assert (await table.inner_text()).split("\n") == ["Messages per example\tExamples", "2\t20"]


async def test_a_file_is_split_as_asked_for_and_comes_back_after_a_reload(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "chats.jsonl", CHATS)
    await screen.page.locator(LOOK).first.wait_for()
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator(LOOK).first.wait_for()
    await screen.page.get_by_label("Held out").fill("0.4")
    await screen.page.get_by_label("Seed", exact=True).locator("visible=true").first.fill("7")
    files: list[Any] = []
    screen.page.on("download", lambda file: files.append(file))
    await screen.page.click("#pg-sets >> text=Split into two files")
    while len(files) < 2:
        await screen.page.wait_for_timeout(50)
    texts = [await screen.downloaded(file) for file in files]
    assert tuple(text.encode() for text in texts) == split_lines(CHATS.encode(), ratio=0.4, seed=7)


async def test_what_validation_shares_with_training_is_found_and_pairs_become_chats(
    screen: Any, tmp_path: Path
) -> None:
    await drop(screen, tmp_path, "pairs.csv", PAIRS)
    await screen.page.locator(LOOK).first.wait_for()
    await drop(screen, tmp_path, "valid.csv", "prompt,completion\nQuestion 5 ->,x\nAnother ->,y\n", at=1)
    await screen.page.locator(".pg-finding", has_text="in the training file, too: 1").wait_for()
    await screen.page.fill(".pg-sets-system", "Be brief.")
    async with screen.page.expect_download() as download:
        await screen.page.click("#pg-sets >> text=Convert to chats")
    first = json.loads((await screen.downloaded(await download.value)).splitlines()[0])
    assert [each["content"] for each in first["messages"]] == ["Be brief.", "Question 0", "Answer 0"]


async def test_a_file_that_is_none_is_refused_in_words(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "a.csv", "one\n1\n")
    await screen.page.locator("#pg-sets .pg-notice", has_text="column").wait_for()
