"""Presets, share links and View code: what is kept comes back in its tab, and nothing hostile gets in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest_asyncio

from playground import presets
from tests.fakes.helpers import CANARY

PAYLOAD = "<img src=x onerror=window.pwned=1>"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    for row in fake_app.deps.store.presets():
        fake_app.deps.store.delete_preset(row.id)
    return await visits(fake_app, model="server/fake")


async def save(screen: Any, name: str) -> None:
    await screen.page.click(".pg-toolbar-right >> text=Save")
    await screen.page.fill("#pg-name", name)
    await screen.page.click(".pg-dialog footer .pg-primary")
    await screen.toast(f"Saved as “{name}”.")


async def load(screen: Any, name: str) -> None:
    await screen.page.click(".pg-preset")
    await screen.page.locator(".pg-entry", has_text=name).first.click()


async def import_(screen: Any, text: str, folder: Path) -> None:
    file = folder / "presets.json"
    file.write_text(text, encoding="utf-8")
    await screen.page.click(".pg-toolbar-right .pg-icon")
    async with screen.page.expect_file_chooser() as chooser:
        await screen.page.click(".pg-entry >> text=Import presets")
    await (await chooser.value).set_files(str(file))


async def test_a_preset_is_saved_and_opens_in_its_tab_with_its_parameters(screen: Any) -> None:
    await screen.write("Tweet: {{tweet}}\nSentiment:")
    await screen.page.fill("#pg-variable-tweet", "so good")
    await screen.set("temperature", "0.25")
    await save(screen, "My tweets")
    await screen.tab("chat")
    await screen.page.fill(".pg-system-text", "Another thing")
    await screen.set("temperature", "1.5")
    await load(screen, "My tweets")
    await screen.until("document.body.dataset.mode === 'complete'")
    assert await screen.text() == "Tweet: {{tweet}}\nSentiment:"
    assert await screen.page.input_value("#pg-param-temperature") == "0.25"
    assert await screen.page.input_value("#pg-variable-tweet") == "so good"
    assert await screen.page.inner_text(".pg-preset") == "My tweets"


async def test_a_preset_is_renamed_and_deleted_and_a_taken_name_is_refused(screen: Any) -> None:
    await screen.write("one")
    await save(screen, "First")
    await screen.page.click(".pg-toolbar-right .pg-icon")
    await screen.page.click(".pg-entry >> text=Rename")
    await screen.page.fill("#pg-name", "Second")
    await screen.page.click(".pg-dialog footer .pg-primary")
    await screen.toast("Now called “Second”.")
    await screen.page.click(".pg-toolbar-right .pg-icon")
    await screen.page.click(".pg-entry >> text=Delete")
    await screen.page.click(".pg-dialog .pg-danger")
    await screen.toast("“Second” is deleted.")
    await screen.page.click(".pg-preset")
    assert "None yet" in await screen.page.inner_text(".pg-menu")


async def test_every_example_opens_and_runs(screen: Any, fake_app: Any) -> None:
    for preset in presets.builtin():
        await load(screen, preset.name)
        await screen.until(f"document.body.dataset.mode === '{preset.mode}'")
        screen.scope = preset.mode
        await screen.until(
            f"document.querySelector('#pg-panel-{preset.mode} textarea:not([readonly])') && "
            f"document.querySelector('#pg-param-temperature').value === '{preset.params.get('temperature', '')}'"
        )
        before = fake_app.last_run().id if fake_app.deps.store.runs(limit=1) else None
        await screen.page.click(f"#pg-panel-{preset.mode} .pg-submit")
        await screen.until(f"!document.querySelector('#pg-panel-{preset.mode} .pg-stop')")
        await screen.page.wait_for_timeout(200)
        run = fake_app.last_run()
        assert run.id != before
        assert run.status == "done"
        assert "{{" not in json.dumps(run.effective_request)


async def test_what_is_exported_can_be_imported(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await screen.write("exported")
    await save(screen, "One")
    await screen.page.click(".pg-toolbar-right .pg-icon")
    async with screen.page.expect_download() as download:
        await screen.page.click(".pg-entry >> text=Export all")
    text = await screen.downloaded(await download.value)
    assert CANARY not in text
    for row in fake_app.deps.store.presets():
        fake_app.deps.store.delete_preset(row.id)
    await import_(screen, text, tmp_path)
    await screen.toast("Presets imported: 1.")
    assert [row.name for row in fake_app.deps.store.presets()] == ["One"]


async def test_hostile_imports_are_refused_with_the_reason_and_nothing_is_kept(
    screen: Any, fake_app: Any, tmp_path: Path
) -> None:
    good = {"format": "playground-preset", "version": 1, "name": "Good", "mode": "complete", "text": "x"}
    several = {"format": "playground-presets", "version": 1}
    for content, said in (
        ("{", "JSON"),
        (json.dumps({**good, "version": 99}), "newer version"),
        (json.dumps({**good, "api_key": "sk-x"}), "key"),
        (json.dumps({**several, "presets": [good, {**good, "name": "../../etc/passwd\x00"}]}), "name"),
        (json.dumps({**several, "presets": [good, {**good, "name": "Other", "mode": "root"}]}), "mode"),
    ):
        await import_(screen, content, tmp_path)
        assert said in await screen.toast(said)
        assert fake_app.deps.store.presets() == []
        await screen.page.click(".pg-toast .pg-icon")
    await import_(screen, json.dumps({**good, "name": PAYLOAD, "text": PAYLOAD}), tmp_path)
    await screen.toast("Presets imported: 1.")
    await screen.page.click(".pg-preset")
    assert PAYLOAD in await screen.page.inner_text(".pg-menu")
    assert await screen.page.evaluate("window.pwned") is None


async def test_a_toast_shows_a_presets_name_as_text(screen: Any, fake_app: Any) -> None:
    await screen.write("x")
    await save(screen, PAYLOAD)
    assert PAYLOAD in await screen.toast(PAYLOAD)
    assert await screen.page.locator(".pg-toast img").count() == 0
    assert await screen.page.evaluate("window.pwned") is None


async def test_a_shared_link_opens_the_tab_as_it_was_and_carries_no_key(
    screen: Any, visits: Any, fake_app: Any
) -> None:
    await screen.tab("chat")
    await screen.page.fill(".pg-system-text", "Speak like {{who}}.")
    await screen.page.fill("#pg-variable-who", "a pirate")
    await screen.page.locator(".pg-message-text").last.fill("Hello 👋🏽")
    await screen.set("top_p", "0.5")
    await screen.choose("server/ft:fake:acme:gone:ab12cd34")
    await screen.page.click(".pg-toolbar-right >> text=Share")
    link = await screen.page.input_value(".pg-share-link")
    assert link.startswith(f"{fake_app.url}/?preset=")
    assert CANARY not in link
    other = await visits(fake_app)
    await other.page.goto(link)
    await other.ready()
    await other.until("document.body.dataset.mode === 'chat'")
    await other.until("document.querySelector('.pg-system-text').value === 'Speak like {{who}}.'")
    assert await other.messages() == [("user", "Hello 👋🏽")]
    assert await other.page.input_value("#pg-param-top_p") == "0.5"
    assert await other.page.input_value("#pg-variable-who") == "a pirate"
    # Also a model that is not there, or no longer: another must not answer in its name.
    await other.page.click("#pg-model input")
    await other.page.locator("#pg-model .pg-option").first.wait_for()
    assert await other.page.input_value("#pg-model input") == "server/ft:fake:acme:gone:ab12cd34"


async def test_a_broken_link_says_so_and_the_page_lives(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app)
    await screen.page.goto(f"{fake_app.url}/?preset=AAAA")
    await screen.ready()
    await screen.page.locator(".pg-toast").wait_for()
    await screen.run("Say: ")
    assert await screen.text() == "Say: Hello, world!"


async def test_view_code_shows_the_effective_request_and_never_the_key(screen: Any) -> None:
    await screen.write("Say {{word}}")
    await screen.page.fill("#pg-variable-word", "hello")
    await screen.set("max_tokens", "7")
    await screen.page.click(".pg-toolbar-right >> text=View code")
    shown = screen.page.locator(".pg-code")
    await shown.wait_for()
    request = json.loads(await shown.inner_text())
    assert request == {"model": "fake", "prompt": "Say hello", "temperature": 1, "top_p": 1, "max_tokens": 7}
    for name, part in (
        ("Python", 'os.environ["OPENAI_API_KEY"]'),
        ("curl", "$OPENAI_API_KEY"),
        ("JavaScript", "process.env"),
    ):
        await screen.page.click(f".pg-code-tabs >> text={name}")
        text = await shown.inner_text()
        assert part in text
        assert "Say hello" in text
        assert CANARY not in text
    await screen.page.click(".pg-code-head .pg-button")
    await screen.page.get_by_text("Copied").wait_for()


async def test_one_click_downloads_the_open_tab_as_a_program(screen: Any, tmp_path: Path) -> None:
    await screen.write("Say {{word}}")
    await screen.set("max_tokens", "7")
    await screen.page.fill("#pg-variable-word", "hello")
    await screen.page.click(".pg-toolbar-right >> text=View code")
    async with screen.page.expect_download() as started:
        await screen.page.click(".pg-deploy")
    await (await started.value).save_as(tmp_path / "made.zip")
    with zipfile.ZipFile(tmp_path / "made.zip") as archive:
        request = json.loads(archive.read("deploy-playground/request.json"))
        texts = b"".join(archive.read(name) for name in archive.namelist())
    assert request["arguments"]["prompt"] == "Say {{word}}"
    assert (request["variables"], request["arguments"]["max_tokens"]) == ({"word": "hello"}, 7)
    assert CANARY.encode() not in texts


async def test_a_variable_without_a_value_is_marked_and_asked_for(screen: Any) -> None:
    await screen.write("Hello {{nobody}}")
    await screen.page.locator(".pg-missing #pg-variable-nobody").wait_for()
    await screen.submit()
    await screen.notice_with("{{nobody}}")
    await screen.page.fill("#pg-variable-nobody", "you")
    await screen.run()
    assert await screen.text() == "Hello {{nobody}}Hello, world!"
    await screen.write("nothing to fill")
    await screen.page.locator("#pg-variable-nobody").wait_for(state="detached")
