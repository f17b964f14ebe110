"""Sweeps behind the page: foreseen, begun, looked at, ended, gone on with; and what of their results is told."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from playground import presets
from playground.deps import Deps
from playground.evaluate.outputs import PAGE
from playground.evaluate.spec_files import load
from playground.presets import Preset
from playground.ui import sweep, sweep_results, sweeping
from tests.ui.test_handlers import HOSTILE

HOST: Any = SimpleNamespace(client=SimpleNamespace(host="127.0.0.1"), headers={"host": "127.0.0.1:7860"})
VISITOR: Any = SimpleNamespace(client=SimpleNamespace(host="192.168.1.9"), headers={"host": "127.0.0.1:7860"})
SPEC = {
    "name": "Two temperatures",
    "models": ["server/fake"],
    "mode": "complete",
    "prompt": "Say {{word}}",
    "grid": {"temperature": [0, 1]},
    "dataset": "words",
    "repeats": 2,
    "metrics": ["exact_match", {"contains": {"text": "world"}}],
}
CASES = [{"id": str(at), "variables": {"word": f"word {at}"}, "expected": "Hello, world!"} for at in range(3)]


async def ask(deps: Deps, action: str, *, who: Any = HOST, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = (await sweeping.act(deps, {"action": action, "n": 1, **more}, who, sweep.ACTIONS))[0]
    return said


@pytest.fixture
def kept(deps: Deps) -> Deps:
    """With a dataset."""
    deps.store.datasets.save("d", "words", CASES)
    return deps


async def until(deps: Deps, id: str, there: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The sweep as soon as it is so."""
    for _ in range(1_500):
        row: dict[str, Any] = (await ask(deps, "state", id=id))["sweep"]
        if there(row):
            return row
        await asyncio.sleep(0.02)
    raise AssertionError(f"never so: {row}")


async def ended(deps: Deps, id: str) -> dict[str, Any]:
    return await until(deps, id, lambda row: row["state"] != "running")


async def ran(deps: Deps, **changes: Any) -> str:
    begun = (await ask(deps, "begin", spec={**SPEC, **changes}))["begun"]
    await ended(deps, begun["id"])
    return str(begun["id"])


async def test_a_batchs_discount_is_said_where_openai_is_asked(kept: Deps) -> None:
    assert (await ask(kept, "estimate", spec=SPEC))["estimate"]["batch"] is None
    assert (await ask(kept, "estimate", spec={**SPEC, "batch": True}))["estimate"]["batch"] == {}
    paid = {**SPEC, "models": ["openai/gpt-4o-mini"], "mode": "chat", "parameters": {"max_tokens": 9}}
    if "openai" not in kept.client.endpoints:
        kept.client.add(replace(kept.client.endpoints["server"], name="openai", kind="openai"))
    live = (await ask(kept, "estimate", spec=paid))["estimate"]
    said = (await ask(kept, "estimate", spec={**paid, "batch": True}))["estimate"]
    assert said["batch"]["discount"] == 0.5
    assert said["batch"]["as_of"]
    assert Decimal(said["worst"].strip("$")) == Decimal(live["worst"].strip("$")) / 2
    assert said["seconds"] is None


async def test_what_it_takes_is_said_before_it_runs(kept: Deps) -> None:
    said = (await ask(kept, "estimate", spec=SPEC))["estimate"]
    figures = {name: said[name] for name in ("calls", "cells", "cases", "repeats", "free")}
    assert figures == {"calls": 12, "cells": 2, "cases": 3, "repeats": 2, "free": False}
    assert said["expected"] is None
    assert kept.store.sweeps.listed() == []


async def test_a_sweep_runs_without_a_page_and_is_told_to_its_end(kept: Deps) -> None:
    begun = (await ask(kept, "begin", spec=SPEC))["begun"]
    assert begun["calls"] == 12
    row = await ended(kept, begun["id"])
    assert (row["state"], row["done"], row["failed"], row["here"]) == ("done", 12, 0, False)
    assert [each["id"] for each in (await ask(kept, "list"))["sweeps"]] == [begun["id"]]


