"""The Datasets tab: a file dropped, its columns told, cases browsed, edited, deleted, brought back, split, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_asyncio

from playground.evaluate.dataset_files import read_dataset

TWEETS = "tweet,feeling,tags\n" + "".join(
    f"Tweet {at} <img src=x onerror=alert(1)>,{'good' if at % 2 else 'bad'},=tag\n" for at in range(130)
)


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    for row in fake_app.deps.store.datasets.listed():
        fake_app.deps.store.datasets.delete(row.id)
    opened = await visits(fake_app)
    await opened.tab("datasets")
    return opened


def kept(app: Any, name: str) -> list[Any]:
    """The cases of the dataset of that name."""
    datasets = app.deps.store.datasets
    return list(datasets.cases(datasets.named(name))[1])


async def bring(screen: Any, folder: Path, *, text: str = TWEETS, name: str = "tweets.csv") -> None:
    """Drop a file, say that the second column is the answer, and import it."""
    (folder / name).write_text(text, encoding="utf-8")
    await screen.page.locator("#pg-datasets input[type=file]").set_input_files(folder / name)
    if name.endswith("csv"):
        await screen.page.get_by_label("What the column feeling is").select_option("expected")
        await screen.page.locator(".pg-ds-import td", has_text="bad").nth(1).wait_for()
    await screen.page.get_by_role("button", name="Import").click()
    await screen.page.locator(".pg-ds-head h2", has_text=name.partition(".")[0]).wait_for()
    await screen.page.locator(".pg-ds-row").first.wait_for()


async def places(screen: Any) -> list[str]:
    return list(await screen.page.locator(".pg-ds-row .pg-run-facts > :first-child").all_inner_texts())


async def test_a_files_name_is_shown_as_text(screen: Any, tmp_path: Path) -> None:
    name = "<img src=x onerror=window.pwned=1>"
    await bring(screen, tmp_path, name=f"{name}.csv")
    await screen.page.locator(".pg-ds-head h2", has_text=name).wait_for()
    assert await screen.page.locator("#pg-datasets img").count() == 0
    assert await screen.page.evaluate("window.pwned") is None


async def test_a_file_is_brought_in_browsed_and_filtered(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    assert kept(fake_app, "tweets")[1] == {
        "id": "2",
        "variables": {"tweet": "Tweet 1 <img src=x onerror=alert(1)>"},
        "expected": "good",
        "tags": ["=tag"],
    }
    assert "Tweet 0 <img src=x onerror=alert(1)>" in await screen.page.inner_text(".pg-ds-row >> nth=0")
    assert "1–50 of 130" in await screen.page.inner_text(".pg-ds-pager")
    await screen.page.get_by_role("button", name="Next page").click()
    await screen.page.locator(".pg-ds-row[data-id='51']").wait_for()
    await screen.page.get_by_role("button", name="good 65").click()
    await screen.page.locator(".pg-history-bar", has_text="65 of 130 cases").wait_for()
    await screen.page.fill(".pg-ds-one input[type=search]", "TWEET 97")
    await screen.until("document.querySelectorAll('.pg-ds-row').length === 1")
    assert await places(screen) == ["#98"]
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator(".pg-ds-row[data-id='1']").wait_for()


async def test_a_case_is_edited_in_its_place_and_one_is_added(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    await screen.page.click(".pg-ds-row[data-id='2'] .pg-ds-open")
    form = screen.page.locator(".pg-ds-case")
    await form.get_by_label("Expected answer").fill("better")
    await form.get_by_label("Value").fill("Otro tweet")
    await form.get_by_label("Tags").fill("one, two; one")
    await form.get_by_label("Value").press("Control+Enter")
    await screen.page.locator(".pg-ds-row[data-id='2']", has_text="Otro tweet").wait_for()
    assert kept(fake_app, "tweets")[1] == {
        "id": "2",
        "variables": {"tweet": "Otro tweet"},
        "expected": "better",
        "tags": ["one", "two"],
    }
    await screen.page.get_by_role("button", name="Add a case").click()
    await form.get_by_label("What the case asks itself").select_option("messages")
    await form.get_by_label("Message").fill("Hello")
    await form.get_by_role("button", name="Save").click()
    await form.wait_for(state="detached")
    assert kept(fake_app, "tweets")[-1]["messages"] == [{"role": "user", "content": "Hello"}]


async def test_a_case_that_is_refused_stays_as_it_was_written(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    await screen.page.click(".pg-ds-row[data-id='2'] .pg-ds-open")
    form = screen.page.locator(".pg-ds-case")
    await form.get_by_label("name", exact=True).fill("two words")
    await form.get_by_role("button", name="Save").click()
    await form.locator(".pg-notice", has_text="two words").wait_for()
    assert await form.get_by_label("name", exact=True).input_value() == "two words"
    await form.get_by_label("name", exact=True).press("Escape")
    await form.wait_for(state="detached")
    assert kept(fake_app, "tweets")[1]["variables"] == {"tweet": "Tweet 1 <img src=x onerror=alert(1)>"}


async def test_two_windows_that_edit_one_case_see_each_others_text(
    screen: Any, visits: Any, fake_app: Any, tmp_path: Path
) -> None:
    await bring(screen, tmp_path)
    other = await visits(fake_app)
    await other.tab("datasets")
    for window in (screen, other):
        await window.page.click(".pg-ds-row[data-id='3'] .pg-ds-open")
        await (
            window.page.locator(".pg-ds-case").get_by_label("Expected answer").fill("mine" if window is screen else "x")
        )
    await screen.page.locator(".pg-ds-case").get_by_role("button", name="Save").click()
    await screen.page.locator(".pg-ds-case").wait_for(state="detached")
    await other.page.locator(".pg-ds-case").get_by_role("button", name="Save").click()
    await other.page.locator(".pg-ds-conflict", has_text="mine").wait_for()
    assert kept(fake_app, "tweets")[2]["expected"] == "mine"
    await other.page.get_by_role("button", name="Save mine over it").click()
    await other.page.locator(".pg-ds-case").wait_for(state="detached")
    assert kept(fake_app, "tweets")[2]["expected"] == "x"


async def test_what_is_deleted_comes_back(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    before = kept(fake_app, "tweets")
    await screen.page.locator(".pg-ds-row > input").nth(0).check()
    await screen.page.locator(".pg-ds-row > input").nth(2).check()
    await screen.page.get_by_role("button", name="Delete 2").click()
    await screen.page.locator(".pg-ds-undo", has_text="Cases deleted: 2").wait_for()
    await screen.page.locator(".pg-ds-row[data-id='1']").wait_for(state="detached")
    assert [case["id"] for case in kept(fake_app, "tweets")[:2]] == ["2", "4"]
    await screen.page.locator(".pg-ds-undo").get_by_role("button", name="Undo").click()
    await screen.page.locator(".pg-ds-row[data-id='1']").wait_for()
    assert kept(fake_app, "tweets") == before
    await screen.page.locator(".pg-ds-verbs").get_by_role("button", name="Delete").click()
    await screen.page.locator(".pg-ds-empty").wait_for()
    await screen.page.locator(".pg-ds-undo").get_by_role("button", name="Undo").click()
    await screen.page.locator(".pg-ds-row[data-id='1']").wait_for()
    assert kept(fake_app, "tweets") == before


async def test_a_dataset_is_renamed_copied_and_split(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    await screen.page.locator(".pg-ds-verbs").get_by_role("button", name="Rename").click()
    await screen.page.locator(".pg-ds-form").get_by_label("Name").fill("feelings")
    await screen.page.locator(".pg-ds-form").get_by_label("Name").press("Enter")
    await screen.page.locator(".pg-ds-head h2", has_text="feelings").wait_for()
    await screen.page.locator(".pg-ds-verbs").get_by_role("button", name="Copy").click()
    await screen.page.locator(".pg-ds-head h2", has_text="feelings (2)").wait_for()
    await screen.page.locator(".pg-ds-verbs").get_by_role("button", name="Split").click()
    form = screen.page.locator(".pg-ds-form")
    await form.get_by_label("Second part, cases").fill("30")
    await form.get_by_label("Name of the first part").fill("feelings")
    await form.get_by_label("Name of the second part").fill("held out")
    await form.get_by_role("button", name="Split").click()
    await form.locator(".pg-notice", has_text="Another dataset is called").wait_for()
    await form.get_by_label("Name of the first part").fill("trained")
    await form.get_by_role("button", name="Split").click()
    await screen.page.locator(".pg-ds-head h2", has_text="trained").wait_for()
    assert [len(kept(fake_app, name)) for name in ("feelings", "feelings (2)", "trained", "held out")] == [
        130,
        130,
        100,
        30,
    ]
    answers = [case["expected"] for case in kept(fake_app, "held out")]
    assert answers.count("good") == 15


async def test_an_export_is_read_back_to_the_same_cases(screen: Any, fake_app: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    for name in ("CSV", "JSONL"):
        async with screen.page.expect_download() as download:
            await screen.page.locator(".pg-ds-verbs").get_by_role("button", name=f"Export {name}", exact=True).click()
        saved = await download.value
        assert saved.suggested_filename == f"tweets.{name.lower()}"
        again = read_dataset((await screen.downloaded(saved)).encode(), saved.suggested_filename).dataset
        assert [(case.id, case.variables, case.expected, list(case.tags)) for case in again.cases] == [
            (case["id"], case["variables"], case["expected"], case["tags"]) for case in kept(fake_app, "tweets")
        ]


async def test_a_file_that_is_no_table_is_refused_in_words_and_the_page_stays(screen: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text(json.dumps({"prompt": "a"}) + "\n{broken")
    await screen.page.locator("#pg-datasets input[type=file]").set_input_files(tmp_path / "broken.jsonl")
    await screen.page.locator(".pg-ds-main .pg-notice", has_text="Line 2").wait_for()


async def test_on_a_phone_nothing_is_wider_than_the_screen(visits: Any, fake_app: Any, tmp_path: Path) -> None:
    phone = await visits(fake_app, locale="es-ES", width=390, height=844)
    await phone.tab("datasets")
    (tmp_path / "d.jsonl").write_text(json.dumps({"prompt": "x" * 500, "expected": "y" * 500}) + "\n" + "{}")
    await phone.page.locator("#pg-datasets input[type=file]").set_input_files(tmp_path / "d.jsonl")
    await phone.page.get_by_role("button", name="Importar").click()
    await phone.page.locator(".pg-ds-open").first.click()
    await phone.page.locator(".pg-ds-case").wait_for()
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_runs_of_the_history_become_a_dataset_that_one_click_opens(screen: Any, fake_app: Any) -> None:
    await screen.tab("complete")
    await screen.choose("server/fake")
    await screen.run("A capybara in the bath")
    await screen.tab("history")
    await screen.page.fill("#pg-filter-text", "capybara")
    await screen.until("document.querySelectorAll('.pg-run').length === 1")
    await screen.page.get_by_role("button", name="As test cases").click()
    await screen.page.locator(".pg-history dialog").get_by_label("Name").fill("capybaras")
    await screen.page.locator(".pg-history dialog").get_by_label("Name").press("Enter")
    await screen.page.locator(".pg-toast").get_by_role("button", name="Open it").click()
    await screen.page.locator(".pg-ds-head h2", has_text="capybaras").wait_for()
    await screen.page.locator(".pg-ds-row", has_text="A capybara in the bath").wait_for()
    (case,) = kept(fake_app, "capybaras")
    assert (case["prompt"], case["expected"]) == ("A capybara in the bath", "Hello, world!")


async def test_the_validation_half_of_a_training_set_becomes_a_dataset(
    screen: Any, fake_app: Any, tmp_path: Path
) -> None:
    await screen.tab("finetune")
    (tmp_path / "feelings.csv").write_text(
        "prompt,completion\n" + "".join(f"Tweet {n},{'good' if n % 2 else 'bad'}\n" for n in range(40))
    )
    await screen.page.locator("#pg-prepare input[type=file]").set_input_files(tmp_path / "feelings.csv")
    await screen.page.locator("#pg-prepare").get_by_role("button", name="Validation half as test cases").click()
    await screen.page.locator(".pg-toast").get_by_role("button", name="Open it").click()
    await screen.page.locator(".pg-ds-head h2", has_text="feelings_prepared_valid").wait_for()
    assert {case["expected"] for case in kept(fake_app, "feelings_prepared_valid")} == {"good", "bad"}


async def test_a_dataset_is_what_the_sweep_and_the_evaluate_tab_ask(screen: Any, tmp_path: Path) -> None:
    await bring(screen, tmp_path)
    for tab in ("Sweep", "Evaluate"):
        await screen.tab("datasets")
        await screen.page.get_by_role("button", name=f"Use in {tab}").click()
        await screen.until(f"document.body.dataset.mode === '{tab.lower()}'")
        panel = screen.page.locator(f"#pg-panel-{tab.lower()}")
        await panel.locator(".pg-sweep-dataset small", has_text="{{tweet}}").wait_for()
        assert await panel.locator("[data-field='dataset'] select").input_value() == "tweets"
