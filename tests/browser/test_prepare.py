"""The Fine-tune tab: a training file is checked, each recommendation can be refused, and only then is a file made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.browser.test_presets import load

ASKS, SAYS = ("Where is", "Who painted", "How old is"), ("It is", "Somebody said", "About")
PAIRS = "prompt,completion,note\n" + "".join(
    f"{ASKS[n % 3]} number {n}{'?' if n % 2 else '.'},{SAYS[n % 3]} {n * 7}{'!' if n % 2 else ' or so'},x\n"
    for n in range(120)
)
HOSTILE = "<img src=x onerror=window.pwned=1>"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app, model="server/fake")
    await opened.tab("finetune")
    return opened


async def drop(screen: Any, folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    async with screen.page.expect_file_chooser() as chooser:
        await screen.page.click(".pg-prepare .pg-dropzone button")
    await (await chooser.value).set_files(str(path))


async def saved(screen: Any) -> list[dict[str, str]]:
    async with screen.page.expect_download() as download:
        await screen.page.click("#pg-prepare .pg-prepare-actions >> text=Download the prepared file")
    text = await screen.downloaded(await download.value)
    return [json.loads(line) for line in text.splitlines()]


async def test_a_file_is_checked_and_what_is_recommended_is_done(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "pairs.csv", PAIRS + "Where is number 0.,It is 0 or so,x\nEmpty?,,x\n")
    await screen.page.locator("#pg-prepare .pg-prepare-card").wait_for()
    said = await screen.page.inner_text("#pg-prepare .pg-prepare-findings")
    assert "Only prompt and completion are used" in said
    assert "Rows with an empty completion, left out: 1." in said
    assert "Line 122" in said
    assert (await saved(screen))[0] == {"prompt": "Where is number 0. ->", "completion": " It is 0 or so\n"}
    assert len(await saved(screen)) == 120


async def test_what_is_refused_is_not_done_and_comes_back_after_a_reload(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "pairs.csv", PAIRS)
    await screen.page.locator("#pg-prepare .pg-prepare-card").wait_for()
    await screen.page.get_by_label("The prompts have no common separator").uncheck()
    await screen.until("!document.querySelector('.pg-prepare-ends').textContent.includes('->')")
    assert (await saved(screen))[0]["prompt"] == "Where is number 0."
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator("#pg-prepare .pg-prepare-card").wait_for()
    assert not await screen.page.get_by_label("The prompts have no common separator").is_checked()


async def test_a_prompt_is_tried_as_the_tuned_model_will_want_it(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "pairs.csv", PAIRS)
    await screen.page.click("#pg-prepare .pg-prepare-actions >> text=Try a prompt in Complete")
    await screen.until("document.body.dataset.mode === 'complete'")
    assert await screen.text() == "Where is number 0. ->"
    assert await screen.page.locator(".pg-chip code").all_inner_texts() == ["\\n"]


async def test_separator_and_stop_are_kept_as_a_preset_for_any_prompt(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "capitals.csv", PAIRS)
    for _ in range(2):  # saved again, it is still one
        await screen.page.click("#pg-prepare .pg-prepare-actions >> text=Save as a preset")
        await screen.toast("Saved as “Fine-tune: capitals”.")
    await load(screen, "Fine-tune: capitals")
    await screen.until("document.body.dataset.mode === 'complete'")
    assert await screen.text() == "{{prompt}} ->"
    assert await screen.page.locator(".pg-chip code").all_inner_texts() == ["\\n"]


async def test_the_price_is_shown_with_its_arithmetic_and_follows_the_epochs(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "pairs.csv", PAIRS)
    await screen.page.click("#pg-prepare .pg-prepare-actions >> text=What would it cost?")
    row = screen.page.locator(".pg-prepare-price .pg-link", has_text="davinci-002")
    await row.click()
    assert "120 records of" in await screen.page.inner_text(".pg-price-lines:not([hidden])")
    assert "× 3 epochs" in await screen.page.inner_text(".pg-price-lines:not([hidden])")
    await screen.page.fill(".pg-price-about input", "6")
    await screen.page.press(".pg-price-about input", "Enter")
    await screen.until("!document.querySelector('.pg-price-lines:not([hidden])')")
    await row.click()
    assert "× 6 epochs" in await screen.page.inner_text(".pg-price-lines:not([hidden])")


async def test_a_file_that_cannot_be_used_says_why_and_what_to_do(screen: Any, tmp_path: Path) -> None:
    lines = ['{"prompt": "a", "completion": "b"}'] * 400
    files: dict[str, tuple[str | bytes, str]] = {
        "one.csv": ("text\nhello\n", "only one column"),
        "bad.jsonl": ("\n".join([*lines[:299], '{"prompt": "a", "completion":', *lines]), "ine 300"),
        "binary.csv": (b"\x00\x01\x02" * 50, ""),
        "empty.csv": ("", "empty"),
        "same.csv": ("prompt,completion\na,b\na,c\n", "identical"),
    }
    for name, (text, said) in files.items():
        await drop(screen, tmp_path, name, text)
        words = screen.page.locator(".pg-prepare > .pg-notice, .pg-finding[data-severity='error']", has_text=said)
        await words.first.wait_for()
        assert not await screen.page.locator("#pg-prepare .pg-prepare-actions").count(), name


async def test_what_stands_in_a_file_is_shown_as_text(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, "x.csv", PAIRS + f'"{HOSTILE}","{HOSTILE}",x\n"{HOSTILE}","{HOSTILE}",x\n')
    await screen.page.locator(".pg-finding-where code", has_text="<img").first.wait_for()
    assert await screen.page.evaluate("window.pwned") is None