@pytest.mark.parametrize(
    ("changes", "param", "says"),
    [
        ({"models": []}, "models", "names no model"),
        ({"grid": {"temperature": [9]}}, "temperature", "temperature"),
        ({"grid": {"warmth": [1]}}, "warmth", "no parameter warmth"),
        ({"grid": {}}, "grid", "empty"),
        ({"grid": {"seed": {"from": 0, "to": 10**9, "step": 1}}}, "grid", "combinations"),
        ({"dataset": "nowhere"}, "dataset", "No dataset is kept"),
        ({"dataset": "/etc/passwd"}, "dataset", "No dataset is kept"),
        ({"metrics": ["magic"]}, "metrics", "no metric magic"),
        ({"repeats": 0}, "repeats", "whole number"),
        ({"budget": "0.5"}, "budget", "price"),
        ({"training": "/etc/passwd"}, "training", "No dataset is kept"),
        ({"presets": ["p"]}, "spec", "both prompt and presets"),
    ],
)
async def test_what_is_wrong_in_a_spec_is_said_of_its_field(
    kept: Deps, changes: dict[str, Any], param: str, says: str
) -> None:
    for action in ("estimate", "begin"):
        notice = (await ask(kept, action, spec={**SPEC, **changes}))["notice"]
        assert notice["param"] == param
        assert says in notice["message"]
    assert kept.store.sweeps.listed() == []
    spanish = (await ask(kept, "begin", spec={**SPEC, **changes}, language="es"))["notice"]
    assert spanish["message"] != notice["message"]


async def test_a_prompt_with_a_variable_that_no_case_has_is_refused(kept: Deps) -> None:
    notice = (await ask(kept, "begin", spec={**SPEC, "prompt": "{{nothing}}"}))["notice"]
    assert "{{nothing}}" in notice["message"]


async def test_a_sweep_pauses_and_goes_on_without_asking_again(kept: Deps, fake: Any) -> None:
    begun = (await ask(kept, "begin", spec={**SPEC, "models": ["server/fault-slow:20"], "concurrency": 1}))["begun"]
    assert (await until(kept, begun["id"], lambda row: row["done"]))["here"]
    await ask(kept, "pause", id=begun["id"])
    paused = await ended(kept, begun["id"])
    assert paused["state"] == "paused"
    assert 0 < paused["done"] < 12
    assert (await ask(kept, "go_on", id=begun["id"]))["begun"]["state"] == "running"
    assert (await ended(kept, begun["id"]))["done"] == 12
    assert sorted(each.number for each in kept.store.sweeps.each(begun["id"])) == list(range(12))
    assert len([each for each in fake.requests if "Say word" in str(each.body)]) == 12


async def test_a_sweep_stops_at_once_and_is_kept(kept: Deps) -> None:
    spec = {**SPEC, "models": ["server/fault-slow:200"], "repeats": 50}
    begun = (await ask(kept, "begin", spec=spec))["begun"]
    await ask(kept, "stop", id=begun["id"])
    assert (await ended(kept, begun["id"]))["state"] == "stopped"
    notice = (await ask(kept, "pause", id=begun["id"]))["notice"]
    assert "does not run here" in notice["message"]


async def test_the_end_of_the_app_stops_what_runs_and_keeps_it(kept: Deps) -> None:
    begun = (await ask(kept, "begin", spec={**SPEC, "models": ["server/fault-slow:200"], "repeats": 50}))["begun"]
    await kept.underway.close()
    row = kept.store.sweeps.sweep(begun["id"])
    assert row is not None
    assert row.state == "stopped"


async def test_a_visitor_is_told_of_the_sweeps_that_they_know_only(kept: Deps) -> None:
    id = await ran(kept)
    assert (await ask(kept, "list", who=VISITOR))["sweeps"] == []
    assert (await ask(kept, "list", who=VISITOR, everyone=True))["sweeps"] == []
    assert (await ask(kept, "list", who=VISITOR, known=[id[:6], 7, None]))["sweeps"] == []
    assert [each["id"] for each in (await ask(kept, "list", who=VISITOR, known=[id]))["sweeps"]] == [id]


@pytest.mark.parametrize(
    "action", ["state", "pause", "stop", "go_on", "delete", "open", "outputs", "output", "heatmap"]
)
async def test_the_beginning_of_an_id_opens_nothing(kept: Deps, action: str) -> None:
    id = await ran(kept)
    assert "notice" in await ask(kept, action, id=id[:6], number=0, measure="exact_match", x="temperature")
    assert kept.store.sweeps.sweep(id) is not None


