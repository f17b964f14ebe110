"""What stands behind the Datasets tab: anybody can call it with anything, and two windows edit one dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playground.deps import Deps
from playground.evaluate.dataset_files import read_dataset
from playground.ui import datasets
from playground.ui.dataset_desk import Desk, Shelf
from tests.ui.test_results import HOSTILE

TWEETS = "tweet,label,tags\n" + "".join(
    f'Tweet {at} of Málaga,{"positive" if at % 3 else "negative"},"short, día {at % 2}"\n' for at in range(120)
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Gradio puts what is uploaded."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


class Window:
    """The tab as its script uses it."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder

    async def ask(self, action: str, **more: Any) -> dict[str, Any]:
        said: dict[str, Any] = (await datasets.act(self.desk, {"action": action, "n": 1, **more}))[0]
        return said

    async def take(self, data: str | bytes, name: str) -> dict[str, Any]:
        path = self.folder / "upload"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return await self.ask("take", file={"path": str(path), "name": name})

    async def bring(self, data: str | bytes = TWEETS, name: str = "tweets.csv") -> str:
        """A file as a dataset; its id."""
        source = (await self.take(data, name))["source"]
        roles = {column["name"]: column["role"] for column in source["columns"]}
        said = await self.ask("import", id=source["id"], name=source["name"], columns=roles)
        return str(said["made"][0])

    async def look(self, id: str, **more: Any) -> dict[str, Any]:
        said: dict[str, Any] = (await self.ask("look", dataset=id, **more))["look"]
        return said

    async def seen(self, id: str) -> int:
        return int((await self.look(id))["seen"])

    async def export(self, id: str, kind: str) -> tuple[str, str]:
        parts = [part async for part in datasets.exported(self.desk, {"dataset": id, "format": kind, "n": 1})]
        return parts[-1]["done"], "".join(part.get("part", "") for part in parts)

    def cases(self, id: str) -> list[Any]:
        found = self.desk.datasets.cases(id)
        assert found is not None
        return found[1]


@pytest.fixture
def window(deps: Deps, folder: Path) -> Window:
    return Window(Desk(deps, Shelf()), folder)


async def test_a_file_is_kept_with_its_columns_as_they_were_told(window: Window) -> None:
    source = (await window.take(TWEETS, "tweets.csv"))["source"]
    assert [(each["name"], each["role"]) for each in source["columns"]] == [
        ("tweet", "variable"),
        ("label", "expected"),
        ("tags", "tags"),
    ]
    assert source["columns"][0]["cells"] == ["Tweet 0 of Málaga", "Tweet 1 of Málaga"]
    roles = {"tweet": "prompt", "label": "variable", "tags": "ignored"}
    again = (await window.ask("columns", id=source["id"], columns=roles))["source"]
    assert (again["cases"][0]["asked"], again["cases"][0]["variables"]) == (
        "Tweet 0 of Málaga",
        [["label", "negative"]],
    )
    said = await window.ask("import", id=source["id"], name=" My tweets ", columns=roles)
    assert [(row["name"], row["count"]) for row in said["datasets"]] == [("My tweets", 120)]
    assert window.cases(said["made"][0])[0] == {
        "id": "1",
        "prompt": "Tweet 0 of Málaga",
        "variables": {"label": "negative"},
    }


