"""A results file in figures, as CSV, and as a page that nothing in a file can take over."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from playground.errors import InvalidRequest
from playground.finetune.report import Look, report
from playground.finetune.report_chart import COLOURS, HEIGHT, WIDTH, Line, chart
from playground.finetune.report_scale import log_ticks, ticks
from playground.finetune.results import accuracy_floor, best, last
from playground.finetune.results_read import read
from playground.finetune.results_summary import summary, to_csv
from playground.words import Language

TEXT = "step,train_loss,train_accuracy,valid_loss,extra\n1,2.5,0.5,2.75,9\n2,1.5,0.75,,\n3,2,0.75,2.25,8\n4,,,,\n"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "</svg></title>{0} {name} %s &lt;",
    "' onload='alert(1)",
    "\u202etxt.exe",
]

# --- figures ---


def test_the_best_is_the_lowest_loss_and_the_highest_accuracy_where_first_reached() -> None:
    results = read(TEXT.encode())
    assert best(results, results.columns["train_loss"]) == (2, 1.5)
    assert best(results, results.columns["train_accuracy"]) == (2, 0.75)
    assert best(results, results.columns["extra"]) is None
    assert last(results, results.columns["train_loss"]) == (3, 2)


def test_the_summary_is_json() -> None:
    said = json.loads(json.dumps(summary(read(TEXT.encode())), allow_nan=False))
    assert list(said) == ["format", "steps", "validation_points", "last", "best", "verdict", "notes"]
    assert (said["format"], said["steps"], said["validation_points"], said["notes"]) == ("current", 4, 2, [])
    assert said["last"]["valid_loss"] == {"value": 2.25, "step": 3}
    assert said["best"]["valid_loss"] == {"value": 2.25, "step": 3}
    assert said["last"]["extra"] == {"value": 8, "step": 3}
    assert "extra" not in said["best"]
    assert said["verdict"]["kind"] == "too_short"
    assert "train_loss: 3." in said["verdict"]["sentence"]


@pytest.mark.parametrize("text", ["step\n", "step,train_loss\n", "step,train_loss\n1,\n", "step\n1\n2\n"])
def test_a_file_without_values_has_a_summary(text: str) -> None:
    said = summary(read(text.encode()))
    assert (said["last"], said["best"], said["verdict"]["kind"]) == ({}, {}, "too_short")


def test_repairs_are_in_the_summary() -> None:
    assert summary(read(b"step,train_loss\n1,NaN\n"))["notes"] == ["Cells with NaN, which count as missing: 1."]


# --- CSV ---


def test_the_cleaned_rows_read_the_same_again() -> None:
    text = "train_loss,step,elapsed_tokens,valid_loss\n0.1234567890123456,2,20,-1\n1e-300,1,10,0.5\nN/A,3,30,NaN\n"
    cleaned = to_csv(read(text.encode()))
    assert cleaned == ("step,elapsed_tokens,train_loss,valid_loss\n1,10,1e-300,0.5\n2,20,0.1234567890123456,\n3,30,,\n")
    again = read(cleaned.encode())
    assert (to_csv(again), again.notes) == (cleaned, ())


@pytest.mark.parametrize("name", ["=1+1", "+a", "-a", "@a"])
def test_a_name_is_no_formula_in_a_spreadsheet(name: str) -> None:
    assert to_csv(read(f"step,{name}\n1,2\n".encode())) == f"step,'{name}\n1,2\n"


def test_a_name_with_a_comma_stays_one_cell() -> None:
    assert to_csv(read(b'step,"a,b"\n1,2\n')) == 'step,"a,b"\n1,2\n'


def test_csv_of_a_file_without_rows() -> None:
    assert to_csv(read(b"step,train_loss\n")) == "step,train_loss\n"


# --- the report ---


class Page(HTMLParser):
    """What a browser would find in a page: elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def check(text: str) -> Page:
    """Nothing in the page runs, and nothing in it asks another host."""
    page = Page(text)
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "strong", "small", "section"),
        *("table", "thead", "tbody", "tr", "th", "td", "ul", "li", "dl", "dt", "dd", "svg", "path", "text", "circle"),
    }
    assert {tag for tag, _ in page.elements} <= allowed
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href", "style")}
    assert not re.search(r"https?://|//[a-z]|url\(|@import", text)
    return page


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("language", ["en", "es"])
def test_hostile_names_are_shown_and_nothing_else(hostile: str, language: Language) -> None:
    quoted = hostile.replace('"', '""')
    rows = "".join(f"{row},{1 / row},nan\n" for row in range(1, 40))
    results = read(f'step,"train_loss{quoted}","{quoted}"\n{rows}'.encode())
    page = check(report([(hostile, results), (hostile + "2", results)], language=language))
    assert hostile in page.words
    assert any(hostile in (attributes.get("aria-label") or "") for _, attributes in page.elements)


