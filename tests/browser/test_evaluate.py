"""The Evaluate tab over the real engine: a base against its fine-tune and checkpoint, down to each answer.

The model is so small that training and asking take seconds; what it answers is not the point, that it is told truly is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from playground.engine.weights import find
from playground.evaluate import table
from playground.evaluate.results import load
from tests.browser.conftest import App, _running, _settings
from tests.fakes import tiny_gguf

pytestmark = pytest.mark.engine
TAB = "#pg-evaluate"
TABLE = f"{TAB} .pg-evaluate-table"
LONG = 120_000
CASES = [{"id": f"c{n}", "prompt": f"{n} ->", "expected": "odd" if n % 2 else "even"} for n in range(200, 212)]


@pytest.fixture(scope="module")
def tuned_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """With a fine-tune of two epochs, one checkpoint and test cases."""
    tiny = tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf", layers=2, tokenizer_of=find(None).path)
    for app in _running(_settings(tmp_path_factory, engine=True, model_path=tiny, timeout=60.0)):
        app.deps.store.datasets.save("d", "parity", CASES)
        train(app)
        yield app


def train(app: App) -> None:
    engine = app.deps.engine
    assert engine is not None
    until = time.monotonic() + 120
    while engine.state.phase != "ready":
        assert time.monotonic() < until, engine.state
        time.sleep(0.1)
    where = engine.endpoint
    headers = {"Authorization": f"Bearer {where.api_key}"}
    with httpx.Client(base_url=where.base_url, headers=headers, timeout=60) as http:
        lines = [{"prompt": f"{n} ->", "completion": f" {'odd' if n % 2 else 'even'}\n"} for n in range(100)]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        file = http.post("/files", data={"purpose": "fine-tune"}, files={"file": ("t.jsonl", content)}).json()
        numbers = {"n_epochs": 2, "batch_size": 4}
        body = {"model": "tiny", "training_file": file["id"], "hyperparameters": numbers, "seed": 1}
        job = http.post("/fine_tuning/jobs", json=body).json()["id"]
        while (said := http.get(f"/fine_tuning/jobs/{job}").json())["status"] != "succeeded":
            assert time.monotonic() < until, said
            time.sleep(0.2)


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, tuned_app: App) -> Any:
    opened = await visits(tuned_app, model="local/tiny")
    await opened.tab("evaluate")
    return opened


def tune(app: App) -> str:
    """The fine-tune, as a model is named."""
    return next(info.ref for info in app.deps.models if info.id.startswith("ft:") and "ckpt" not in info.id)


async def fill(page: Any, app: App) -> None:
    """Cases, the fine-tune with its family, and how it is asked."""
    await page.select_option(f"{TAB} [data-field=dataset] select", "parity")
    box = page.locator(f"{TAB} [data-field=models] .pg-picker-input")
    await box.fill(tune(app))
    await box.press("Enter")
    await page.click(f"{TAB} >> text=Add its base and checkpoints (2)")
    await page.click(f"{TAB} >> text=Stop at its ending")
    await page.select_option(f"{TAB} [data-field=mode] select", "complete")
    await page.fill(f"{TAB} [data-field=max_tokens] input", "4")


async def run(page: Any) -> None:
    await page.locator(f"{TAB} .pg-sweep-estimate:not(.pg-sweep-stale) .pg-cell[data-key=sweep_calls]").wait_for()
    await page.click(f"{TAB} .pg-sweep-go")
    await page.locator(f"{TAB} .pg-sweep-now [data-status=succeeded]").wait_for(timeout=LONG)
    await page.locator(f"{TABLE} [data-figure='exact_match mean']").wait_for(timeout=LONG)
    await page.locator(f"{TABLE} thead", has_text=f"{len(CASES)} answered").wait_for(timeout=LONG)


async def test_a_base_its_fine_tune_and_a_checkpoint_become_one_table_and_each_answer_can_be_read(
    screen: Any, tuned_app: App
) -> None:
    page, model = screen.page, tune(tuned_app)
    await fill(page, tuned_app)
    assert await page.input_value(f"{TAB} [data-field=baseline] select") == "local/tiny"
    assert await page.input_value(f"{TAB} [data-field=stop] textarea") == "\\n"
    await page.click(f"{TAB} >> text=Compare with its training file")
    for name in ("label", "chrf", "distinct", "domain"):
        await page.check(f"{TAB} [data-metric={name}] > label input")
    training = f"{TAB} [data-field=training] select"
    await page.wait_for_function(f"document.querySelector('{training}').value.startsWith('training ft:')")
    await run(page)

    (row,) = [each for each in tuned_app.deps.store.sweeps.listed() if each.spec.get("training")]
    said = table.table(load(tuned_app.deps.store, row.id))
    assert [each["model"] for each in said["systems"]] == [model, "local/tiny", f"{model}:ckpt-step-25"]
    assert said["spec"]["parameters"] == {"temperature": 0, "max_tokens": 4, "stop": ["\n"]}
    heads = await page.locator(f"{TABLE} thead th > span").all_inner_texts()
    assert heads == [each["name"] for each in said["systems"]]
    figures = await page.locator(f"{TABLE} tr[data-figure]").evaluate_all(
        "rows => rows.map((row) => row.dataset.figure)"
    )
    assert figures == [f"{each['name']} {each['kind']}" for each in said["columns"]]
    assert {"macro_f1 corpus", "off_domain mean", "chrf corpus"} <= set(figures)
    cells = page.locator(f"{TABLE} tr[data-figure='chrf corpus'] td")
    found = next(each for each in said["columns"] if (each["name"], each["kind"]) == ("chrf", "corpus"))
    assert f"{found['figures'][1]['value']:.3g}" in (await cells.nth(1).inner_text())
    assert "compared with this" in await cells.nth(1).inner_text()
    assert "p = " in await cells.nth(0).inner_text()
    assert await page.locator(f"{TABLE} td[data-best]").count() == sum(
        each["verdict"]["winner"] is not None for each in said["columns"]
    )
    assert await page.locator(f"{TAB} .pg-evaluate-matrix").count() == 3
    assert await page.locator(f"{TAB} .pg-evaluate-chart").count() == len(said["columns"])
    off = said["off_domain"]["count"]
    await page.locator(f"{TAB} h3", has_text=f"Answers off the domain: {off}").wait_for()

    # Another baseline, and disagreement by another measure, down to an answer.
    await page.select_option(f"{TAB} .pg-evaluate-against select", model)
    await page.locator(f"{TABLE} tr[data-figure='chrf corpus'] td >> nth=0", has_text="compared with this").wait_for()
    await page.select_option(f"{TAB} .pg-evaluate-by select", "chrf")
    answers = page.locator(f"{TAB} .pg-evaluate-answers tbody .pg-sweep-answer")
    await answers.first.click()
    await page.locator(".pg-sweep-detail[open]", has_text=" ->").wait_for()
    await page.keyboard.press("Escape")

    async with page.expect_download() as waiting:
        await page.click(f"{TAB} >> text=Save as JSON")
    kept = json.loads(await screen.downloaded(await waiting.value))
    assert (kept["baseline"], len(kept["outputs"])) == (0, 3 * len(CASES))


async def test_an_evaluation_is_there_after_a_reload_and_can_be_deleted(screen: Any, tuned_app: App) -> None:
    page = screen.page
    await fill(page, tuned_app)
    await page.fill(f"{TAB} [data-field=name] input", "to be deleted")
    await run(page)
    await page.reload()
    await page.locator(f"{TABLE} [data-figure='exact_match mean']").wait_for(timeout=LONG)
    assert await page.input_value(f"{TAB} [data-field=name] input") == "to be deleted"
    await page.click(f"{TAB} .pg-sweep-past summary")
    mine = page.locator(f"{TAB} .pg-sweep-item", has_text="to be deleted")
    await mine.locator(".pg-icon").click()
    await page.click(f"{TAB} >> text=Delete it for good")
    await page.locator(TABLE).wait_for(state="detached")
    assert "to be deleted" not in [row.name for row in tuned_app.deps.store.sweeps.listed()]


async def test_what_is_missing_is_said_where_it_belongs_and_nothing_is_asked(screen: Any, tuned_app: App) -> None:
    page = screen.page
    before = len(tuned_app.deps.store.sweeps.listed())
    await fill(page, tuned_app)
    await page.uncheck(f"{TAB} [data-metric=exact_match] > label input")
    await page.click(f"{TAB} .pg-sweep-go")
    await page.locator(f"{TAB} [data-field=metrics] > .pg-wrong", has_text="Choose at least one metric").wait_for()
    await page.check(f"{TAB} [data-metric=regex] > label input")
    await page.click(f"{TAB} .pg-sweep-go")
    await page.locator(f"{TAB} [data-field=metrics] > .pg-wrong", has_text="needs pattern").wait_for()
    assert len(tuned_app.deps.store.sweeps.listed()) == before