async def test_a_column_that_was_guessed_wrongly_is_said_and_can_be_told_anew(window: Window) -> None:
    said = await window.take("messages,b\nnot json,1\n", "a.csv")
    assert said["source"]["wrong"]["texts"]["es"][0].startswith("Línea 2")
    roles = {"messages": "variable", "b": "expected"}
    again = (await window.ask("columns", id=said["source"]["id"], columns=roles))["source"]
    assert again["wrong"] is None
    assert again["cases"][0]["variables"] == [["messages", "not json"]]
    twice = await window.ask("columns", id=said["source"]["id"], columns={"messages": "expected", "b": "expected"})
    assert "messages and b" in twice["notice"]["message"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "a.csv"),
        (b"\0\1\2" * 90, "a.csv"),
        (b"PK\x03\x04", "a.xlsx"),
        (b"\xff\xfe\x00\xd8\x00", "a.csv"),
        (b"prompt,prompt\na,b\n", "a.csv"),
        (b'{"id": "1"}\n{"id": "1"', "a.jsonl"),
        (b"a,b\n", "a.csv"),
        (b"anything", "a.exe"),
        (b"[" * 50_000, "a.json"),
    ],
)
async def test_what_is_no_table_is_refused_in_both_languages(window: Window, data: bytes, name: str) -> None:
    said = await window.take(data, name)
    assert "source" not in said
    assert said["notice"]["texts"]["es"] != said["notice"]["texts"]["en"]
    assert (await window.ask("list"))["datasets"] == []


async def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(window: Window) -> None:
    path = window.folder / "large"
    with path.open("wb") as file:
        file.truncate(2**30)
    said = await window.ask("take", file={"path": str(path), "name": "large.csv"})
    assert "1,074 MB" in said["notice"]["message"]
    assert not path.exists()


async def test_a_name_that_another_dataset_has_is_refused_and_a_free_one_offered(window: Window) -> None:
    await window.bring()
    source = (await window.take(TWEETS, "tweets.csv"))["source"]
    assert source["name"] == "tweets (2)"
    roles = {column["name"]: column["role"] for column in source["columns"]}
    said = await window.ask("import", id=source["id"], name="tweets", columns=roles)
    assert "tweets" in said["notice"]["message"]
    assert "made" in await window.ask("import", id=source["id"], name="other", columns=roles)


async def test_cases_are_paged_searched_filtered_and_sorted_on_the_server(window: Window) -> None:
    id = await window.bring()
    first = await window.look(id)
    assert (len(first["rows"]), first["found"], first["pages"]) == (50, 120, 3)
    last = await window.look(id, page=99)
    assert (last["page"], len(last["rows"]), last["rows"][0]["id"]) == (2, 20, "101")
    found = await window.look(id, text="MALAGA 11")
    assert [row["place"] for row in found["rows"]] == [11, 12, *range(110, 121)]  # an id is found, too
    assert (await window.look(id, label="negative"))["found"] == 40
    assert (await window.look(id, tag="día 1", label="negative"))["found"] == 20
    assert (await window.look(id, sort="last"))["rows"][0]["id"] == "120"
    assert (await window.look(id, sort="expected"))["rows"][0]["expected"] == "negative"
    assert (await window.look(id, only="unexpected"))["found"] == 0


async def test_the_facts_of_a_dataset_name_what_is_repeated_contradictory_or_empty(window: Window) -> None:
    id = await window.bring("tweet,label\nGreat!,positive\ngreat,negative\nRain,negative\n,\nSun,positive\n", "t.csv")
    facts = (await window.look(id))["facts"]
    assert (facts["count"], facts["expected"], facts["duplicate"], facts["conflict"], facts["empty"]) == (5, 4, 1, 2, 1)
    assert dict(facts["labels"]) == {"positive": 2, "negative": 2}
    assert facts["variables"] == [("tweet", 4)]
    for only, places in (("duplicate", [2]), ("conflict", [1, 2]), ("empty", [4]), ("unexpected", [4])):
        assert [row["place"] for row in (await window.look(id, only=only))["rows"]] == places


async def test_a_page_of_long_cases_is_small(window: Window) -> None:
    lines = "\n".join(json.dumps({"prompt": "x" * 50_000, "expected": "y" * 50_000}) for _ in range(60))
    id = await window.bring(lines, "long.jsonl")
    assert len(json.dumps(await window.look(id))) < 80_000