def test_the_page_says_it_in_its_language() -> None:
    results = read(TEXT.encode())
    assert "Training report" in check(report([("a", results)])).words
    page = check(report([("a", results)], language="es"))
    assert "Informe del entrenamiento" in page.words
    assert page.elements[0] == ("html", {"lang": "es"})


def test_training_and_validation_of_a_measure_share_a_chart() -> None:
    page = check(report([("a", read(TEXT.encode()))]))
    labels = _labels(page)
    assert labels == ["Loss: train_loss, valid_loss", "Token accuracy: train_accuracy", "extra: extra"]


def test_several_runs_lie_over_each_other() -> None:
    runs = [(name, read(TEXT.encode())) for name in ("first", "second")]
    page = check(report(runs))
    labels = [attributes.get("aria-label") for tag, attributes in page.elements if tag == "svg"]
    assert "Loss: first: train_loss, first: valid_loss, second: train_loss, second: valid_loss" in labels


@pytest.mark.parametrize(
    "text",
    [
        "step\n",
        "step,train_loss\n",
        "step,train_loss\n1,\n",
        "step,train_loss\n1,2\n",
        "step,train_loss\n1,0\n2,0\n",
        "step,train_loss\n1,1.7e308\n2,-1.7e308\n3,0\n",
        "step,train_loss\n1,1.7e308\n2,1.7e308\n",
        "step,train_loss\n-1.7e308,1\n1.7e308,2\n",
        "step,train_loss\n1,5e-324\n2,0\n",
        "step,train_loss\n1,1\n2,1.0000000000000002\n",
        "step,train_loss\n1,0.5\n2,0\n3,0\n4,0\n5,0.5\n",
        "step,train_loss\n1e15,1\n1000000000000001,2\n",
        "step,train_loss\n1e300,1\n1.0000000000000002e300,2\n",
    ],
)
@pytest.mark.parametrize("look", [Look(), Look(log=True), Look(alpha=0.3), Look(alpha=0.3, log=True)])
def test_any_numbers_can_be_drawn(text: str, look: Look) -> None:
    page = check(report([("a", read(text.encode()))], look=look))
    for _, attributes in page.elements:
        drawn = attributes.get("d") or ""
        assert "nan" not in drawn
        assert "inf" not in drawn
        for number in re.findall(r"-?\d+\.\d", drawn):
            assert -1 <= float(number) <= max(WIDTH, HEIGHT) + 1


def test_a_million_points_make_a_small_page() -> None:
    rows = 200_000
    loss = np.random.default_rng(1).random(rows)
    text = "step,train_loss\n" + "".join(f"{row},{value}\n" for row, value in enumerate(loss.round(5).tolist()))
    assert len(report([("a", read(text.encode()))])) < 300_000


@pytest.mark.parametrize("last", [7, 300, 1_000_000, 59_000_000_000, 123_456_789_012_345])
def test_the_figures_below_a_chart_neither_touch_nor_leave_it(last: int) -> None:
    x = np.linspace(1, last, 50)
    svg = chart("t", "Step", [Line(label="loss", x=x, y=np.arange(50.0), colour=0)])
    places = re.findall(rf'<text x="([\d.]+)" y="{HEIGHT - 22}" text-anchor="(\w+)">([^<]+)</text>', svg)
    assert places
    behind = 0.0
    for x_text, anchor, text in places:
        wide = 6.5 * len(text)
        left = float(x_text) - (wide if anchor == "end" else wide / 2)
        assert left > behind
        behind = left + wide
        assert "." not in text
    assert behind <= WIDTH


def test_the_floor_is_drawn_and_explained_and_the_axis_is_the_one_asked_for() -> None:
    text = "step,elapsed_tokens,training_token_accuracy\n1,500,0.4\n2,1000,0.9\n"
    runs = [("old", read(text.encode())), ("new", read(TEXT.encode()))]
    plain, page = report(runs), report(runs, look=Look(axis="tokens", floor=accuracy_floor(1)))
    assert 'class="floor"' in page
    assert "hidden end tokens" in page
    assert ">Tokens seen</text>" in page
    assert "new: train_loss" not in page  # it does not say how many tokens it saw
    assert "Not in the charts" in page
    assert "Not in the charts" not in plain
    assert 'class="floor"' not in plain
    assert ">Tokens seen</text>" not in plain


