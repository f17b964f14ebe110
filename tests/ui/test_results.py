"""What stands behind the Results tab, called as plain functions: over HTTP anybody can call it with anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playground.client import Client
from playground.deps import Deps, open_deps
from playground.errors import InvalidRequest
from playground.retry import RetryPolicy
from playground.types import Endpoint
from playground.ui import results
from playground.ui.uploads import Held, take
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

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


async def opened(
    folder: Path, deps: Deps, held: Held[Any], text: str = FILE, name: str = "results.csv"
) -> dict[str, Any]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    said = await act(deps, held, {"action": "open", "n": 1, "files": [{"path": str(path), "name": name}]})
    result: dict[str, Any] = said["opened"][0]
    return result


async def act(deps: Deps, held: Held[Any], value: Any) -> dict[str, Any]:
    said: dict[str, Any] = (await results.act(deps, held, value))[0]
    return said


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_file_is_held_and_gone_from_the_disk(folder: Path, deps: Deps) -> None:
    held: Held[Any] = Held()
    about = await opened(folder, deps, held)
    assert (about["name"], about["rows"], about["format"], about["axes"]) == ("results.csv", 400, "current", ["step"])
    assert left(folder) == []
    again = await act(deps, held, {"action": "again", "n": 2, "ids": [about["id"], "gone"]})
    assert [each["id"] for each in again["opened"]] == [about["id"]]


async def test_curves_are_smoothed_cut_to_a_part_and_fit_into_an_answer(folder: Path, deps: Deps) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, deps, held))["id"]
    whole = await act(deps, held, {"action": "curves", "n": 2, "ids": [id_], "alpha": 0.5, "floor": 2})
    train = json.loads(whole["curves"])[id_]["curves"][0]
    assert (len(train["x"]), len(train["smooth_x"]), train["measure"]) == (400, 400, "loss")
    assert whole["floor"]["value"] == 0.5
    part = await act(deps, held, {"action": "curves", "n": 3, "ids": [id_], "within": [100, 110]})
    assert json.loads(part["curves"])[id_]["curves"][0]["x"] == list(range(99, 112))
    assert json.loads(part["curves"])[id_]["curves"][1]["x"] == [100, 105, 110]
    json.dumps(whole, allow_nan=False)


async def test_a_csv_comes_in_parts_that_make_the_whole(folder: Path, deps: Deps) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, deps, held))["id"]
    said = [each async for each in results.exported(held, {"n": 3, "id": id_, "format": "csv"})]
    assert said[-1]["done"] == "results-clean.csv"
    assert "".join(each["part"] for each in said[:-1]).count("\n") == 401
    (lost,) = [each async for each in results.exported(held, {"id": [], "format": "csv"})]
    assert "no longer held" in lost["notice"]["message"]


async def test_a_file_that_does_not_say_the_axis_has_no_curve_on_it(folder: Path, deps: Deps) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, deps, held))["id"]
    said = await act(deps, held, {"action": "curves", "n": 2, "ids": [id_], "axis": "tokens"})
    assert json.loads(said["curves"])[id_]["curves"] == []


async def test_more_files_than_can_be_told_apart_are_refused_in_words(deps: Deps) -> None:
    said = await act(deps, Held(), {"action": "curves", "n": 1, "ids": ["a"] * (results.FILES + 1), "language": "es"})
    assert said["notice"]["message"].startswith(f"Se abren {results.FILES} archivos de resultados a la vez")


async def test_a_finished_job_opens_like_a_file_with_its_checkpoints(fake: FakeServer, deps: Deps) -> None:
    held: Held[Any] = Held()
    name = fake.training.run("gpt-4.1-nano")
    (row,) = (await act(deps, held, {"action": "jobs", "n": 1}))["jobs"]
    assert (row["server"], row["id"], row["base"]) == ("server", name, "gpt-4.1-nano")
    said = await act(deps, held, {"action": "job", "n": 2, "server": row["server"], "id": row["id"]})
    (about,) = said["opened"]
    assert about["rows"] == fake.training.total_steps(name)
    steps = [each["step_number"] for each in fake.training.checkpoints[name]]
    assert [mark["at"]["step"] for mark in about["checkpoints"]] == steps


async def test_a_server_that_fails_or_has_no_jobs_keeps_no_other_out(fake: FakeServer, make_settings: Any) -> None:
    servers = [
        Endpoint(name=name, kind="compatible", base_url=url, api_key=CANARY)
        for name, url in (("server", fake.url), ("gone", "http://127.0.0.1:9/v1"))
    ]
    fake.training.run("gpt-4.1-nano")
    deps = open_deps(make_settings(endpoints=tuple(servers)))
    deps.client = Client(deps.settings.endpoints, timeout=5, retry=RetryPolicy(base=0.1))
    said = await act(deps, Held(), {"action": "jobs", "n": 1})
    await deps.aclose()
    assert [row["server"] for row in said["jobs"]] == ["server"]
    assert [(each["server"], each["kind"]) for each in said["failed"]] == [("gone", "ConnectionFailed")]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
async def test_a_hostile_value_in_any_place_is_an_answer_in_words(
    folder: Path, deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held: Held[Any] = Held()
    id_ = (await opened(folder, deps, held))["id"]
    good = {
        "open": {"files": [{"path": "x", "name": "y"}]},
        "again": {"ids": [id_]},
        "curves": {"ids": [id_], "alpha": 0.5, "axis": "step", "within": [1, 2], "floor": 1, "language": "en"},
        "rows": {"id": id_, "start": 0},
        "jobs": {"language": "en"},
        "job": {"server": "server", "id": "ftjob-1"},
        "export": {"ids": [id_], "format": "html"},
        value if isinstance(value, str) else "none": {},
    }
    for action, fields in good.items():
        for place in fields:
            said = await act(deps, held, {"action": action, "n": 1, **fields, place: value})
            json.dumps(said)
    assert "notice" in await act(deps, held, value)
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
