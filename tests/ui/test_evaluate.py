"""The Evaluate tab's questions to the server: what belongs to a fine-tune, the table, the files, refusals."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from playground.deps import Deps
from playground.evaluate import kept_figures
from playground.evaluate.comparison import VERSION, Comparison
from playground.listing import Found
from playground.types import ModelInfo
from playground.ui import evaluating, sweeping
from tests.ui.test_handlers import HOSTILE

HOST: Any = SimpleNamespace(client=SimpleNamespace(host="127.0.0.1"), headers={"host": "127.0.0.1:7860"})
TUNE = "ft:fake:us::abc"
CASES = [{"id": str(at), "variables": {"word": f"word {at}"}, "expected": "Hello, world!"} for at in range(4)]
SPEC = {
    "models": ["server/fake", f"server/{TUNE}"],
    "mode": "complete",
    "prompt": "Say {{word}}",
    "dataset": "words",
    "metrics": ["exact_match", "label", "distinct"],
    "baseline": "server/fake",
}


async def ask(deps: Deps, action: str, **more: Any) -> dict[str, Any]:
    asked = {"action": action, "n": 1, **more}
    said: dict[str, Any] = (await sweeping.act(deps, asked, HOST, evaluating.ACTIONS))[0]
    return said


@pytest.fixture
def kept(deps: Deps) -> Deps:
    """With a dataset, one without expected answers, and a fine-tune with two checkpoints."""
    deps.store.datasets.save("d", "words", CASES)
    deps.store.datasets.save("m", "mute", [{**case, "expected": None} for case in CASES])
    names = (TUNE, f"{TUNE}:ckpt-step-20", f"{TUNE}:ckpt-step-5")
    deps.listing.put("more", Found(models=[ModelInfo(id=name, endpoint="server") for name in names]))
    return deps


async def ran(deps: Deps, **changes: Any) -> str:
    id = str((await ask(deps, "begin", spec={**SPEC, **changes}))["begun"]["id"])
    for _ in range(1_500):
        if (await ask(deps, "state", id=id))["sweep"]["state"] == "done":
            return id
        await asyncio.sleep(0.02)
    raise AssertionError("it did not end")


async def opened(deps: Deps, id: str, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((await ask(deps, "open", id=id, **more))["results"])
    return said


async def test_an_evaluation_is_a_table_with_what_is_read_beside_its_metrics(kept: Deps) -> None:
    id = await ran(kept)
    said = await opened(kept, id)
    assert [each["model"] for each in said["systems"]] == SPEC["models"]
    names = [(each["name"], each["kind"]) for each in said["columns"] if each["unit"] == "score"]
    assert names == [("exact_match", "mean"), ("label", "mean"), ("macro_f1", "corpus"), ("distinct_2", "corpus")]
    assert said["name"] == "words"
    match = said["columns"][0]
    assert match["figures"][1]["value"] == 1.0
    assert match["differences"][1]["p_value"] == 1.0
    assert match["said"].startswith("exact_match: no difference shown")
    assert (await opened(kept, id, language="es"))["columns"][0]["said"].startswith("exact_match: no se muestra")
    assert (await opened(kept, id, baseline=f"server/{TUNE}"))["baseline"] == 1


async def test_only_evaluations_are_listed(kept: Deps) -> None:
    id = await ran(kept)
    grid = {**SPEC, "models": ["server/fake"], "grid": {"temperature": [0, 1]}}
    await sweeping.act(kept, {"action": "begin", "n": 1, "spec": grid}, HOST)
    assert [each["id"] for each in (await ask(kept, "list"))["sweeps"]] == [id]


@pytest.mark.parametrize(
    ("changes", "param", "says"),
    [
        ({"dataset": None}, "dataset", "no dataset is chosen"),
        ({"dataset": "nowhere"}, "dataset", "No dataset is kept"),
        ({"metrics": []}, "metrics", "Nothing is measured"),
        ({"metrics": ["bleu"], "dataset": "mute"}, "metrics", "no case has one"),
        ({"metrics": ["contains"], "dataset": "mute"}, "metrics", "no case has one"),
        ({"metrics": ["domain"]}, "metrics", "training texts"),
        ({"models": []}, "models", "names no model"),
        ({"baseline": "server/other"}, "baseline", "not among the models"),
        ({"prompt": "{{other}}"}, "dataset", "other"),
        ({"training": "nowhere", "metrics": ["domain"]}, "training", "No dataset is kept"),
    ],
)
async def test_what_is_wrong_is_said_of_its_field_in_both_languages(
    kept: Deps, changes: dict[str, Any], param: str, says: str
) -> None:
    for action in ("estimate", "begin"):
        notice = (await ask(kept, action, spec={**SPEC, **changes}))["notice"]
        assert (notice["param"], says in notice["message"]) == (param, True)
    spanish = (await ask(kept, "begin", spec={**SPEC, **changes}, language="es"))["notice"]
    assert spanish["message"] != notice["message"]
    assert kept.store.sweeps.listed() == []


async def test_metrics_that_need_no_expected_answer_take_cases_without_one(kept: Deps) -> None:
    spec = {**SPEC, "dataset": "mute", "metrics": ["distinct", {"contains": {"text": "world"}}]}
    assert (await ask(kept, "estimate", spec=spec))["estimate"]["calls"] == 8


async def test_one_system_alone_has_its_figures(kept: Deps) -> None:
    said = await opened(kept, await ran(kept, models=["server/fake"]))
    assert said["columns"][0]["figures"][0]["value"] == 1.0
    assert said["columns"][0]["said"] == ""


async def test_a_fine_tune_offers_its_base_and_its_checkpoints(kept: Deps) -> None:
    asked = ["server/fake", f"server/{TUNE}:ckpt-step-5", f"server/{TUNE}"]
    (family,) = (await ask(kept, "families", models=asked))["families"]
    names = ("fake", TUNE, f"{TUNE}:ckpt-step-5", f"{TUNE}:ckpt-step-20")
    assert (family["base"], family["members"]) == ("server/fake", [f"server/{name}" for name in names])
    assert (family["training"], family["separator"], family["ending"]) == (False, "", "")
    refused = (await ask(kept, "training", model=f"server/{TUNE}"))["notice"]
    assert "was trained on" in refused["message"]


@pytest.mark.parametrize("kind", ["html", "json", "csv"])
async def test_an_evaluation_leaves_as_a_file(kept: Deps, kind: str) -> None:
    id = await ran(kept)
    asked = {"n": 7, "kind": kind, "id": id, "language": "es"}
    parts = [part async for part in evaluating.exported(kept, asked)]
    assert parts[-1]["done"] == f"words-{id}.{kind}"
    text = "".join(part.get("part", "") for part in parts)
    if kind == "csv":
        assert len(list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))) == 8
    elif kind == "json":
        assert len(json.loads(text)["outputs"]) == 8
    else:
        assert "no se muestra ninguna diferencia" in text


@pytest.mark.parametrize("action", sorted(evaluating.ACTIONS))
@pytest.mark.parametrize("value", HOSTILE, ids=repr)
async def test_whatever_is_sent_is_answered_in_words(kept: Deps, action: str, value: Any) -> None:
    for name in ("spec", "id", "models", "model", "measure", "baseline", "known", "dataset"):
        said = await ask(kept, action, **{name: value})
        assert said["of"] == action
    async for part in evaluating.exported(kept, value):
        assert "notice" in part


async def test_figures_are_worked_out_when_it_ends_and_by_no_page_that_opens_it(
    kept: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await ran(kept)
    stamp = str(kept_figures.stamp(kept.store, id))
    for _ in range(1_500):
        if kept.store.figures.kept(id, f"columns {VERSION} 0", stamp):
            break
        await asyncio.sleep(0.02)

    def again(self: Comparison) -> None:
        raise AssertionError("worked out again")

    monkeypatch.setattr(Comparison, "_worked_out", again)
    kept.opened.results(id).worked_out.clear()  # another process has not looked at it yet
    assert [each["name"] for each in (await opened(kept, id))["columns"]][:2] == ["exact_match", "label"]