def test_the_report_is_smoothed_and_logarithmic_as_the_page_is_and_says_so() -> None:
    rows = "".join(f"{row},{2 + (-1) ** row}\n" for row in range(1, 41))
    runs = [("a", read(f"step,train_loss\n{rows}".encode()))]
    plain = check(report(runs))
    shown = check(report(runs, look=Look(alpha=0.4, log=True)))
    assert any("nothing is smoothed" in words and "logarithmic" not in words for words in plain.words)
    assert any("(smoothing 0.6). The vertical scale is logarithmic." in words for words in shown.words)
    assert "raw c0" not in {attributes.get("class") for _, attributes in plain.elements}
    # 3 and 1 by turns: their averages, once they have settled, lie nearer to each other than the values.
    heights = [
        [float(y) for y in re.findall(r" ([\d.]+)", path)][-2:] for path in (_d(shown, "raw c0"), _d(shown, "line c0"))
    ]
    assert abs(heights[1][0] - heights[1][1]) < abs(heights[0][0] - heights[0][1]) / 2


def _labels(page: Page) -> list[str | None]:
    """What each chart is called."""
    return [a["aria-label"] for tag, a in page.elements if tag == "svg" and "aria-label" in a]


def _d(page: Page, kind: str) -> str:
    return next(a["d"] or "" for _, a in page.elements if a.get("class") == kind and "." in (a.get("d") or ""))


def test_a_logarithm_cuts_the_line_where_it_has_no_place_for_it_and_says_so() -> None:
    runs = [("a", read(b"step,train_loss,valid_loss\n1,10,-1\n2,1,0\n3,0,-1\n4,1,-2\n5,100,-1\n"))]
    page = check(report(runs, look=Look(log=True)))
    assert _d(page, "line c0").count("M") == 2
    assert "Points at or below 0 have no place on a logarithmic scale: they are not drawn." in page.words
    assert _d(check(report(runs)), "line c0").count("M") == 1
    labels = _labels(page)
    assert labels == ["Loss: train_loss"]


def test_what_is_smoothed_stays_inside_a_logarithmic_chart() -> None:
    rows = "".join(f"{row},{0.5 if row % 20 == 1 else 0}\n" for row in range(1, 42))
    page = check(report([("a", read(f"step,train_loss\n{rows}".encode()))], look=Look(alpha=0.3, log=True)))
    heights = [float(y) for y in re.findall(r" ([\d.-]+)", _d(page, "line c0"))]
    assert len(heights) == 41
    assert 0 <= min(heights) < max(heights) <= HEIGHT - 40


def test_what_a_legend_hides_is_in_the_tables_only() -> None:
    runs = [("a", read(TEXT.encode()))]
    page = check(report(runs, look=Look(hidden=[{"valid_loss", "extra"}])))
    labels = _labels(page)
    assert labels == ["Loss: train_loss", "Token accuracy: train_accuracy"]
    assert "valid_loss" in page.words


def test_figures_beside_a_chart_have_room_and_are_told_apart() -> None:
    lines = [Line(label="a", x=np.arange(3.0), y=np.array([1e-302, 1.0000002e-302, 1.0000004e-302]), colour=0)]
    found = re.findall(r'<text x="(\d+)" y="[\d.]+" text-anchor="end">([^<]+)</text>', chart("t", "Step", lines))
    assert len({text for _, text in found}) == len(found) > 2
    assert all(int(x) >= 6 * len(text) for x, text in found)


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0.001, 100, [0.001, 0.01, 0.1, 1, 10, 100]),
        (0.03, 4, [0.05, 0.1, 0.2, 0.5, 1, 2]),
        (0.3, 0.45, [0.3, 0.35, 0.4, 0.45]),
        (1e-300, 1e300, [1e-300, 1e-200, 1e-100, 1, 1e100, 1e200, 1e300]),
        (5e-324, 1.7e308, [1e-300, 1e-200, 1e-100, 1, 1e100, 1e200, 1e300]),
        (0.99, 1.21, [1, 1.05, 1.1, 1.15, 1.2]),
    ],
)
def test_the_figures_of_a_logarithmic_axis_are_round(low: float, high: float, marks: list[float]) -> None:
    assert log_ticks(math.log10(low), math.log10(high)) == pytest.approx(marks)


def test_there_are_more_lines_than_colours() -> None:
    lines = [Line(label=str(n), x=np.arange(3.0), y=np.arange(3.0), colour=n) for n in range(COLOURS + 2)]
    used = set(re.findall(r'class="line (c\d+)"', chart("t", "x", lines)))
    assert used == {f"c{number}" for number in range(COLOURS)}


def test_a_report_on_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        report([])


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-3, 4, [-2, 0, 2, 4]),
        (1, 240, [50, 100, 150, 200]),
    ],
)
def test_marks_are_round_numbers(low: float, high: float, marks: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(marks)
