"""What stands behind the training sets of the Fine-tune tab: over HTTP anybody can call it with anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playground.deps import Deps
from playground.finetune.splitting import split_lines
from playground.ui import chat_files, prepare
from playground.ui.uploads import Held
from tests.ui.test_results import HOSTILE

CHATS = "".join(
    json.dumps(
        {"messages": [{"role": "user", "content": f"Question {at}?"}, {"role": "assistant", "content": f"Answer {at}"}]}
    )
    + "\n"
    for at in range(20)
)
PAIRS = "prompt,completion\n" + "".join(f"Question {at} ->, Answer {at} END\n" for at in range(20))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Gradio puts what is uploaded."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


class Part:
    """The part as its script uses it."""

    def __init__(self, deps: Deps, folder: Path) -> None:
        self.deps, self.folder, self.held = deps, folder, Held[Any]()

    async def ask(self, action: str, **more: Any) -> dict[str, Any]:
        said: dict[str, Any] = (await chat_files.act(self.deps, self.held, {"action": action, "n": 1, **more}))[0]
        return said

    async def open(self, text: str | bytes, name: str, role: str = "train") -> Any:
        path = self.folder / "upload"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        said = await self.ask("open", file={"path": str(path), "name": name}, role=role)
        return said.get("id") or said


@pytest.fixture
def part(deps: Deps, folder: Path) -> Part:
    return Part(deps, folder)


async def test_a_sound_chat_file_is_said_to_be_sound_and_drawn(part: Part) -> None:
    said = (await part.ask("look", id=await part.open(CHATS, "chats.jsonl")))["set"]
    assert (said["kind"], said["examples"], said["fit"], said["findings"], said["ratio"]) == (
        "chats",
        20,
        True,
        [],
        0.3,
    )
    turns = said["charts"]["turns"]
    assert (turns["least"], turns["most"], turns["total"], sum(turns["counts"])) == (2, 2, 40, 20)


async def test_problems_are_named_with_lines_in_the_readers_language(part: Part) -> None:
    broken = CHATS + "{not json}\n" + '{"messages": [{"role": "robot", "content": "x"}]}\n'
    id_ = await part.open(broken, "chats.jsonl")
    for reader, word in (("en", "valid JSON"), ("es", "JSON válido")):
        said = (await part.ask("look", id=id_, language=reader))["set"]
        assert not said["fit"]
        found = {each["text"]: each for each in said["findings"]}
        (first,) = [each for text, each in found.items() if word in text]
        assert (first["severity"], first["lines"], first["example"]) == ("error", [[21]], "{not json}")
        assert first["hint"]


async def test_what_occurs_twice_or_is_in_both_files_is_found(part: Part) -> None:
    again = PAIRS + "Question 3 ->, Answer 3 END\nQuestion 4 ->, Something else END\n"
    id_ = await part.open(again, "pairs.csv")
    valid = await part.open("prompt,completion\nQuestion 5 ->, x END\nNew one ->, y END\n", "valid.csv", "valid")
    said = (await part.ask("look", id=id_, valid=valid))["set"]
    told = {each["text"].split(":")[0]: each["lines"] for each in said["findings"]}
    assert told["Equal examples"] == [[5, 22]]
    assert told["Questions with different answers"] == [[6, 23]]
    assert [lines for text, lines in told.items() if text.startswith("Validation examples")] == [[[2]]]
    assert said["valid"] == {"name": "valid.csv", "examples": 2}


async def test_pairs_become_chats_without_what_preparing_added_and_chats_pairs(part: Part) -> None:
    id_ = await part.open(PAIRS, "my pairs.csv")
    (made,) = (await part.ask("convert", id=id_, system="Be brief."))["files"]
    assert made["name"] == "my pairs_chat.jsonl"
    assert json.loads(made["text"].splitlines()[0]) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Question 0"},
            {"role": "assistant", "content": "Answer 0"},
        ]
    }
    back = (await part.ask("convert", id=await part.open(CHATS, "c.jsonl")))["files"][0]
    assert json.loads(back["text"].splitlines()[0]) == {"prompt": "Question 0?", "completion": "Answer 0"}


async def test_a_split_is_that_of_the_package_and_has_every_line_once(part: Part) -> None:
    id_ = await part.open(CHATS, "chats.jsonl")
    train, valid = (await part.ask("split", id=id_, ratio=0.3, seed=7))["files"]
    assert (train["name"], valid["name"]) == ("chats_train.jsonl", "chats_valid.jsonl")
    expected = split_lines(CHATS.encode(), ratio=0.3, seed=7)
    assert (train["text"].encode(), valid["text"].encode()) == expected
    assert sorted((train["text"] + valid["text"]).splitlines()) == sorted(CHATS.splitlines())


async def test_equal_examples_are_left_out_and_the_rest_stays_as_it_was(part: Part) -> None:
    id_ = await part.open(CHATS + CHATS, "chats.jsonl")
    assert (await part.ask("unique", id=id_))["files"][0]["text"] == CHATS


async def test_the_price_is_told_for_chats_and_pairs(part: Part) -> None:
    for text, name in ((CHATS, "c.jsonl"), (PAIRS, "p.csv")):
        said = (await part.ask("price", id=await part.open(text, name), epochs=2))["price"]
        assert (said["records"], said["of"], said["epochs"]) == (20, 20, 2)
        assert said["candidates"]


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.csv", "empty"),
        (b"a,b\n1,2\n", "a.csv", "prompt"),
        (b"\x00\x01\x02\xff" * 50, "a.csv", ""),
        (b"one column\nx\n", "a.csv", ""),
    ],
)
async def test_what_is_no_training_file_is_refused_in_words(part: Part, data: bytes, name: str, words: str) -> None:
    said = await part.open(data, name)
    assert words in said["notice"]["message"].lower()
    assert said["notice"]["tone"] == "error"


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize("module", [chat_files, prepare], ids=["sets", "prepare"])
async def test_a_hostile_value_in_any_place_is_an_answer_in_words(
    deps: Deps, folder: Path, module: Any, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held[Any]()
    (folder / "x").write_text(PAIRS)
    opened = await module.act(deps, held, {"action": "open", "file": {"path": str(folder / "x"), "name": "x.csv"}})
    id_ = opened[0]["id"]
    good = {
        "id": id_,
        "valid": id_,
        "ratio": 0.2,
        "seed": 1,
        "system": "x",
        "epochs": 3,
        "refused": [],
        "language": "en",
    }
    for action in ("open", "look", "prepare", "price", "split", "convert", "unique", "files", "try", value):
        for place in (*good, "file", "role", "n"):
            said = await module.act(deps, held, {"action": action, **good, place: value})
            json.dumps(said[0])
    assert "notice" in (await module.act(deps, held, value))[0]
    assert "a handler failed" not in caplog.text


REFUSED = [
    (b"", "a.csv", "El archivo está vacío."),
    (b"prompt\na\n", "a.csv", "El archivo tiene una sola columna, «prompt»."),
    (b"prompt,completion\na,b,c\n", "a.csv", "La línea 2 tiene 3 campos"),
    (b'prompt,completion\n"a,b\n', "a.csv", "Una comilla de la fila que empieza en la línea 2"),
    (b"\x89PNG\0\0", "a.csv", "El archivo no es texto"),
    (b"x", "a.doc", "El nombre del archivo termina en .doc."),
    (b"x", "a.xlsm", "Los libros que pueden llevar macros (.xlsm) no se leen."),
    (b"x", "a.xlsx", "El archivo no es un libro de Excel"),
    (
        b'{"prompt": "a", "completion": "b"}\n{"prompt": a}\n',
        "a.jsonl",
        "Línea 2, columna 12: no es JSON válido: se espera",
    ),
    (b'{"prompt": "a", "completion": NaN}\n', "a.jsonl", "Línea 1: no es JSON válido: NaN"),
    (b'{"prompt": "a", "completion": []}\n' * 2, "a.jsonl", "Línea 1: completion es una lista, no un texto."),
    (b'["a"]', "a.json", "Registro 1: no es un objeto."),
    (
        b"question,answer\na,b\n",
        "a.csv",
        "El archivo no tiene las columnas prompt y completion. Tiene: question, answer.",
    ),
]


@pytest.mark.parametrize(("data", "name", "words"), REFUSED, ids=[row[2][:40] for row in REFUSED])
async def test_what_is_wrong_with_a_file_is_said_in_the_language_of_the_page(
    part: Part, data: bytes, name: str, words: str
) -> None:
    path = part.folder / "upload"
    path.write_bytes(data)
    said = await part.ask("open", file={"path": str(path), "name": name}, role="train", language="es")
    assert said["notice"]["message"].startswith(words)
    assert said["notice"]["hint"]


async def test_a_file_without_a_completion_is_refused_in_spanish_when_it_is_prepared(part: Part) -> None:
    path = part.folder / "upload"
    path.write_bytes(b"prompt,completion\na,\nb,\n")
    held = Held[Any]()
    asked = {"n": 1, "language": "es", "file": {"path": str(path), "name": "a.csv"}}
    said: dict[str, Any] = (await prepare.act(part.deps, held, {**asked, "action": "open"}))[0]
    told = json.dumps(
        (await prepare.act(part.deps, held, {"action": "prepare", "n": 2, "id": said["id"], "language": "es"}))[0],
        ensure_ascii=False,
    )
    assert "Ninguna fila tiene completion." in told


async def test_findings_say_how_many_more_there_are(part: Part) -> None:
    bad = CHATS + "{broken\n" * 9 + '{"messages": []}\n'
    found = (await part.ask("look", id=await part.open(bad, "chats.jsonl")))["set"]["findings"]
    broken = next(each for each in found if "not valid JSON: 9" in each["text"])
    assert len(broken["lines"]) + broken["more"] == 9
    equal = "prompt,completion\n" + "".join(f"Question {at // 2},Answer {at // 2}\n" for at in range(20))
    found = (await part.ask("look", id=await part.open(equal, "pairs.csv")))["set"]["findings"]
    assert (len(found[0]["lines"]), found[0]["more"]) == (5, 5)


async def test_what_a_conversion_leaves_out_is_said(part: Part) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": {}}]}
    line = json.dumps({"messages": [{"role": "user", "content": "Weather?"}, call]}) + "\n"
    said = await part.ask("convert", id=await part.open(CHATS + line, "chats.jsonl"))
    assert said["files"][0]["text"].count("\n") == 20
    assert len(said["left"]) == 1


async def test_a_large_set_is_priced_as_a_whole_and_what_is_held_out_costs_nothing(
    part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await part.open(PAIRS, "pairs.csv")
    exact = (await part.ask("price", id=id_))["price"]
    monkeypatch.setattr("playground.ui.price.COUNTED", 10)
    sampled = (await part.ask("price", id=id_))["price"]
    assert (exact["records"], exact["of"], sampled["records"], sampled["of"]) == (20, 20, 10, 20)
    assert sampled["epochs"] == exact["epochs"]
    for one, other in zip(exact["candidates"], sampled["candidates"], strict=True):
        assert other["training"].startswith("≈ ")
        assert abs(other["tokens"] - one["tokens"]) <= 0.05 * one["tokens"]


async def test_pairs_that_are_held_out_are_not_priced(part: Part) -> None:
    path = part.folder / "upload"
    path.write_text("prompt,completion\n" + "".join(f"Question {at}?,{at % 2}\n" for at in range(100)))
    held = Held[Any]()
    asked = {"n": 1, "file": {"path": str(path), "name": "a.csv"}}
    id_ = (await prepare.act(part.deps, held, {**asked, "action": "open"}))[0]["id"]
    said = (await prepare.act(part.deps, held, {"n": 2, "action": "price", "id": id_}))[0]["price"]
    assert said["of"] == 80
    whole = (await prepare.act(part.deps, held, {"n": 3, "action": "price", "id": id_, "refused": ["split"]}))[0]
    assert whole["price"]["of"] == 100
    half = (await prepare.act(part.deps, held, {"n": 4, "action": "price", "id": id_, "epochs": 2.5}))[0]
    assert "epochs is a whole number from 1 to 50" in half["notice"]["message"]
