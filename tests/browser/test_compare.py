"""The Compare tab: columns that stream together, one Stop, blind votes, and what a reload brings back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio

LONG = tuple(f" word{i}" for i in range(400))
SUBMIT = "#pg-compare .pg-submit"
TEXTS = "[...document.querySelectorAll('.pg-versus-answer')].map(n => n.textContent)"


class Compared:
    """The tab as a person uses it."""

    def __init__(self, screen: Any) -> None:
        self.screen, self.page = screen, screen.page

    async def models(self, *names: str) -> None:
        """The columns' models, a column added where there are more."""
        boxes = self.page.locator("#pg-compare .pg-picker-input")
        for place, name in enumerate(names):
            if place == await boxes.count():
                await self.page.click(".pg-versus-new")
            await boxes.nth(place).click()
            await boxes.nth(place).fill(name)
            await boxes.nth(place).press("Enter")

    async def chosen(self) -> list[str]:
        return list(
            await self.page.eval_on_selector_all("#pg-compare .pg-picker-input", "all => all.map(n => n.value)")
        )

    async def ask(self, text: str) -> None:
        await self.page.locator("#pg-compare .pg-message-text").last.fill(text)
        await self.page.keyboard.press("Control+Enter")

    async def asked(self, text: str) -> list[str]:
        await self.ask(text)
        return await self.ended()

    async def ended(self) -> list[str]:
        await self.screen.until("!document.querySelector('#pg-compare .pg-stop')")
        return await self.texts()

    async def texts(self) -> list[str]:
        return list(await self.page.evaluate(TEXTS))

    def column(self, place: int) -> Any:
        return self.page.locator(".pg-versus-column").nth(place)


@pytest_asyncio.fixture(loop_scope="session")
async def compare(visits: Any, fake_app: Any) -> Compared:
    screen = await visits(fake_app, model="server/fake")
    await screen.tab("compare")
    await screen.page.locator(".pg-versus-column").nth(1).wait_for()
    return Compared(screen)


async def test_the_columns_begin_with_the_chosen_model_and_one_difference(compare: Compared, fake_app: Any) -> None:
    assert await compare.chosen() == ["server/fake", "server/fake"]
    assert await compare.texts() == ["", ""]
    assert await compare.asked("Say hello") == ["Hello, world!", "Hello, world!"]
    runs = [fake_app.deps.store.run(run.id) for run in fake_app.deps.store.runs(limit=2)]
    assert sorted(run.effective_request["temperature"] for run in runs) == [0, 1]
    for place in (0, 1):
        cells = compare.column(place).locator(".pg-cell")
        keys = await cells.evaluate_all("all => all.map(n => n.dataset.key)")
        assert {"usage", "cost", "latency", "ttft"} <= set(keys)
    assert "tokens" in await compare.page.inner_text(".pg-versus-total")


async def test_columns_stream_together_and_one_stop_keeps_all(
    compare: Compared, fake_app: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG)
    await compare.models("server/fault-slow:30", "server/fault-slow:20", "server/fault-slow:25")
    await compare.ask("Count")
    await compare.screen.until(f"{TEXTS}.filter(text => text.length > 150).length === 3")
    before = await compare.texts()
    await compare.screen.until(f"{TEXTS}.every((text, at) => text.length > {[len(each) for each in before]}[at])")
    await compare.page.keyboard.press("Escape")
    after = await compare.ended()
    assert all(now.startswith(then) for now, then in zip(after, before, strict=True))
    for place in range(3):
        assert "Stopped" in await compare.column(place).locator(".pg-notice").inner_text()
    kept = [fake_app.deps.store.run(run.id) for run in fake_app.deps.store.runs(limit=3)]
    assert {run.status for run in kept} == {"stopped"}
    assert sorted(run.choices[0].text for run in kept) == sorted(after)


async def test_a_column_that_fails_says_so_and_the_others_answer(compare: Compared) -> None:
    await compare.models("server/fault-404", "server/fake", "server/fault-drop_midstream")
    texts = await compare.asked("Say hello")
    assert texts[:2] == ["", "Hello, world!"]
    assert texts[2]
    assert "does not have this model" in await compare.column(0).locator(".pg-notice").inner_text()
    assert await compare.column(1).locator(".pg-notice").is_hidden()


