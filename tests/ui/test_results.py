"""What stands behind the Results tab, called as plain functions: over HTTP anybody can call it with anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.ui import results
from playground.ui.uploads import Held, take

FILE = "step,train_loss,valid_loss\n" + "".join(
    f"{step},{2 / step},{1.5 / step if step % 5 == 0 else ''}\n" for step in range(1, 401)
)
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    float("nan"),
    "",
    "\x00",
    "\ud800",
    [],
    [[]],
    {},
    {"path": 7},
    "../x",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Gradio puts what is uploaded."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


async def opened(folder: Path, held: Held[Any], text: str = FILE, name: str = "results.csv") -> dict[str, Any]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    said = await act(held, {"action": "open", "n": 1, "files": [{"path": str(path), "name": name}]})
    result: dict[str, Any] = said["opened"][0]
    return result


async def act(held: Held[Any], value: Any) -> dict[str, Any]:
    said: dict[str, Any] = (await results.act(held, value))[0]
    return said


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_file_is_held_and_gone_from_the_disk(folder: Path) -> None:
    held: Held[Any] = Held()
    about = await opened(folder, held)
    assert (about["name"], about["rows"], about["format"], about["axes"]) == ("results.csv", 400, "current", ["step"])
    assert left(folder) == []
    again = await act(held, {"action": "again", "n": 2, "ids": [about["id"], "gone"]})
    assert [each["id"] for each in again["opened"]] == [about["id"]]


async def test_curves_are_smoothed_cut_to_a_part_and_fit_into_an_answer(folder: Path) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, held))["id"]
    whole = await act(held, {"action": "curves", "n": 2, "ids": [id_], "alpha": 0.5, "floor": 2})
    train = whole["curves"][id_]["curves"][0]
    assert (len(train["x"]), len(train["smooth_x"]), train["measure"]) == (400, 400, "loss")
    assert whole["floor"]["value"] == 0.5
    part = await act(held, {"action": "curves", "n": 3, "ids": [id_], "within": [100, 110]})
    assert part["curves"][id_]["curves"][0]["x"] == list(range(99, 112))
    assert part["curves"][id_]["curves"][1]["x"] == [100, 105, 110]
    json.dumps(whole, allow_nan=False)


async def test_a_file_without_the_axis_is_drawn_by_its_steps(folder: Path) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, held))["id"]
    said = await act(held, {"action": "curves", "n": 2, "ids": [id_], "axis": "tokens"})
    assert said["curves"][id_]["axis"] == "step"


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
async def test_a_hostile_value_in_any_place_is_an_answer_in_words(
    folder: Path, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, held))["id"]
    good = {
        "open": {"files": [{"path": "x", "name": "y"}]},
        "again": {"ids": [id_]},
        "curves": {"ids": [id_], "alpha": 0.5, "axis": "step", "within": [1, 2], "floor": 1, "language": "en"},
        "rows": {"id": id_, "start": 0},
        "export": {"ids": [id_], "format": "html"},
        value if isinstance(value, str) else "none": {},
    }
    for action, fields in good.items():
        for place in fields:
            said = await act(held, {"action": action, "n": 1, **fields, place: value})
            json.dumps(said)
    assert "notice" in await act(held, value)
    assert "a handler failed" not in caplog.text


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.csv", "{folder}/../secret.csv", "{folder}", "{folder}/link.csv"]
)
def test_only_what_was_uploaded_is_read(folder: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.ui.uploads.ARRIVAL", 0.1)
    secret = folder.parent / "secret.csv"
    secret.write_text("step,train_loss\n1,1\n")
    (folder / "link.csv").symlink_to(secret)
    with pytest.raises(InvalidRequest, match="did not arrive"):
        take(path.format(folder=folder), most=1_000)
    assert secret.exists()


def test_a_file_that_is_too_large_is_not_read_and_gone(folder: Path) -> None:
    (folder / "large.csv").write_bytes(b"x" * 2_000_000)
    with pytest.raises(InvalidRequest, match="2 MB; at most 1 MB"):
        take(str(folder / "large.csv"), most=1_000_000)
    assert not (folder / "large.csv").exists()


def test_what_was_used_longest_ago_makes_room() -> None:
    held: Held[str] = Held(most=10)
    first, second = held.put("first", 4), held.put("second", 4)
    assert held.get(first) == "first"
    third = held.put("third", 4)
    with pytest.raises(InvalidRequest, match="no longer held"):
        held.get(second)
    assert (held.get(first), held.get(third)) == ("first", "third")
    assert held.get(held.put("larger than all", 99)) == "larger than all"
