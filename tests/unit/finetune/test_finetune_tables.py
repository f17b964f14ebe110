"""Training files of every format: what is read, what is repaired and said, and what is refused with its line."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import InvalidRequest
from playground.finetune import tables, tables_xlsx
from playground.finetune.table import Table
from playground.finetune.tables import FORMATS, read, read_file

PAIRS = {"prompt": ["one", "two"], "completion": ["1", "2"]}
CSV = "prompt,completion\none,1\ntwo,2\n"
LONG = "x" * 5_000


def workbook(*rows: tuple[Any, ...], more: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    for title in more:
        book.create_sheet(title)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def zipped(**entries: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def read_text(text: str, name: str = "file.csv") -> Table:
    return read(text.encode(), name)


def repairs(table: Table) -> list[str]:
    return [repair.key for repair in table.repairs]


def columns(table: Table) -> dict[str, list[str]]:
    return {name: list(values) for name, values in table.columns.items()}


def refused(data: bytes, name: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(data, name)
    assert caught.value.param == "file"
    assert caught.value.hint
    assert len(caught.value.message) < 250
    return caught.value


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", CSV.encode()),
        ("a.CSV", CSV.replace("\n", "\r\n").encode()),
        ("a.csv", CSV.replace("\n", "\r").encode()),
        ("a.tsv", CSV.replace(",", "\t").encode()),
        ("a.jsonl", b'{"prompt": "one", "completion": "1"}\n\n{"prompt": "two", "completion": "2"}'),
        ("a.json", b'{"prompt": "one", "completion": "1"}\r\n{"prompt": "two", "completion": "2"}\r\n'),
        ("a.json", b'[{"prompt": "one", "completion": "1"}, {"prompt": "two", "completion": "2"}]'),
        ("a.json", b'{\n"prompt": ["one", "two"],\n"completion": ["1", "2"]\n}'),
        ("a.json", b'{"prompt": {"0": "one", "7": "two"}, "completion": {"0": "1", "7": "2"}}'),
        ("a.jsonl", b'[{"prompt": "one", "completion": 1}, {"prompt": "two", "completion": 2}]'),
        ("a.xlsx", workbook(("prompt", "completion"), ("one", 1), ("two", 2.0))),
    ],
)
def test_every_format_gives_the_same_columns(name: str, data: bytes) -> None:
    assert columns(read(data, name)) == PAIRS


def test_each_line_of_a_text_is_a_completion_without_a_prompt() -> None:
    table = read_text("one\r\n\r\ntwo \n", "a.txt")
    assert columns(table) == {"prompt": [""] * 3, "completion": ["one", "", "two "]}
    assert list(table.rows) == [1, 2, 3]


def test_rows_are_numbered_by_the_line_in_which_they_begin() -> None:
    table = read_text('prompt,completion\n\n"a\nb\nc",d\n   \ne,f\n')
    assert list(table.rows) == [3, 7]
    assert table.prompts == ["a\nb\nc", "e"]


def test_rows_of_a_workbook_are_numbered_as_the_spreadsheet_does() -> None:
    assert list(read(workbook(("prompt", "completion"), (), ("a", "b")), "a.xlsx").rows) == [3]


@pytest.mark.parametrize(
    ("encoding", "repaired"),
    [("utf-8", []), ("utf-8-sig", ["bom"]), ("utf-16", ["encoding"]), ("cp1252", ["encoding"])],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_other_encodings_are_read_and_said(encoding: str, repaired: list[str], ending: str) -> None:
    text = "prompt,completion\nañil,“sí”\n" if ending == "csv" else '{"prompt": "añil", "completion": "“sí”"}'
    table = read(text.encode(encoding), f"a.{ending}")
    assert columns(table) == {"prompt": ["añil"], "completion": ["“sí”"]}
    assert repairs(table) == repaired


def test_bytes_that_windows_does_not_know_are_latin_1() -> None:
    table = read(b"prompt,completion\n\x81,\xe9\n", "a.csv")
    assert table.completions == ["é"]
    assert table.repairs[0].message == "The file is not UTF-8; it was read as Latin-1."


def test_a_few_bad_bytes_do_not_garble_the_rest() -> None:
    table = read("prompt,completion\nañil,así sí\n".encode() + b"caf\xe9,\xff\n", "a.csv")
    assert columns(table) == {"prompt": ["añil", "caf�"], "completion": ["así sí", "�"]}
    assert [(repair.key, repair.args) for repair in table.repairs] == [("bad_bytes", {"count": 2})]


def test_a_spreadsheets_semicolons_are_read_and_said() -> None:
    table = read_text("prompt;completion\na, b;c\n")
    assert columns(table) == {"prompt": ["a, b"], "completion": ["c"]}
    assert "semicolons" in table.repairs[0].message


def test_a_short_row_is_filled_up_and_said() -> None:
    table = read_text("prompt,completion\na\nb,c\n")
    assert table.completions == ["", "c"]
    assert table.repairs[0].rows == (2,)


def test_a_row_may_end_with_separators_too_many() -> None:
    assert columns(read_text("prompt,completion\na,b,,\n")) == {"prompt": ["a"], "completion": ["b"]}


def test_an_absent_key_and_null_are_empty_and_said() -> None:
    table = read_text('{"prompt": "a"}\n{"completion": "b", "prompt": null}\n', "a.jsonl")
    assert columns(table) == {"prompt": ["a", ""], "completion": ["", "b"]}
    missing = {repair.args["column"]: repair.rows for repair in table.repairs}
    assert missing == {"prompt": (2,), "completion": (1,)}


def test_half_a_character_is_replaced_and_said() -> None:
    table = read_text(r'{"prompt": "a\ud83d", "completion": "\ud83d\ude42"}', "a.jsonl")
    assert (table.prompts, table.completions) == (["a�"], ["🙂"])
    assert repairs(table) == ["surrogates"]


def test_only_a_newline_ends_a_line_of_jsonl() -> None:
    assert read_text('{"prompt": "a\u2028b", "completion": "c\x85"}', "a.jsonl").prompts == ["a\u2028b"]


def test_only_the_first_sheet_is_read_and_that_is_said() -> None:
    table = read(workbook(("prompt", "completion"), ("a", "b", None, "note"), more=("other",)), "a.xlsx")
    assert columns(table) == {"prompt": ["a"], "completion": ["b"]}
    assert repairs(table) == ["sheets", "extra_cells"]


def test_a_text_of_any_length_is_read() -> None:
    assert read_text(f"prompt,completion\na,{'b' * 300_000}\n").completions == ["b" * 300_000]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt,completion\na,b\nc,d,e\n", "Line 3 has 3 fields"),
        ('prompt,completion\na,b\n"c,d\ne,f\n', "line 3 is never closed"),
        ("prompt,prompt,completion\na,b,c\n", "Two columns are called prompt"),
        ("completion\na\n", "only one column, “completion”"),
        (f"{LONG}\na\n", "only one column"),
        ("prompt,completion\n", "no rows"),
        (",".join(map(str, range(500))) + "\n1\n", "more than 200 columns"),
        ("", "empty"),
        ("\n  \n", "empty"),
        ("\ufeff", "only one column"),
    ],
)
def test_a_csv_that_cannot_be_meant_is_refused_with_its_line(text: str, says: str) -> None:
    assert says in refused(text.encode(), "a.csv").message


def test_one_bad_line_in_fifty_thousand_is_named() -> None:
    good = '{"prompt": "a", "completion": "b"}\n'
    data = (good * 31_337 + '{"prompt": "a", "completion": b}\n' + good * 20_000).encode()
    assert "Line 31338, column 31 is not valid JSON" in refused(data, "a.jsonl").message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"prompt": "a", "completion": "b"}\n["a"]', "Line 2 is not an object"),
        ('{"prompt": "a", "completion": "b"}\n"a"', "Line 2 is not an object"),
        ('{"prompt": "a", "completion": ["b"]}\n', "Line 1: completion is a list"),
        ('{"prompt": {"a": 1}, "completion": "b"}\n', "Line 1: prompt is an object"),
        ('{"prompt": "a", "completion": NaN}', "Line 1 is not valid JSON: NaN"),
        ('{"prompt": "a", "completion": ' + "9" * 5_000 + "}", "Line 1 is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"prompt": ' * 100_000, "nested too deeply"),
        ("[]", "no records"),
        ("[1, 2]", "Record 1 is not an object"),
        ('[{"prompt": "a", "completion": "b"},\n{"prompt": "c" "completion": "d"}]', "Line 2, column 16"),
        ('{\n"prompt": "a",\n"completion": "b"\n}', "a single object"),
        ('{"messages": []}', "This is a chat file"),
        ("\n".join(f'{{"k{n}": 1}}' for n in range(300)), "Line 201: the file has more than 200 different keys"),
        ('{"prompt": "' + LONG, "Line 1, column 12"),
    ],
)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_bad_json_is_refused_with_its_place(text: str, says: str, ending: str) -> None:
    error = refused(text.encode(), f"a.{ending}")
    assert says in error.message
    assert LONG[:100] not in error.message


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
@pytest.mark.parametrize("data", [b"prompt,completion\n\0,b", b"\x7fELF\0\0", "é".encode("utf-32"), b"\xff\xfea"])
def test_what_is_not_text_is_refused(name: str, data: bytes) -> None:
    assert "not text" in refused(data, name).message


@pytest.mark.parametrize("name", ["a.pdf", "a", "", "csv", "a.xls", ".jsonl.exe", "a." + LONG])
def test_other_endings_are_refused(name: str) -> None:
    hint = refused(b"prompt,completion\na,b", name).hint
    assert all(ending in hint for ending in FORMATS)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xlsm", workbook(("prompt", "completion"), ("a", "b")), "macros"),
        ("a.xlsx", zipped(**{"xl/vbaProject.bin": b"x"}), "macros"),
        ("a.xlsx", b"prompt,completion\na,b", "not an Excel workbook"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not an Excel workbook"),
        ("a.xlsx", zipped(**{"hello.txt": b"x"}), "damaged"),
        ("a.xlsx", workbook(("prompt", "completion"), ("a", "b"))[:-40], "not an Excel workbook"),
        ("a.xlsx", workbook(("prompt",), ("a",)), "only one column"),
        ("a.xlsx", workbook(("prompt", "prompt"), ("a", "b")), "Two columns"),
        ("a.xlsx", workbook(("prompt", "completion")), "no rows"),
        ("a.xlsx", workbook(), "only one column"),
    ],
)
def test_a_workbook_that_cannot_be_used_is_refused(name: str, data: bytes, says: str) -> None:
    assert says in refused(data, name).message


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_xlsx, "UNPACKED_LIMIT", 1 << 20)
    assert "unpacks to more than 1 MB" in refused(zipped(**{"xl/workbook.xml": bytes(2 << 20)}), "a.xlsx").message


def with_sheet(xml: str) -> bytes:
    """A workbook whose first sheet is this XML."""
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(("a", "b")))) as source, zipfile.ZipFile(data, "w") as made:
        for entry in source.infolist():
            made.writestr(entry.filename, xml if entry.filename.endswith("sheet1.xml") else source.read(entry))
    return data.getvalue()


def sheet_of(rows: str, document_type: str = "") -> str:
    header = (
        '<row r="1"><c t="inlineStr"><is><t>prompt</t></is></c><c t="inlineStr"><is><t>completion</t></is></c></row>'
    )
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'{document_type}<worksheet xmlns="{space}"><sheetData>{header}{rows}</sheetData></worksheet>'


def entity(definitions: str) -> str:
    row = '<row r="2"><c t="inlineStr"><is><t>&z;</t></is></c><c><v>1</v></c></row>'
    return sheet_of(row, f"<!DOCTYPE x [{definitions}]>")


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (sheet_of('<row r="999999999"><c r="A999999999"><v>1</v></c></row>'), "more than 1,048,576 rows"),
        (entity('<!ENTITY z SYSTEM "file:///etc/passwd">'), "damaged"),
        (
            entity(
                f'<!ENTITY a "{"x" * 100}">'
                + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghz", strict=True))
            ),
            "damaged",
        ),
    ],
    ids=["a row of any number", "a file of the server", "a billion laughs"],
)
def test_a_workbook_that_means_harm_is_refused(xml: str, says: str) -> None:
    assert says in refused(with_sheet(xml), "a.xlsx").message


def test_cells_far_to_the_right_are_not_read() -> None:
    rows = '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c><c r="XFD2"><v>3</v></c></row>'
    assert columns(read(with_sheet(sheet_of(rows)), "a.xlsx")) == {"prompt": ["1"], "completion": ["2"]}


def damaged_at(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def test_a_damaged_workbook_is_read_or_refused_and_never_a_traceback() -> None:
    data = workbook(("prompt", "completion"), *((f"question {n}", f"answer {n}") for n in range(20)))
    for at in range(0, len(data), 23):
        with suppress(InvalidRequest):
            read(damaged_at(data, at), "a.xlsx")


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(tables.LIMIT + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(InvalidRequest, match="larger than 512 MB"):
        read_file(path)


def test_a_file_is_read_from_its_path_and_a_missing_one_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    assert columns(read_file(path)) == PAIRS
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_file(tmp_path / "none.csv")


READERS: list[Callable[[bytes], Table]] = [lambda data, name=f"a{ending}": read(data, name) for ending in FORMATS]  # type: ignore[misc]


@given(st.binary(max_size=200) | st.text(alphabet='pr,;"\n\r\t[]{}:é🙂\\', max_size=60).map(str.encode))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    for reader in READERS:
        with suppress(InvalidRequest):
            table = reader(data)
            assert {len(values) for values in table.columns.values()} == {len(table)}


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=20))
def test_pairs_written_as_jsonl_are_read_as_they_were(pairs: list[tuple[str, str]]) -> None:
    data = "\n".join(json.dumps({"prompt": prompt, "completion": completion}) for prompt, completion in pairs).encode()
    table = read(data, "a.jsonl")
    assert list(zip(table.prompts, table.completions, strict=True)) == pairs


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_header_that_stands_in_the_file_again_is_left_out_and_said(name: str) -> None:
    between = "\t" if name.endswith("tsv") else ","
    rows = [("prompt", "completion"), ("a", "b"), ("prompt", "completion"), ("c", "d")]
    table = read("".join(f"{between.join(row)}\n" for row in rows).encode(), name)
    assert (list(table.prompts), list(table.rows)) == (["a", "c"], [2, 4])
    assert [(repair.key, repair.rows) for repair in table.repairs] == [("repeated_header", (3,))]
    assert table.repairs[0].text("es") == "Filas que repiten la cabecera, que se dejan fuera: 1."