async def test_what_the_others_say_and_the_first_does_not_is_marked(
    compare: Compared, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compare.models("server/fake", "server/fault-burst:3")
    await compare.asked("Say hello")
    marks = compare.page.locator(".pg-versus-answer mark")
    assert await marks.all_inner_texts() == [" t0 t1 t2"]
    await compare.column(1).locator(".pg-versus-reference").click()
    assert await marks.all_inner_texts() == ["Hello, world!"]
    await compare.page.locator(".pg-versus-choice input").nth(1).uncheck()
    assert await marks.count() == 0


async def test_a_blind_vote_names_the_columns_afterwards_and_counts(compare: Compared, fake_app: Any) -> None:
    await compare.models("server/blind-one", "server/blind-two")
    await compare.page.locator(".pg-versus-choice input").nth(0).check()
    await compare.asked("Say hello")
    for hidden in (".pg-picker-input", ".pg-cells", ".pg-versus-feet"):
        assert not await compare.column(0).locator(hidden).first.is_visible()
    assert await compare.column(0).locator(".pg-versus-name").inner_text() == "Answer A"
    await compare.page.locator(".pg-versus-vote").get_by_text("Answer B").click()
    await compare.page.locator("#pg-compare .pg-versus-column.pg-chosen").wait_for()
    shown = await compare.chosen()
    assert sorted(shown) == ["server/blind-one", "server/blind-two"]
    vote = fake_app.deps.store.votes()[-1]
    # Both columns differ in temperature too, which the second has by itself.
    assert vote.shown[vote.chosen].system.startswith(shown[1])
    first = compare.page.locator(".pg-versus-wins tbody tr").first
    assert (await first.inner_text()).startswith(shown[1])
    assert "100 %" in await first.inner_text()
    assert await compare.page.locator(".pg-versus-vote").is_hidden()
    async with compare.page.expect_download() as download:
        await compare.page.click(".pg-versus-wins >> text=Export as CSV")
    assert f"{shown[1]} · temperature" in await compare.screen.downloaded(await download.value)


async def test_blind_answers_come_together_however_fast_each_is(
    compare: Compared, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG[:60])
    await compare.models("server/fake", "server/fault-slow:20")
    await compare.page.locator(".pg-versus-choice input").nth(0).check()
    await compare.page.evaluate(
        f"""() => {{ window.seen = []; const now = () => JSON.stringify({TEXTS}.map(text => Boolean(text)));
        const look = () => {{ if (window.seen.at(-1) !== now()) window.seen.push(now()); }};
        const all = document.querySelector('.pg-versus');
        new MutationObserver(look).observe(all, {{childList: true, subtree: true}}); }}"""
    )
    await compare.ask("Count")
    await compare.screen.until("document.querySelector('.pg-versus-vote progress')?.value === 1")
    assert "1 of 2 have answered." in await compare.page.inner_text(".pg-versus-vote")
    assert await compare.texts() == ["", ""]
    texts = await compare.ended()
    assert texts[0] == texts[1] != ""
    assert await compare.page.evaluate("window.seen") == ["[false,false]", "[true,true]"]


async def test_undo_in_a_blind_round_does_not_put_an_answer_under_a_name(compare: Compared) -> None:
    await compare.models("server/blind-one", "server/blind-two")
    await compare.page.locator(".pg-versus-choice input").nth(0).check()
    await compare.asked("Say hello")
    await compare.page.locator("#pg-compare .pg-message-text").last.fill("More")
    await compare.page.click("#pg-compare .pg-undo")
    await compare.page.click("#pg-compare .pg-undo")
    await compare.page.click("#pg-compare .pg-redo")
    assert await compare.texts() == ["", ""]


async def test_a_blind_round_stays_blind_over_a_reload_and_can_be_shown_without_a_vote(
    compare: Compared, fake_app: Any
) -> None:
    votes = len(fake_app.deps.store.votes())
    await compare.page.locator(".pg-versus-choice input").nth(0).check()
    await compare.asked("Say hello")
    await compare.page.reload()
    await compare.screen.ready()
    await compare.screen.until("document.querySelectorAll('.pg-versus-column.pg-blind').length === 2")
    assert await compare.texts() == ["Hello, world!"] * 2
    assert not await compare.column(0).locator(".pg-picker-input").is_visible()
    await compare.page.locator(".pg-versus-vote").get_by_text("Show without a vote").click()
    await compare.column(0).locator(".pg-picker-input").wait_for()
    assert len(fake_app.deps.store.votes()) == votes


async def test_a_reload_keeps_columns_question_and_answers(compare: Compared) -> None:
    await compare.models("server/fake", "server/other", "server/third")
    await compare.column(2).locator(".pg-versus-add").select_option("seed")
    await compare.column(2).locator("input[type=number]").fill("7")
    await compare.page.fill("#pg-compare .pg-versus-system textarea", "Be brief")
    await compare.asked("Say hello")
    await compare.page.reload()
    await compare.screen.ready()
    await compare.screen.until("document.body.dataset.mode === 'compare'")
    await compare.screen.until("document.querySelectorAll('.pg-versus-column').length === 3")
    assert await compare.chosen() == ["server/fake", "server/other", "server/third"]
    assert await compare.texts() == ["Hello, world!"] * 3
    assert await compare.page.input_value("#pg-compare .pg-versus-system textarea") == "Be brief"
    assert await compare.page.locator("#pg-compare .pg-message-text").first.input_value() == "Say hello"
    assert await compare.column(2).locator("input[type=number]").input_value() == "7"


async def test_use_this_takes_model_and_settings_to_chat_and_the_others_keep_theirs(
    compare: Compared, fake_app: Any
) -> None:
    await compare.models("server/fake", "server/other")
    await compare.column(1).get_by_text("Use this").click()
    await compare.screen.until("document.body.dataset.mode === 'chat'")
    compare.screen.scope = "chat"
    await compare.screen.until("document.querySelector('#pg-model input').value === 'server/other'")
    await compare.screen.until("document.querySelector('#pg-param-temperature').value === '0'")
    await compare.screen.asked("Hello")
    run = fake_app.last_run()
    assert (run.model, run.effective_request["temperature"]) == ("other", 0)
    await compare.screen.tab("compare")
    own = compare.column(0).locator(".pg-param[data-name=temperature] input[type=number]")
    assert await own.input_value() == "1"
    assert await compare.column(1).locator(".pg-param").count() == 0


async def test_a_removed_column_comes_back_by_undo(compare: Compared) -> None:
    await compare.models("server/a", "server/b", "server/c")
    await compare.column(1).get_by_label("Remove this column").click()
    assert await compare.chosen() == ["server/a", "server/c"]
    assert await compare.column(0).get_by_label("Remove this column").is_hidden()
    await compare.page.click("#pg-compare .pg-undo")
    assert await compare.chosen() == ["server/a", "server/b", "server/c"]


async def test_the_picker_takes_chats_conversation_to_compare(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app, model="server/fake")
    await screen.tab("chat")
    await screen.asked("Say hello")
    await screen.page.click("#pg-model >> text=Compare with…")
    await screen.until("document.body.dataset.mode === 'compare'")
    tab = Compared(screen)
    assert await tab.chosen() == ["server/fake", "server/fake"]
    written = await screen.page.eval_on_selector_all("#pg-compare .pg-message-text", "all => all.map(n => n.value)")
    assert written == ["Say hello", "Hello, world!", ""]
    assert await tab.asked("And now?") == ["Hello, world!"] * 2
    assert [said["content"] for said in fake_app.last_run().effective_request["messages"]] == [
        "Say hello",
        "Hello, world!",
        "And now?",
    ]


async def test_two_runs_of_the_history_are_asked_again_in_compare(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app, model="server/fake")
    await screen.run("Compare me: zebra")
    await screen.set("temperature", "0.3")
    await screen.run("Compare me: zebra")
    await screen.tab("history")
    await screen.page.fill("#pg-filter-text", "zebra")
    await screen.until("document.querySelectorAll('.pg-run').length === 2")
    for box in await screen.page.locator(".pg-run input").all():
        await box.check()
    await screen.page.click(".pg-history-bar >> text=Compare")
    await screen.page.click(".pg-dialog >> text=Ask both again")
    await screen.until("document.body.dataset.mode === 'compare'")
    tab = Compared(screen)
    assert await screen.page.input_value("#pg-compare .pg-versus-paper textarea") != ""
    assert await tab.column(1).locator(".pg-param[data-name=temperature] input[type=number]").input_value() == "1"
    assert await tab.column(0).locator(".pg-param").count() == 0


async def test_each_column_says_what_its_next_run_reads_as_one_types(compare: Compared) -> None:
    await compare.page.locator("#pg-compare .pg-message-text").last.fill("One two three")
    for place in (0, 1):
        cell = compare.column(place).locator(".pg-versus-setup .pg-cell[data-key=prompt]")
        await cell.wait_for()
        assert "tokens" in await cell.inner_text()


async def test_a_variables_value_counts_as_soon_as_it_is_written(compare: Compared) -> None:
    await compare.page.locator("#pg-compare .pg-message-text").last.fill("About {{what}}")
    cell = compare.column(1).locator(".pg-versus-setup .pg-cell[data-key=prompt] .pg-cell-value")
    await cell.wait_for()
    written = "document.querySelector('.pg-versus-setup [data-key=prompt] .pg-cell-value').textContent"
    count = f"parseInt({written}.replace(/[^0-9]/g, ''))"
    before = await compare.page.evaluate(count)
    await compare.page.locator(".pg-variable textarea").first.fill("a long text " * 50)
    await compare.screen.until(f"{count} > {before + 50}")


async def test_an_empty_question_is_said_and_nothing_is_sent(compare: Compared, fake_app: Any) -> None:
    before = len(fake_app.deps.store.runs(limit=500))
    await compare.page.click(SUBMIT)
    await compare.page.locator("#pg-compare").get_by_text("Write what all columns answer.").wait_for()
    assert len(fake_app.deps.store.runs(limit=500)) == before


async def test_code_link_and_preset_are_those_of_the_chosen_column(compare: Compared, fake_app: Any) -> None:
    page = compare.page
    await compare.models("server/code-one", "server/code-two")
    await page.locator("#pg-compare .pg-message-text").last.fill("Say hello to {{who}}")
    await page.locator(".pg-variable textarea").first.fill("Ada")
    await page.click("#pg-toolbar >> text=View code")
    code = page.locator(".pg-dialog .pg-code")
    await code.wait_for()
    assert '"model": "code-one"' in await code.inner_text()
    await page.select_option("#pg-of-column", "1")
    await compare.screen.until("document.querySelector('.pg-dialog .pg-code').textContent.includes('code-two')")
    sent = json.loads(await code.inner_text())
    assert (sent["messages"][-1]["content"], sent["temperature"]) == ("Say hello to Ada", 0)
    await page.click(".pg-dialog [aria-label=Close]")
    await page.click("#pg-toolbar >> text=Save")
    await page.select_option("#pg-of-column", "1")
    await page.fill("#pg-name", "from a column")
    await page.keyboard.press("Enter")
    await page.locator(".pg-toast").get_by_text("from a column").wait_for()
    (kept,) = [row.content for row in fake_app.deps.store.presets() if row.name == "from a column"]
    assert (kept["mode"], kept["model"], kept["params"]["temperature"]) == ("chat", "server/code-two", 0)
    assert kept["messages"][-1]["content"] == "Say hello to {{who}}"
    await page.click("#pg-toolbar >> text=Share")
    link = page.locator(".pg-share-link")
    await link.wait_for()
    assert "not the whole comparison" in await page.inner_text(".pg-dialog")
    first = await link.input_value()
    await page.select_option("#pg-of-column", "1")
    await compare.screen.until(f"document.querySelector('.pg-share-link').value !== {json.dumps(first)}")


async def test_nothing_of_the_header_tells_whose_a_blind_answer_is(compare: Compared) -> None:
    await compare.page.locator(".pg-versus-choice input").nth(0).check()
    await compare.asked("Say hello")
    for name in ("View code", "Share", "Save"):
        await compare.page.click(f"#pg-toolbar >> text={name}")
        await compare.page.locator(".pg-toast").get_by_text("Vote first").wait_for()
        await compare.page.locator(".pg-toast [aria-label=Close]").click()
        assert not await compare.page.locator(".pg-dialog").first.is_visible()
