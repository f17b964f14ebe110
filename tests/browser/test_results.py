"""The Results tab: files become charts, each with a verdict; what was set stays; what cannot be read is said."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

HOSTILE = "<img src=x onerror=window.pwned=1>"


def current(rows: int, *, valid_every: int = 5) -> str:
    """A run whose training loss falls and whose validation loss turns after the middle."""
    lines = ["step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"]
    for step in range(1, rows + 1):
        train = 2 * math.exp(-step / (rows / 4)) + 0.02 * math.sin(step * 7)
        valid = 0.8 + abs(step - rows / 2) / rows + 0.01 * math.sin(step * 3) if step % valid_every == 0 else ""
        lines.append(f"{step},{train:.5f},{1 - train / 4:.5f},{valid},{0.7 if valid else ''}")
    return "\n".join(lines) + "\n"


LEGACY = "step,elapsed_tokens,elapsed_examples,training_loss,training_token_accuracy\n" + "".join(
    f"{step},{step * 128},{step * 4},{3 / step:.4f},{step / 40:.4f}\n" for step in range(1, 31)
)


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app, model="server/fake")
    await opened.tab("results")
    return opened


async def drop(screen: Any, folder: Path, files: dict[str, str | bytes], *, plots: bool = True) -> None:
    paths = []
    for name, text in files.items():
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(str(path))
    async with screen.page.expect_file_chooser() as chooser:
        await screen.page.click(".pg-results .pg-dropzone button")
    await (await chooser.value).set_files(paths)
    if plots:
        await screen.page.locator(".pg-plot canvas").first.wait_for()


async def titles(screen: Any) -> list[str]:
    return list(await screen.page.locator(".pg-plot figcaption").all_inner_texts())


async def legend(screen: Any, at: int) -> list[str]:
    labels = screen.page.locator(".pg-plot").nth(at).locator(".u-series:not([hidden]) .u-label")
    return list(await labels.all_inner_texts())


async def test_a_file_becomes_charts_with_training_and_validation_together(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"job.csv": current(200)})
    assert await titles(screen) == ["Loss", "Token accuracy"]
    assert await legend(screen, 0) == ["Step", "train_loss", "valid_loss"]
    verdict = screen.page.locator(".pg-verdict")
    assert await verdict.get_attribute("data-kind") == "overfitting"
    assert "valid_loss" in await verdict.inner_text()
    assert "Rows: 200, with validation: 40" in await screen.page.inner_text(".pg-result-file header")
    table = await screen.page.inner_text(".pg-result-table")
    assert "learns by heart" in table
    assert await screen.page.locator(".pg-plot p").inner_text() == (
        "With completions of this length in tokens (1), a wrong answer may still score about 0.67: "
        "OpenAI's accuracy reportedly counts two hidden end tokens as well."
    )


async def test_runs_lie_over_each_other_and_each_can_be_hidden(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"new.csv": current(60), "old.csv": LEGACY})
    assert await titles(screen) == ["Loss", "Token accuracy"]
    assert await legend(screen, 0) == [
        "Step",
        "new.csv · train_loss",
        "new.csv · valid_loss",
        "old.csv · training_loss",
    ]
    await screen.page.click(".pg-swatch >> nth=1")
    hidden = screen.page.locator(".pg-plot").first.locator(".u-series.u-off .u-label")
    assert await hidden.all_inner_texts() == ["old.csv · training_loss"]
    await screen.page.locator(".pg-result-control select").select_option("tokens")
    await screen.until("document.querySelector('.pg-plot .u-label').textContent === 'Tokens seen'")


async def test_what_was_set_stays_through_smoothing_zoom_and_a_reload(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"job.csv": current(400)})
    await screen.page.locator(".pg-result-control input[type=range]").fill("0.9")
    await screen.until("document.querySelectorAll('.pg-plot:first-child .u-series[hidden]').length === 2")
    box = await screen.page.locator(".pg-plot .u-over").first.bounding_box()
    await screen.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    await screen.page.mouse.down()
    await screen.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=4)
    await screen.page.mouse.up()
    reset = screen.page.locator(".pg-result-bar .pg-button >> text=Reset zoom")
    await screen.until("!document.querySelector('.pg-result-bar .pg-button').disabled")
    await screen.page.locator(".pg-result-control input[type=range]").fill("0.5")
    await screen.page.wait_for_timeout(400)
    assert await reset.is_enabled()
    await reset.click()
    assert await reset.is_disabled()
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator(".pg-plot canvas").first.wait_for()
    assert await screen.page.input_value(".pg-result-control input[type=range]") == "0.5"
    assert "job.csv" in await screen.page.inner_text(".pg-result-file")


async def test_rows_are_shown_in_parts_and_files_are_given_out(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"job.csv": current(150)})
    await screen.page.click(".pg-result-table >> text=Show rows")
    await screen.until("document.querySelectorAll('.pg-result-rows tbody tr').length === 100")
    await screen.page.click(".pg-result-table >> text=Show rows")
    await screen.until("document.querySelectorAll('.pg-result-rows tbody tr').length === 150")
    async with screen.page.expect_download() as download:
        await screen.page.click(".pg-result-file .pg-link")
    rows = list(csv.DictReader(io.StringIO(await screen.downloaded(await download.value))))
    assert len(rows) == 150
    assert rows[0]["valid_loss"] == ""
    async with screen.page.expect_download() as download:
        await screen.page.click(".pg-result-bar >> text=HTML report")
    report = await screen.downloaded(await download.value)
    assert 'class="floor"' in report
    assert report.startswith("<!doctype html>")
    assert "<script" not in report
    async with screen.page.expect_download() as download:
        await screen.page.click(".pg-result-bar >> text=PNG")
    picture = await (await download.value).path()
    assert Path(picture).read_bytes().startswith(b"\x89PNG")  # noqa: ASYNC240


async def test_the_report_is_drawn_as_the_charts_are_and_says_how(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"job.csv": current(150)})
    await screen.page.fill(".pg-result-control input[type=range]", "0.6")
    await screen.page.check(".pg-result-control input[type=checkbox]")
    await screen.page.locator(".pg-plot").first.locator(".u-series:not([hidden])").nth(2).click()
    async with screen.page.expect_download() as download:
        await screen.page.click(".pg-result-bar >> text=HTML report")
    report = await screen.downloaded(await download.value)
    assert "(smoothing 0.6). The vertical scale is logarithmic." in report
    assert 'aria-label="Loss: train_loss"' in report
    assert "<td>valid_loss</td>" in report


async def test_a_file_that_cannot_be_read_is_said_and_the_others_open(screen: Any, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "good.csv": current(40),
        "nosteps.csv": "epoch,loss\n1,2\n",
        "cell.csv": "step,train_loss\n1,0.5\n2,abc\n",
        "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "empty.csv": "",
    }
    await drop(screen, tmp_path, files)
    said = await screen.page.inner_text(".pg-results > .pg-notice")
    assert all(name in said for name in files if name != "good.csv")
    assert "Line 3, column 'train_loss'" in said
    assert await screen.page.locator(".pg-result-file").count() == 1


async def test_names_in_a_file_are_shown_as_text(screen: Any, tmp_path: Path) -> None:
    rows = "".join(f"{step},{3 / step}\n" for step in range(1, 25))
    await drop(screen, tmp_path, {f"{HOSTILE.replace('/', '')}.csv": f'step,"{HOSTILE} loss"\n{rows}'})
    assert await screen.page.evaluate("window.pwned") is None
    assert any(HOSTILE in label for label in await legend(screen, 0))


async def pick(screen: Any, name: str) -> None:
    await screen.page.click(".pg-result-from button")
    await screen.page.locator(".pg-result-job").filter(has_text=re.compile(rf"{name}\b")).first.click()
    await screen.page.locator(".pg-plot canvas").first.wait_for()


async def test_a_job_is_picked_and_a_checkpoint_answers_beside_base_and_final(screen: Any, fake: Any) -> None:
    name = fake.training.run("gpt-4.1-nano")
    await pick(screen, name)
    marks = screen.page.locator(".pg-plot").first.locator(".pg-checkpoint")
    assert await marks.count() == len(fake.training.checkpoints[name])
    await marks.first.click()
    await screen.until("document.body.dataset.mode === 'compare'")
    boxes = screen.page.locator("#pg-compare .pg-picker-input")
    await boxes.nth(2).wait_for()
    models = await boxes.evaluate_all("all => all.map(n => n.value)")
    assert models[0] == "server/gpt-4.1-nano"
    assert models[1] == f"{models[2]}:ckpt-step-{fake.training.checkpoints[name][0]['step_number']}"
    await screen.page.locator("#pg-compare .pg-message-text").last.fill("Say this is a test")
    await screen.page.keyboard.press("Control+Enter")
    texts = "[...document.querySelectorAll('.pg-versus-answer')].map((each) => each.textContent)"
    await screen.until(f"{texts}.filter((text) => text === 'Hello, world!').length === 3")


async def test_what_the_legend_hides_stays_hidden_whatever_is_drawn_anew(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"job.csv": current(200)})
    hidden = screen.page.locator(".pg-plot").first.locator(".u-series.u-off .u-label")
    await screen.page.locator(".pg-plot").first.locator(".u-series .u-label", has_text="valid_loss").click()
    assert await hidden.all_inner_texts() == ["valid_loss"]
    await screen.page.get_by_label("Logarithmic").check()
    assert await hidden.all_inner_texts() == ["valid_loss"]
    await screen.page.locator(".pg-result-control input[type=range]").fill("0.9")
    await screen.until("document.querySelectorAll('.pg-plot:first-child .u-series[hidden]').length === 2")
    assert await hidden.locator("visible=true").all_inner_texts() == ["valid_loss"]
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator(".pg-plot canvas").first.wait_for()
    assert await hidden.locator("visible=true").all_inner_texts() == ["valid_loss"]


async def test_files_that_come_quickly_one_after_another_are_all_opened_up_to_twelve(
    screen: Any, tmp_path: Path
) -> None:
    for at in range(4):
        files = {f"run{at}-{each}.csv": current(30) for each in range(4)}
        paths = [tmp_path / name for name in files]
        for path, text in zip(paths, files.values(), strict=True):
            path.write_text(text)
        await screen.page.locator(".pg-results .pg-dropzone input").set_input_files(paths)
    await screen.page.locator(".pg-results > .pg-notice", has_text="At most 12 files").wait_for()
    await screen.until("document.querySelectorAll('.pg-result-file').length === 12")
    assert "At most 12 files" in await screen.page.inner_text(".pg-results > .pg-notice")
    await screen.page.reload()
    await screen.ready()
    await screen.until("document.querySelectorAll('.pg-result-file').length === 12")
    await screen.until("document.querySelector('.pg-plot')?.querySelectorAll('.u-series:not([hidden])').length === 25")


async def test_a_file_that_does_not_say_the_axis_is_not_drawn_on_it_and_says_so(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"new.csv": current(60), "old.csv": LEGACY})
    await screen.page.locator(".pg-result-control select").select_option("tokens")
    await screen.until("document.querySelector('.pg-plot .u-label').textContent === 'Tokens seen'")
    assert await legend(screen, 0) == ["Tokens seen", "old.csv · training_loss"]
    card = screen.page.locator(".pg-result-file", has_text="new.csv")
    assert "does not say “tokens seen”" in await card.inner_text()
    # Without the file that has them, the steps are drawn again, and said to be steps.
    await screen.page.locator(".pg-result-file", has_text="old.csv").get_by_label("Remove").click()
    await screen.page.locator(".pg-plot .u-label", has_text="Step").first.wait_for()


@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
async def test_what_is_set_for_the_charts_stands_in_one_line(
    visits: Any, fake_app: Any, tmp_path: Path, locale: str
) -> None:
    screen = await visits(fake_app, locale=locale)
    await screen.tab("results")
    await drop(screen, tmp_path, {"job.csv": current(40)})
    assert await screen.page.evaluate("document.querySelector('.pg-result-bar').offsetHeight") < 48


async def test_rows_stay_open_and_two_files_are_written_one_after_the_other(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"one.csv": current(40), "two.csv": current(40)})
    await screen.page.locator(".pg-result-table >> text=Show rows").first.click()
    await screen.until("document.querySelectorAll('.pg-result-rows tbody tr').length === 40")
    files: list[Any] = []
    screen.page.on("download", lambda file: files.append(file))
    for link in await screen.page.locator(".pg-result-file .pg-link").all():
        await link.click()
    while len(files) < 2:
        await screen.page.wait_for_timeout(50)
    assert {file.suggested_filename for file in files} == {"one-clean.csv", "two-clean.csv"}
    await screen.page.locator(".pg-swatch").nth(1).click()
    assert await screen.page.locator(".pg-result-rows tbody tr").count() == 40


async def test_a_double_click_shows_the_whole_again(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"job.csv": current(200)})
    over = screen.page.locator(".pg-plot .u-over").first
    box = await over.bounding_box()
    await screen.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    await screen.page.mouse.down()
    await screen.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=4)
    await screen.page.mouse.up()
    await screen.until("!document.querySelector('.pg-result-bar .pg-button').disabled")
    await screen.page.wait_for_timeout(400)
    await screen.page.mouse.dblclick(box["x"] + box["width"] * 0.4, box["y"] + 50)
    await screen.until("document.querySelector('.pg-result-bar .pg-button').disabled")


async def test_points_that_a_logarithm_does_not_have_are_said_to_be_left_out(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"zero.csv": "step,train_loss\n1,1\n2,0\n3,0.5\n"})
    await screen.page.get_by_label("Logarithmic").check()
    await screen.page.get_by_text("Points at or below 0 have no place").wait_for()


async def test_spanish_writes_its_numbers_one_way(visits: Any, fake_app: Any, tmp_path: Path) -> None:
    screen = await visits(fake_app, locale="es-ES")
    await screen.tab("results")
    await drop(screen, tmp_path, {"job.csv": current(12_000)})
    assert "Filas: 12.000, con validación: 2400" in await screen.page.inner_text(".pg-result-file header")
    assert "12.000" in await screen.page.inner_text(".pg-result-table")
    assert "0,7" in await screen.page.inner_text(".pg-result-table")


async def test_a_hidden_file_stays_hidden_over_a_reload_and_its_legend_brings_a_line_back(
    screen: Any, tmp_path: Path
) -> None:
    await drop(screen, tmp_path, {"one.csv": current(60), "two.csv": current(60)})
    await screen.page.locator(".pg-swatch").nth(1).click()
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator(".pg-plot canvas").first.wait_for()
    swatch = screen.page.locator(".pg-swatch").nth(1)
    assert await swatch.get_attribute("aria-pressed") == "false"
    off = screen.page.locator(".pg-plot").first.locator(".u-series.u-off .u-label")
    assert await off.all_inner_texts() == ["two.csv · train_loss", "two.csv · valid_loss"]
    await screen.page.locator(".pg-plot").first.locator("th", has_text="two.csv · valid_loss").press("Enter")
    assert await off.all_inner_texts() == ["two.csv · train_loss"]
    assert await swatch.get_attribute("aria-pressed") == "true"
    await screen.page.get_by_label("Logarithmic").check()
    assert await off.all_inner_texts() == ["two.csv · train_loss"]


async def test_a_zoom_does_not_outlive_the_file_it_was_made_on(screen: Any, tmp_path: Path) -> None:
    await drop(screen, tmp_path, {"long.csv": current(400), "short.csv": current(40)})
    box = await screen.page.locator(".pg-plot .u-over").first.bounding_box()
    await screen.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    await screen.page.mouse.down()
    await screen.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=4)
    await screen.page.mouse.up()
    reset = screen.page.locator(".pg-result-bar >> text=Reset zoom")
    await screen.until("!document.querySelector('.pg-result-bar .pg-button').disabled")
    await screen.page.locator(".pg-result-file", has_text="long.csv").get_by_label("Remove").click()
    await screen.until("document.querySelector('.pg-result-bar .pg-button').disabled")
    assert await reset.is_disabled()


async def test_what_a_logarithm_has_no_place_for_leaves_no_empty_chart(screen: Any, tmp_path: Path) -> None:
    rows = "".join(f"{step},0,{step / 50}\n" for step in range(1, 40))
    await drop(screen, tmp_path, {"zero.csv": f"step,train_loss,train_accuracy\n{rows}"})
    assert await screen.page.locator(".pg-plot canvas").count() == 2
    await screen.page.get_by_label("Logarithmic").check()
    loss = screen.page.locator(".pg-plot").first
    assert "have no place on a logarithmic scale" in await loss.inner_text()
    assert await loss.locator("canvas").count() == 0
    assert await screen.page.locator(".pg-plot canvas").count() == 1


async def test_a_picture_is_wide_enough_for_the_longest_name(visits: Any, fake_app: Any, tmp_path: Path) -> None:
    screen = await visits(fake_app, width=390, height=844)
    await screen.tab("results")
    await drop(screen, tmp_path, {f"{'a_long_name_' * 8}.csv": current(30), "b.csv": current(30)})
    async with screen.page.expect_download() as download:
        await screen.page.click(".pg-result-bar >> text=PNG")
    picture = Path(await (await download.value).path()).read_bytes()  # noqa: ASYNC240
    assert int.from_bytes(picture[16:20], "big") > 700  # the width that a PNG's header tells


async def test_figures_on_the_axes_are_round_whole_where_steps_are_and_told_apart(screen: Any) -> None:
    async def marks(low: float, high: float, increment: str) -> list[str]:
        code = f"(c => c.labels.tick(c.splits({low!r}, {high!r}, {increment})))(playground.charts)"
        return list(await screen.page.evaluate(code))

    assert await marks(0, 1_000_000, "200000") == ["0", "200K", "400K", "600K", "800K", "1M"]
    assert await marks(654_300, 654_340, "10") == ["654.3K", "654.31K", "654.32K", "654.33K", "654.34K"]
    assert await marks(1, 4, "c.increments(1, 4, true)[0]") == ["1", "2", "3", "4"]
    assert await marks(0, 3e-6, "1e-6") == ["0", "0.000001", "0.000002", "0.000003"]
    huge = await screen.page.evaluate(
        "(c => c.labels.level(c.splits(0, 6e301, c.increments(0, 6e301, false).at(-3))))(playground.charts)"
    )
    assert huge == ["0", "1e+301", "2e+301", "3e+301", "4e+301", "5e+301", "6e+301"]


FIGURES = """([values, log]) => {
  const {charts} = playground, home = document.createElement('div'), data = [values.map((_, at) => at + 1), values];
  const drawn = charts.options({width: 700, height: 260, label: 'Step', log});
  const series = [...drawn.series, charts.line({label: 'y', stroke: '#000', points: 1})];
  const chart = new uPlot({...drawn, series}, data, home);
  return new Promise((done) => setTimeout(() => done([chart.axes[1]._values, chart.axes[1]._size]), 50));
}"""


@pytest.mark.parametrize(
    ("values", "log", "figures"),
    [
        ([1e-302, 2e-302], False, ["1e-302", "1.2e-302", "1.4e-302", "1.6e-302", "1.8e-302", "2e-302"]),
        ([1e-302, 1e-302], False, ["6e-303", "8e-303", "1e-302", "1.2e-302", "1.4e-302"]),
        ([1e-302, 0.5], False, ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ([0, 0], False, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([1e-302, 0.5], True, ["1e-300", "1e-250", "1e-200", "1e-150", "1e-100", "1e-50", "1"]),
        ([1e-302, 1.2e-302], True, ["1e-302", "1.05e-302", "1.1e-302", "1.15e-302", "1.2e-302"]),
        ([5e-324, 1.7e308], True, ["1e-300", "1e-200", "1e-100", "1", "1e+100", "1e+200", "1e+300"]),
        ([0.002, 3], True, ["0.01", "0.1", "1"]),
        ([123456, 123456.001], False, None),
        ([5e-324, 1e-323], False, None),
        ([1.7e308, -1.7e308], False, None),
    ],
)
async def test_a_chart_of_any_values_has_figures_that_are_told_apart_and_have_room(
    screen: Any, values: list[float], log: bool, figures: list[str] | None
) -> None:
    found, size = await screen.page.evaluate(FIGURES, [values, log])
    assert figures in (found, None)
    assert found
    assert len(set(found)) == len(found)
    assert size >= 20 + 7 * max(map(len, found))