async def test_a_case_is_written_in_its_place_and_a_new_one_at_the_end(window: Window) -> None:
    id = await window.bring()
    read = await window.ask("case", dataset=id, id="2")
    case = {**read["case"], "expected": "neutral", "variables": {"tweet": "Otro", "user": "ana"}, "tags": ["new"]}
    said = await window.ask("put", dataset=id, id="2", was=read["was"], case=case)
    assert said["wrote"] == "2"
    assert window.cases(id)[1] == case
    talk = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}
    assert (await window.ask("put", dataset=id, id=None, case=talk))["wrote"] == "121"
    assert window.cases(id)[-1] == {"id": "121", **talk}
    assert (await window.ask("double", dataset=id, id="2"))["edit"] == "122"
    assert [each["id"] for each in window.cases(id)[:3]] == ["1", "2", "122"]


@pytest.mark.parametrize(
    "case",
    [
        {"prompt": "a", "messages": [{"role": "user", "content": "b"}]},
        {"variables": {"a b": "c"}},
        {"tags": ["a,b"]},
        {"id": "3"},
        {"nobody": 1},
        "text",
        None,
    ],
)
async def test_a_case_that_cannot_be_is_refused_and_nothing_changes(window: Window, case: Any) -> None:
    id = await window.bring()
    before, read = window.cases(id), await window.ask("case", dataset=id, id="2")
    said = await window.ask("put", dataset=id, id="2", was=read["was"], case=case)
    assert said["notice"]["texts"]["es"] != said["notice"]["texts"]["en"]
    assert window.cases(id) == before


async def test_two_windows_lose_no_edit_of_one_case(window: Window, deps: Deps) -> None:
    other = Window(Desk(deps, Shelf()), window.folder)
    id = await window.bring()
    mine, theirs = await window.ask("case", dataset=id, id="5"), await other.ask("case", dataset=id, id="5")
    assert "wrote" in await other.ask(
        "put", dataset=id, id="5", was=theirs["was"], case={**theirs["case"], "expected": "B"}
    )
    said = await window.ask("put", dataset=id, id="5", was=mine["was"], case={**mine["case"], "expected": "A"})
    assert said["theirs"]["expected"] == "B"
    assert window.cases(id)[4]["expected"] == "B"
    again = await window.ask("put", dataset=id, id="5", was=said["was"], case={**mine["case"], "expected": "A"})
    assert again["wrote"] == "5"
    assert window.cases(id)[4]["expected"] == "A"


async def test_two_windows_that_edit_different_cases_both_keep_theirs(window: Window, deps: Deps) -> None:
    other = Window(Desk(deps, Shelf()), window.folder)
    id = await window.bring()
    mine, theirs = await window.ask("case", dataset=id, id="5"), await other.ask("case", dataset=id, id="6")
    await other.ask("put", dataset=id, id="6", was=theirs["was"], case={**theirs["case"], "expected": "B"})
    await window.ask("put", dataset=id, id="5", was=mine["was"], case={**mine["case"], "expected": "A"})
    assert [case["expected"] for case in window.cases(id)[4:6]] == ["A", "B"]


async def test_what_another_window_has_changed_is_not_deleted_or_renamed_unseen(window: Window, deps: Deps) -> None:
    other = Window(Desk(deps, Shelf()), window.folder)
    id = await window.bring()
    seen = await window.seen(id)
    read = await other.ask("case", dataset=id, id="6")
    await other.ask("put", dataset=id, id="6", was=read["was"], case={**read["case"], "expected": "B"})
    for action, more in (("drop", {"ids": ["6"]}), ("rename", {"name": "x"}), ("remove", {})):
        said = await window.ask(action, dataset=id, seen=seen, **more)
        assert "another window" in said["notice"]["message"]
    assert len(window.cases(id)) == 120
    assert "changed" in await window.ask("drop", dataset=id, seen=await window.seen(id), ids=["6"])


async def test_cases_that_were_deleted_come_back_to_their_places(window: Window) -> None:
    id = await window.bring()
    before = window.cases(id)
    said = await window.ask("drop", dataset=id, seen=await window.seen(id), ids="found", label="negative")
    assert said["undo"]["count"] == 40
    assert len(window.cases(id)) == 80
    await window.ask("restore", undo=said["undo"]["id"])
    assert window.cases(id) == before
    again = await window.ask("restore", undo=said["undo"]["id"])
    assert again["notice"]["tone"] == "error"
    assert window.cases(id) == before