async def test_a_deleted_sweep_is_gone(kept: Deps) -> None:
    id = await ran(kept)
    assert (await ask(kept, "delete", id=id))["deleted"] == id
    assert "notice" in await ask(kept, "delete", id=id)
    assert "notice" in await ask(kept, "open", id=id)


# --- results ---


async def test_results_have_intervals_counts_and_a_verdict(kept: Deps) -> None:
    said = json.loads((await ask(kept, "open", id=await ran(kept)))["results"])
    assert [cell["answered"] for cell in said["cells"]] == [6, 6]
    assert set(said["cells"][0]["quality"]) == {"value", "low", "high", "count"}
    assert said["verdict"]["winner"] is None
    assert said["heatmap"]["x_values"] == [0, 1]
    assert [each["count"] for each in said["heatmap"]["squares"]] == [6, 6]


async def test_results_come_with_the_page_of_outputs_that_is_looked_at(kept: Deps) -> None:
    id = await ran(kept, repeats=10)
    wanted = {"cells": [1], "sort": "latency", "descending": True, "page": 1}
    said = json.loads((await ask(kept, "open", id=id, outputs=wanted))["results"])
    alone = await ask(kept, "outputs", id=id, **wanted)
    assert said["answers"] == {name: alone[name] for name in ("outputs", "total", "page")}
    assert "answers" not in json.loads((await ask(kept, "open", id=id))["results"])
    assert "notice" in await ask(kept, "open", id=id, outputs={"page": -1})


async def test_outputs_are_filtered_sorted_and_paged(kept: Deps) -> None:
    id = await ran(kept, repeats=10)
    first = await ask(kept, "outputs", id=id)
    assert (first["total"], len(first["outputs"]), first["page"]) == (60, PAGE, 0)
    rest = await ask(kept, "outputs", id=id, page=9)
    assert (len(rest["outputs"]), rest["page"]) == (10, 1)
    assert {each["cell"] for each in (await ask(kept, "outputs", id=id, cells=[1]))["outputs"]} == {1}
    assert (await ask(kept, "outputs", id=id, text="HELLO"))["total"] == 60
    assert (await ask(kept, "outputs", id=id, text="nowhere"))["total"] == 0
    assert (await ask(kept, "outputs", id=id, status="failed"))["total"] == 0
    assert (await ask(kept, "outputs", id=id, score={"measure": "exact_match", "low": 1}))["total"] == 60
    assert (await ask(kept, "outputs", id=id, score={"measure": "exact_match", "high": 0.5}))["total"] == 0
    times = [
        each["latency"] for each in (await ask(kept, "outputs", id=id, sort="latency", descending=True))["outputs"]
    ]
    assert times == sorted(times, reverse=True)


async def test_one_output_comes_with_all_there_is_of_it(kept: Deps) -> None:
    output = (await ask(kept, "output", id=await ran(kept), number=2))["output"]
    assert output["sent"] == {"prompt": "Say word 1"}
    assert (output["answer"], output["expected"]) == ("Hello, world!", "Hello, world!")
    assert output["scores"] == {"exact_match": 1.0, "contains": 1.0}


async def test_an_output_whose_preset_is_gone_still_says_its_case(kept: Deps) -> None:
    content = presets.to_json(Preset(id="p", name="Mine", mode="complete", text="Say {{word}}", model="server/fake"))
    kept.store.save_presets([("p", "Mine", content)])
    spec = {name: value for name, value in SPEC.items() if name not in ("prompt", "models")}
    begun = (await ask(kept, "begin", spec={**spec, "presets": ["Mine"]}))["begun"]
    await ended(kept, begun["id"])
    assert (await ask(kept, "output", id=begun["id"], number=2))["output"]["sent"] == {"prompt": "Say word 1"}
    kept.store.delete_preset("p")
    output = (await ask(kept, "output", id=begun["id"], number=2))["output"]
    assert output["sent"]["variables"] == {"word": "word 1"}


@pytest.mark.parametrize("kind", ["csv", "json", "html"])
async def test_results_are_given_out_as_files(kept: Deps, kind: str) -> None:
    id = await ran(kept)
    parts = [part async for part in sweep_results.exported(kept, {"n": 4, "id": id, "kind": kind})]
    assert parts[-1]["done"] == f"two-temperatures-{id}.{kind}"
    assert "Hello, world!" in "".join(part.get("part", "") for part in parts)


