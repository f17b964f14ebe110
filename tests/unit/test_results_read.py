"""results.csv as it really arrives: three formats, wrapped, torn, and things that are no results file at all."""

from __future__ import annotations

import base64
import codecs
import contextlib
import csv
import math
from collections.abc import Callable

import numpy as np
import pytest

from playground.errors import InvalidRequest
from playground.finetune.results import Results
from playground.finetune.results_columns import format_of, meaning
from playground.finetune.results_read import read
from playground.finetune.results_text import MOST_COLUMNS
from playground.words import texts

LEGACY = (
    "step,elapsed_tokens,elapsed_examples,training_loss,training_sequence_accuracy,training_token_accuracy,"
    "validation_loss,validation_sequence_accuracy,validation_token_accuracy"
)
CURRENT = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
SMALL = f"{CURRENT}\n1,2.5,0.5,2.75,0.25\n2,1.5,0.625,,\n3,1.25,0.75,2.25,0.5\n"
nan = math.nan


def values(results: Results, name: str) -> list[float | None]:
    return [None if math.isnan(value) else value for value in results.columns[name].values.tolist()]


def keys(results: Results) -> list[str]:
    assert all(note.text("en") and note.text("es") for note in results.notes)
    return [note.key for note in results.notes]


def refused(data: bytes | str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(data.encode() if isinstance(data, str) else data)
    assert caught.value.param == "file"
    return caught.value


# --- the formats ---


def test_a_file_of_the_current_api() -> None:
    results = read(SMALL.encode())
    assert (results.format, results.steps.tolist(), results.notes) == ("current", [1, 2, 3], ())
    assert values(results, "train_loss") == [2.5, 1.5, 1.25]
    assert values(results, "valid_loss") == [2.75, None, 2.25]
    assert results.validation_points == 2


def test_a_file_of_the_legacy_api_has_three_axes() -> None:
    results = read(f"{LEGACY}\n1,9,1,1.5,0.0,0.25,1.75,0.0,0.5\n2,18,2,1.0,0.0,0.5,,,\n".encode())
    assert results.format == "legacy"
    assert {axis: where.tolist() for axis, where in results.axes.items()} == {
        "step": [1, 2],
        "tokens": [9, 18],
        "examples": [1, 2],
    }
    assert "elapsed_tokens" not in results.columns
    assert results.validation_points == 1


@pytest.mark.parametrize("measure", ["accuracy", "weighted_f1_score", "precision", "recall", "auroc", "auprc", "f1.0"])
def test_classification_columns_are_measured_on_validation(measure: str) -> None:
    results = read(f"step,training_loss,classification/{measure}\n1,2,\n2,1,0.5\n".encode())
    column = results.columns[f"classification/{measure}"]
    assert (column.meaning.kind, column.meaning.side) == ("classification", "validation")
    assert column.meaning.explains == f"column.classification/{measure}"
    assert (results.format, results.validation_points) == ("legacy", 1)


@pytest.mark.parametrize(
    ("name", "kind", "side", "measure"),
    [
        ("training_token_accuracy", "accuracy", "train", "token_accuracy"),
        ("valid_mean_token_accuracy", "accuracy", "validation", "token_accuracy"),
        ("Train_Loss ", "loss", "train", "loss"),
        ("full_valid_loss", "loss", "validation", "loss"),
        ("full_valid_mean_token_accuracy", "accuracy", "validation", "token_accuracy"),
        ("validation_sequence_accuracy", "accuracy", "validation", "sequence_accuracy"),
        ("loss", "loss", "train", "loss"),
        ("eval_loss", "loss", "validation", "loss"),
        ("eval/accuracy", "accuracy", "validation", "accuracy"),
        ("val_reward", "other", "validation", "reward"),
        ("train_lossless", "other", "train", "lossless"),
        ("learning_rate", "other", "none", "learning_rate"),
        ("validity", "other", "none", "validity"),
        ("classification/new", "classification", "validation", "classification/new"),
        ("", "other", "none", ""),
    ],
)
def test_a_column_is_read_by_its_name(name: str, kind: str, side: str, measure: str) -> None:
    what = meaning(name)
    assert (what.kind, what.side, what.measure) == (kind, side, measure)
    assert what.explains in texts("en")


@pytest.mark.parametrize(
    ("names", "format_"),
    [
        (["step", "loss", "grad_norm"], "other"),
        (["step"], "other"),
        (["step", "train_loss"], "current"),
        (["step", "Training_Loss"], "legacy"),
        (["step", "elapsed_tokens"], "legacy"),
        (["step", "train_loss", "training_loss"], "other"),
    ],
)
def test_the_format_is_told_by_the_columns(names: list[str], format_: str) -> None:
    assert format_of(names) == format_


def test_any_column_order_and_unknown_columns_are_taken() -> None:
    results = read(b"grad_norm,train_loss,step\n7,2,1\n-1,1,2\n")
    assert results.steps.tolist() == [1, 2]
    assert values(results, "grad_norm") == [7, -1]
    assert results.columns["grad_norm"].meaning.explains == "column.unknown"


# --- how it arrives ---


def wrapped(text: str) -> bytes:
    return base64.encodebytes(text.encode())


@pytest.mark.parametrize(
    ("pack", "notes"),
    [
        (str.encode, []),
        (lambda text: codecs.BOM_UTF8 + text.encode(), []),
        (lambda text: codecs.BOM_UTF8 * 2 + text.encode(), []),
        (lambda text: text.replace("\n", "\r\n").encode(), []),
        (lambda text: text.replace("\n", "\r").encode(), []),
        (lambda text: text.rstrip().encode(), []),
        (lambda text: f"\n\r\n{text}\n\n\n".encode(), []),
        (lambda text: text.replace("\n", "\n\n").encode(), []),
        (lambda text: text.replace(",", " , ").encode(), []),
        (lambda text: text.replace("\n", ",\n").encode(), ["note.unnamed"]),
        (lambda text: text.replace(CURRENT, CURRENT.upper()).encode(), []),
        (lambda text: text.replace("2.5,", '"2.5",').encode(), []),
        (lambda text: text.replace(",", "\t").encode(), ["note.separator"]),
        (lambda text: text.replace(",", ";").encode(), ["note.separator"]),
        (lambda text: text.replace(",", ";").replace(".", ",").encode(), ["note.separator"]),
        (lambda text: text.encode("utf-16"), ["note.utf16"]),
        (lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"), ["note.utf16"]),
        (lambda text: text.encode("utf-16-le"), ["note.utf16"]),
        (lambda text: text.encode("utf-16-be"), ["note.utf16"]),
        (lambda text: base64.b64encode(text.encode()), ["note.base64"]),
        (wrapped, ["note.base64"]),
        (lambda text: codecs.BOM_UTF8 + wrapped(text), ["note.base64"]),
        (lambda text: base64.b64encode(codecs.BOM_UTF8 + text.encode()), ["note.base64"]),
        (lambda text: base64.b64encode(text.encode("utf-16")), ["note.base64", "note.utf16"]),
    ],
)
def test_however_it_is_packed_the_same_is_read(pack: Callable[[str], bytes], notes: list[str]) -> None:
    results = read(pack(SMALL))
    assert [column.values.tolist()[0] for column in results.columns.values()] == [2.5, 0.5, 2.75, 0.25]
    assert results.steps.tolist() == [1, 2, 3]
    assert sorted(keys(results)) == notes


def test_only_the_first_row_ends_in_a_comma() -> None:
    assert values(read(b"step,a\n1,2,\n2,3\n"), "a") == [2, 3]


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\x0c"])
def test_only_line_ends_of_csv_end_a_line(end: str) -> None:
    assert values(read(f"step,a{end}b,c\n1,2,3,\n".encode()), "c") == [3]


def test_a_first_row_of_nothing_but_commas_is_refused() -> None:
    assert "line 2" in refused(f"step,a\n1,2{',' * 1_000}\n3,4\n").message


def test_an_empty_first_cell_stays_one_whatever_ends_the_line() -> None:
    for end in ("\n", "\r\n", "\r"):
        results = read(f"a,step{end},1{end},2{end}5,3{end}".encode())
        assert (results.steps.tolist(), values(results, "a")) == ([1, 2, 3], [None, None, 5])


def test_a_pandas_index_has_no_name_and_is_left_out() -> None:
    results = read(b",step,train_loss\n0,1,2\n1,2,1\n")
    assert (list(results.columns), keys(results)) == (["train_loss"], ["note.unnamed"])


def test_two_columns_of_one_name_are_both_kept() -> None:
    results = read(b"step,loss,Loss,loss\n1,2,3,4\n")
    assert list(results.columns) == ["loss", "Loss (2)", "loss (3)"]
    assert keys(results) == ["note.renamed", "note.renamed"]


@pytest.mark.parametrize("name", ["pérdida", "损失", "<script>alert(1)</script>", "a" * 5_000, "{0}", "%s", "=1+1"])
def test_a_name_may_be_anything(name: str) -> None:
    assert values(read(f"step,{name}\n1,2\n".encode()), name) == [2]


# --- what is missing ---


@pytest.mark.parametrize("cell", ["", " ", "N/A", "n/a", "NA", "null", "None"])
def test_an_empty_cell_is_missing_and_never_zero(cell: str) -> None:
    results = read(f"step,train_loss\n1,2\n2,{cell}\n3,1\n".encode())
    assert values(results, "train_loss") == [2, None, 1]
    assert results.notes == ()


@pytest.mark.parametrize("cell", ["NaN", "nan", "NAN", "-nan"])
def test_nan_is_missing_and_said(cell: str) -> None:
    results = read(f"step,train_loss\n1,2\n2,{cell}\n3,1\n".encode())
    assert values(results, "train_loss") == [2, None, 1]
    assert [(note.key, note.args["count"]) for note in results.notes] == [("note.nan", 1)]


@pytest.mark.parametrize("name", ["finance_loss", "nan", "true_positives", "False"])
def test_a_name_is_no_cell(name: str) -> None:
    results = read(f"step,{name}\n1,2\n".encode())
    assert (values(results, name), results.notes) == ([2], ())


@pytest.mark.parametrize("cell", ["inf", "-inf", "Infinity", "+INF", "1e999", "-1e400"])
def test_infinite_is_missing_and_said(cell: str) -> None:
    results = read(f"step,train_loss\n1,2\n2,{cell}\n3,1\n".encode())
    assert values(results, "train_loss") == [2, None, 1]
    assert [(note.key, note.args["name"]) for note in results.notes] == [("note.infinite", "train_loss")]
    assert not results.columns["train_loss"].ends_infinite


def test_a_loss_that_ends_infinite_is_remembered() -> None:
    assert read(b"step,train_loss\n1,2\n2,inf\n3,\n").columns["train_loss"].ends_infinite


@pytest.mark.parametrize("name", ["validation_loss", "valid_mean_token_accuracy", "classification/auroc", "eval_loss"])
def test_minus_one_means_not_measured_where_nothing_can_be_negative(name: str) -> None:
    results = read(f"step,{name}\n1,-1\n2,0.5\n3,-1.0\n".encode())
    assert values(results, name) == [None, 0.5, None]
    assert [(note.key, note.args["count"]) for note in results.notes] == [("note.minus_one", 2)]


def test_minus_one_is_a_number_in_a_column_that_can_be_negative() -> None:
    assert values(read(b"step,reward\n1,-1\n2,0.5\n"), "reward") == [-1, 0.5]
    assert values(read(b"step,policy_loss\n1,-1\n2,-0.5\n"), "policy_loss") == [-1, -0.5]
    assert read(b"step,train_loss\n-1,3\n0,2\n").steps.tolist() == [-1, 0]


def test_a_row_that_breaks_off_lacks_its_last_cells() -> None:
    results = read(b"step,train_loss,valid_loss\n1,2,3\n2,1")
    assert (values(results, "train_loss"), values(results, "valid_loss")) == ([2, 1], [3, None])


# --- rows ---


def test_only_a_header_is_a_job_that_has_not_begun() -> None:
    for end in ("", "\n", "\r\n\n"):
        results = read((CURRENT + end).encode())
        assert (len(results.steps), list(results.columns), results.validation_points) == (0, CURRENT.split(",")[1:], 0)


def test_one_row() -> None:
    assert values(read(b"step,train_loss\n1,2"), "train_loss") == [2]


def test_huge_and_tiny_numbers_are_exact() -> None:
    cells = ["1.7976931348623157e308", "-1.7e308", "5e-324", "1.886173722147941", "0.1234567890123456"]
    results = read(("step,x\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(cells))).encode())
    assert values(results, "x") == [float(cell) for cell in cells]


def test_rows_without_a_step_are_left_out_and_said() -> None:
    results = read(b"step,train_loss\n1,3\n,2\ninf,9\n3,1\n")
    assert (results.steps.tolist(), values(results, "train_loss")) == ([1, 3], [3, 1])
    assert [(note.key, note.args["count"]) for note in results.notes if note.key == "note.no_step"] == [
        ("note.no_step", 2)
    ]


def test_rows_out_of_order_are_sorted_and_said() -> None:
    results = read(b"step,elapsed_tokens,train_loss\n2,20,1\n1,10,3\n2,20,0\n")
    assert (results.steps.tolist(), values(results, "train_loss")) == ([1, 2, 2], [3, 1, 0])
    assert (results.axes["tokens"].tolist(), keys(results)) == ([10, 20, 20], ["note.sorted"])


def test_elapsed_tokens_that_are_not_everywhere_place_nothing() -> None:
    results = read(b"step,elapsed_tokens\n1,10\n2,\n")
    assert (list(results.axes), values(results, "elapsed_tokens")) == (["step"], [10, None])


def test_a_header_between_rows_that_go_on_is_skipped_and_said() -> None:
    results = read(b"step,train_loss\n1,3\nstep,train_loss\n\n2,2\nstep , train_loss\n3,1\n")
    assert (results.steps.tolist(), values(results, "train_loss")) == ([1, 2, 3], [3, 2, 1])
    assert [dict(note.args) for note in results.notes] == [{"line": 3, "count": 2}]


def test_two_results_in_one_file_are_refused_by_the_line_of_the_second() -> None:
    error = refused("step,train_loss\r\n1,3\r\n2,2\r\n\r\nstep,train_loss\r\n1,4\r\n2,3\r\n")
    assert "Line 5 repeats the header" in error.message
    assert "before line 5" in error.hint


def test_arrays_cannot_be_written_to() -> None:
    results = read(SMALL.encode())
    for array in (results.steps, results.columns["train_loss"].values):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# --- what is not a results file ---


@pytest.mark.parametrize("data", [b"", b" \r\n\t\n"])
def test_an_empty_file(data: bytes) -> None:
    assert "empty" in refused(data).message


@pytest.mark.parametrize("data", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_a_file_of_a_mark_only_is_refused(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04" + bytes(range(256)), "spreadsheet"),
        (b"\x1f\x8b\x08\x00\x00", "gzip"),
        (b"%PDF-1.7\n\x00", "PDF"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (bytes(range(256)), "binary"),
        (b"step,loss\n1,\x00\n", "binary"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00", "binary"),
        (codecs.BOM_UTF8 + b"\xff\xfe", "damaged"),
    ],
)
def test_a_binary_file_is_called_what_it_is(data: bytes, said: str) -> None:
    assert said in refused(data).message


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("epoch,train_loss\n1,2\n", "'epoch', 'train_loss'"),
        ('{"messages": []}\n', "messages"),
        ("hello", "'hello'"),
        ("aGVsbG8=", "'aGVsbG8='"),
        (base64.b64encode(b"epoch,loss\n1,2\n").decode(), "'ZXBvY2gsbG9zcwoxLDIK'"),
        ("steps,a\n1,2", "'steps'"),
        ("," * 20, "and 9 more"),
    ],
)
def test_without_a_step_column_the_columns_found_are_named(text: str, columns: str) -> None:
    message = refused(text).message
    assert "no step column" in message
    assert columns in message
    assert len(message) < 1_500


def test_a_header_wins_over_base64_that_it_also_could_be() -> None:
    assert len(read(b"step").steps) == 0  # "step" is base64 of three bytes


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1,2\n2,abc\n", "Line 3, column 'train_loss': 'abc'"),
        ("1,2\n\nx,3\n", "Line 4, column 'step': 'x'"),
        ("1,1_0\n", "Line 2, column 'train_loss': '1_0'"),
        ("1,0x10\n", "'0x10'"),
        ("1,١\n", "'١'"),
        ("1,True\n2,FALSE\n", "'True'"),
        ("1,2 3\n", "'2 3'"),
        ("1,--1\n", "'--1'"),
        ('1,"2\n3,4\n', "Line 3, column 'train_loss'"),
        ("1,2\n2,3,4\n", "Line 3 has 3 cells, and the header 2"),
        ("1,2,3\n", "Line 2 has 3 cells"),
        ("1,2,\n2,3,4\n", "Line 3 has 3 cells"),
        ("1,2\n2,N/A\t\n", "Line 3, column 'train_loss': 'N/A"),
        ('1,2\n2,3\n"', "line 4"),
        ("1,2\n2,3,\n", "Line 3 has 3 cells"),
        ("1,2\n2,3\u2028\n", "Line 3, column 'train_loss'"),
        ("1,2step,train_loss\n1,2\n", "Line 2"),
        ("step,train_loss\n1,a\n", "Line 3, column 'train_loss': 'a'"),
        (f"1,{'9' * 200_000}x\n", "ine 2"),
        ("1,<img src=x onerror=alert(1)>" + "x" * 1_000, "…"),
    ],
)
def test_a_cell_that_is_no_number_is_named_by_line_and_column(rows: str, said: str) -> None:
    message = refused(f"step,train_loss\n{rows}").message
    assert said in message
    assert len(message) < 300


@pytest.mark.parametrize("cell", ["9" * 200_000 + "x", "1e" + "9" * 200_000 + "x", "." + "9" * 200_000 + "x"])
def test_a_number_without_end_is_looked_at_once_whatever_the_longest_cell_is(cell: str) -> None:
    before = csv.field_size_limit(2**30)  # as reading a training file leaves it
    try:
        assert "Line 2, column 'train_loss'" in refused(f"step,train_loss\n1,{cell}\n").message
    finally:
        csv.field_size_limit(before)


def test_a_comma_may_first_appear_below_the_first_row() -> None:
    assert values(read(b"step;a\n1;2\n2;1,5\n"), "a") == [2, 1.5]


def test_where_the_point_is_a_comma_a_point_is_none() -> None:
    assert "Line 3, column 'a': '1.5'" in refused("step;a\n1;1,5\n2;1.5\n").message


def test_the_line_is_that_of_the_file_not_of_the_rows() -> None:
    assert "Line 5, column 'a'" in refused("\n\nstep,a\n1,2\n2,x\n").message


@pytest.mark.parametrize("count", [MOST_COLUMNS, MOST_COLUMNS + 1])
def test_so_many_columns_and_no_more(count: int) -> None:
    text = "step," + ",".join(f"c{number}" for number in range(count - 1)) + "\n"
    if count <= MOST_COLUMNS:
        assert len(read(text.encode()).columns) == count - 1
    else:
        assert "201 columns" in refused(text).message


def test_a_bad_cell_far_down_is_found() -> None:
    rows = "".join(f"{row},1\n" for row in range(1, 50_001))
    assert "Line 50002, column 'a': '?'" in refused(f"step,a\n{rows}50001,?\n").message


def test_random_bytes_are_read_or_refused_and_nothing_else() -> None:
    chance = np.random.default_rng(7)
    alphabet = np.frombuffer(b"step,loss\n\r\"';\t.0123456789eE+-NA/infstep,\n", dtype=np.uint8)
    for _ in range(400):
        noise = chance.choice(alphabet, size=int(chance.integers(1, 60))).tobytes()
        with contextlib.suppress(InvalidRequest):
            read(b"step,loss\n" + noise)


def test_a_file_in_latin_1_is_read_and_said() -> None:
    found = read("step,pérdida,train_loss\n1,2,3\n".encode("latin-1"))
    assert list(found.columns) == ["pérdida", "train_loss"]
    assert [note.key for note in found.notes] == ["note.latin1"]