async def test_the_last_case_is_not_deleted_but_the_dataset_is_and_comes_back(window: Window) -> None:
    id = await window.bring("a\n1\n", "one.csv")
    seen = await window.seen(id)
    assert "at least one case" in (await window.ask("drop", dataset=id, seen=seen, ids=["1"]))["notice"]["message"]
    said = await window.ask("remove", dataset=id, seen=seen)
    assert said["datasets"] == []
    await window.bring("a\n2\n", "one.csv")
    back = await window.ask("restore", undo=said["undo"]["id"])
    assert (back["restored"], {row["name"] for row in back["datasets"]}) == (id, {"one", "one (2)"})
    assert window.cases(id)[0]["variables"] == {"a": "1"}


async def test_a_dataset_is_split_by_share_or_count_with_each_label_in_both(window: Window) -> None:
    id = await window.bring()
    for asked, count in (({"ratio": 0.25}, 30), ({"count": 12}, 12)):
        names = [f"{count} first", f"{count} second"]
        said = await window.ask("split", dataset=id, seed=7, by_label=True, names=names, **asked)
        assert said["counts"] == [120 - count, count]
        labels = [case["expected"] for case in window.cases(said["made"][1])]
        assert (labels.count("negative"), labels.count("positive")) == (count // 3, count - count // 3)
        assert {row["name"] for row in said["datasets"]} >= {"tweets", *names}
    for wrong in ({"ratio": "x"}, {"count": 0}, {"count": 120}, {"ratio": 1}, {}):
        said = await window.ask("split", dataset=id, seed=7, names=["a", "b"], **wrong)
        assert said["notice"]["tone"] == "error"
    same = await window.ask("split", dataset=id, seed=7, names=["a", "a"], ratio=0.5)
    assert same["notice"]["tone"] == "error"


async def test_an_export_is_read_back_to_the_same_cases(window: Window) -> None:
    id = await window.bring(
        "tweet,label\n=SUM(A1),<script>alert(1)</script>\n\ud83d half,no\n".encode("utf-8", "replace")
    )
    for kind in ("csv", "jsonl"):
        name, text = await window.export(id, kind)
        assert name == f"tweets.{kind}"
        assert [json.loads(json.dumps(case)) for case in window.cases(id)] == [
            {"id": case.id, "variables": dict(case.variables), "expected": case.expected}
            for case in read_dataset(text.encode(), name).dataset.cases
        ]
    _, text = await window.export(id, "csv")
    assert "'=SUM(A1)" in text


async def test_halves_of_characters_are_replaced_and_not_stored(window: Window) -> None:
    id = await window.bring()
    await window.ask("put", dataset=id, id=None, case={"prompt": "half \ud83d", "tags": ["\ude00"]})
    assert window.cases(id)[-1]["prompt"] == "half �"


async def test_a_new_dataset_and_a_copy_have_names_of_their_own(window: Window) -> None:
    first, second = await window.ask("new", name="New"), await window.ask("new", name="New")
    assert [row["name"] for row in second["datasets"]] == ["New (2)", "New"]
    said = await window.ask("copy", dataset=first["made"][0])
    assert said["datasets"][0]["name"] == "New (3)"


@pytest.mark.parametrize("value", HOSTILE)
async def test_whatever_is_asked_is_answered_and_changes_nothing(
    window: Window, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    id = await window.bring()
    before = window.cases(id)
    assert (await datasets.act(window.desk, value))[0]["notice"]
    fields = ("dataset", "seen", "ids", "case", "was", "id", "undo", "file", "columns", "names", "ratio", "page")
    for action in datasets._ACTIONS:
        for given in ({}, {"dataset": id}):
            said = await window.ask(action, **{**dict.fromkeys(fields, value), **given})
            assert said["of"] == action
    assert window.cases(id) == before
    assert await anext(datasets.exported(window.desk, value))
    assert "a handler failed" not in caplog.text