async def test_a_heatmap_over_what_does_not_differ_is_refused(kept: Deps) -> None:
    said = await ask(kept, "heatmap", id=await ran(kept), measure="exact_match", x="top_p")
    assert "top_p" in said["notice"]["message"]


# --- a cell leaves the tab ---


async def test_a_cell_is_used_with_its_model_and_parameters(kept: Deps) -> None:
    id = await ran(kept, parameters={"max_tokens": 5, "stop": ["\n"]})
    value = {"action": "use", "n": 1, "id": id, "cell": 1}
    said, *updates = await sweeping.act(kept, value, HOST, sweep.ACTIONS)
    assert said["used"] == "complete"
    assert updates[3] == "server/fake"
    assert {name: updates[4][name] for name in ("temperature", "max_tokens", "stop")} == {
        "temperature": 1,
        "max_tokens": 5,
        "stop": ["\\n"],
    }


async def test_a_cell_is_downloaded_as_a_program_with_its_cases(kept: Deps) -> None:
    file = (await ask(kept, "deploy", id=await ran(kept, parameters={"max_tokens": 5}), cell=1))["zip"]
    assert file["name"] == "deploy-two-temperatures.zip"
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(file["base64"]))) as zipped:
        folder = zipped.namelist()[0].split("/")[0]
        request = json.loads(zipped.read(f"{folder}/request.json"))
        cases = json.loads(zipped.read(f"{folder}/cases.json"))
    assert request["arguments"]["prompt"] == "Say {{word}}"
    assert (request["arguments"]["temperature"], request["arguments"]["max_tokens"]) == (1, 5)
    assert [case["expected"] for case in cases["cases"]] == ["Hello, world!"] * 3
    assert (cases["check"]["kind"], cases["at_least"]) == ("exact_match", 1.0)


@pytest.mark.parametrize("cell", [2, -1, None, "0", True])
async def test_a_cell_that_there_is_not_is_refused(kept: Deps, cell: Any) -> None:
    id = await ran(kept, repeats=1)
    for action in ("use", "deploy"):
        assert "notice" in await ask(kept, action, id=id, cell=cell)


async def test_the_panel_of_a_tab_becomes_parameters_of_a_spec(kept: Deps) -> None:
    params = {"temperature": 0.5, "stop": ["\\n"], "n": 3, "seed": None}
    assert (await ask(kept, "take", mode="complete", params=params))["taken"] == {"temperature": 0.5, "stop": ["\n"]}


# --- files of a spec ---


@pytest.mark.parametrize("as_json", [True, False])
async def test_a_spec_is_written_and_read_again_as_the_same(kept: Deps, as_json: bool) -> None:
    spec = {**SPEC, "parameters": {"stop": ["\n", "1e3", "no"], "max_tokens": 5}}
    file = (await ask(kept, "write", spec=spec, json=as_json))["file"]
    again = (await ask(kept, "read", text=file["text"], name=file["name"]))["spec"]
    assert again == load(file["text"], file["name"])
    assert again["parameters"] == spec["parameters"]
    assert again["grid"] == spec["grid"]


async def test_a_broken_file_says_the_line(kept: Deps) -> None:
    assert "Line 2" in (await ask(kept, "read", text="a: 1\n  b: [", name="x.yaml"))["notice"]["message"]


async def test_a_dataset_tells_what_a_prompt_can_use(kept: Deps) -> None:
    assert (await ask(kept, "datasets"))["datasets"] == [{"name": "words", "count": 3}]
    said = (await ask(kept, "dataset", name="words"))["dataset"]
    assert (said["variables"], said["expected"], said["own"]) == (("word",), 3, 0)


@pytest.mark.parametrize("value", HOSTILE)
async def test_nothing_that_is_sent_raises(kept: Deps, value: Any) -> None:
    id = await ran(kept, repeats=1)
    assert isinstance((await sweeping.act(kept, value, HOST))[0], dict)
    fields = (
        "spec",
        "known",
        "text",
        "cells",
        "score",
        "sort",
        "page",
        "measure",
        "number",
        "budget",
        "x",
        "name",
        "cell",
        "params",
    )
    for action in {*sweeping.ACTIONS, *sweep_results.ACTIONS, *sweep.ACTIONS} - {"delete"}:
        await ask(kept, action, **dict.fromkeys(("id", *fields), value))
        await ask(kept, action, id=id, **dict.fromkeys(fields, value))
    assert [part async for part in sweep_results.exported(kept, value)]
