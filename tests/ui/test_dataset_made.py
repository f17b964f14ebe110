"""Datasets that other tabs make: of History's runs, of a training set's validation half, of a job's validation file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from playground.deps import Deps
from playground.finetune.sets import read_set
from playground.finetune.splitting import split_lines
from playground.finetune.tables import read
from playground.types import Choice, Run
from playground.ui import chat_files, history, jobs, prepare
from playground.ui.uploads import Held
from tests.fakes.server import FakeServer
from tests.ui.test_chat_files import CHATS, PAIRS

LABELS = b"prompt,completion\n" + b"".join(b"Tweet %d,%s\n" % (n, (b"good", b"bad")[n % 2]) for n in range(40))


def cases(deps: Deps, said: dict[str, Any]) -> list[Any]:
    found = deps.store.datasets.cases(said["kept"]["id"])
    assert found is not None
    assert (found[0], len(found[1])) == (said["kept"]["name"], said["kept"]["count"])
    return found[1]


def keep_run(deps: Deps, id: str, *, rating: int | None = None, prompt: str = "Say hi") -> None:
    run = Run(
        id=id,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        mode="complete",
        endpoint="server",
        model="m",
        status="done",
        request={"prompt": prompt},
        effective_request={"prompt": prompt, "model": "m"},
        choices=(Choice(index=0, text=f"{id} answers"),),
    )
    deps.store.finish_run(run)
    deps.store.rate(id, rating)


async def test_runs_that_a_filter_finds_become_cases_with_the_liked_answers(deps: Deps) -> None:
    keep_run(deps, "a", rating=1, prompt="A pangolin")
    keep_run(deps, "b", rating=-1, prompt="A pangolin, too")
    keep_run(deps, "c", prompt="Something else")
    asked = {"action": "dataset", "name": "Liked", "filter": {"text": "pangolin"}, "expected": "liked"}
    said = (await history.act(deps, asked))[0]
    assert {case["id"]: case.get("expected") for case in cases(deps, said)} == {"a": "a answers", "b": None}
    chosen = {"action": "dataset", "name": "Liked", "ids": ["c"], "expected": "answers"}
    said = (await history.act(deps, chosen))[0]
    assert said["kept"]["name"] == "Liked (2)"
    assert cases(deps, said) == [{"id": "c", "prompt": "Something else", "expected": "c answers", "tags": ["complete"]}]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "x", "expected": "answers", "filter": {"text": "nothing like this"}},
        {"name": "x", "expected": "answers", "ids": ["gone"]},
        {"name": "x", "expected": "answers", "ids": [7]},
        {"name": "", "expected": "answers", "ids": ["a"]},
        {"name": "x", "expected": "all", "ids": ["a"]},
    ],
)
async def test_runs_that_make_no_dataset_are_refused(deps: Deps, asked: dict[str, Any]) -> None:
    keep_run(deps, "a")
    assert (await history.act(deps, {"action": "dataset", **asked}))[0]["notice"]["tone"] == "error"
    assert deps.store.datasets.listed() == []


async def test_the_validation_half_of_prepared_pairs_keeps_its_separator_and_loses_its_ending(deps: Deps) -> None:
    held: Held[Any] = Held()
    id_ = held.put(read(LABELS, "tweets.csv"), 1)
    files = (await prepare.act(deps, held, {"action": "files", "id": id_, "refused": []}))[0]["files"]
    valid = [json.loads(line) for line in files[1]["text"].splitlines()]
    said = (await prepare.act(deps, held, {"action": "dataset", "id": id_, "refused": []}))[0]
    assert [(case["prompt"], f" {case['expected']}") for case in cases(deps, said)] == [
        (pair["prompt"], pair["completion"]) for pair in valid
    ]
    assert all(case["prompt"].endswith(" ->") for case in cases(deps, said))
    whole = (await prepare.act(deps, held, {"action": "dataset", "id": id_, "refused": ["split"]}))[0]
    assert "no validation half" in whole["notice"]["message"]


@pytest.mark.parametrize("name", ["chats.jsonl", "pairs.csv"])
async def test_the_half_that_splitting_holds_out_becomes_a_dataset(deps: Deps, name: str) -> None:
    held: Held[Any] = Held()
    given = read_set((CHATS if name == "chats.jsonl" else PAIRS).encode(), name)
    asked = {"action": "dataset", "id": held.put(given, 1), "ratio": 0.1, "seed": 7}
    said = (await chat_files.act(deps, held, asked))[0]
    _, valid = split_lines(given.data, ratio=0.1, seed=7)
    found = cases(deps, said)
    if name == "chats.jsonl":
        lines = [json.loads(line)["messages"] for line in valid.splitlines()]
        assert [(case["messages"], case["expected"]) for case in found] == [
            (talk[:-1], talk[-1]["content"]) for talk in lines
        ]
    else:
        lines = [json.loads(line) for line in valid.splitlines()]
        assert [(case["prompt"], f" {case['expected']} END") for case in found] == [
            (pair["prompt"], pair["completion"]) for pair in lines
        ]
        assert said["kept"]["stop"] == " END"


async def test_a_validation_file_becomes_a_dataset_as_it_is(deps: Deps) -> None:
    held: Held[Any] = Held()
    train, valid = (held.put(read_set(PAIRS.encode(), f"{name}.csv"), 1) for name in ("train", "held"))
    said = (await chat_files.act(deps, held, {"action": "dataset", "id": train, "valid": valid}))[0]
    assert (said["kept"]["name"], len(cases(deps, said))) == ("held", 20)


async def test_a_jobs_validation_file_becomes_a_dataset_while_its_server_has_it(deps: Deps, fake: FakeServer) -> None:
    lines = [{"prompt": f"{n} ->", "completion": f" {n} END"} for n in range(5)]
    job = fake.training.run()
    about = fake.training.jobs[job]
    data = "\n".join(map(json.dumps, lines)).encode()
    fake.training.files[about["validation_file"]] = (fake.training.files[about["validation_file"]][0], data)
    asked = {"action": "dataset", "endpoint": "server", "job": job}
    said = (await jobs.act(deps, Held(), asked))[0]
    assert cases(deps, said)[3] == {"id": "4", "prompt": "3 ->", "expected": "3"}
    del fake.training.files[about["validation_file"]]
    gone = (await jobs.act(deps, Held(), asked))[0]
    assert gone["notice"]["kind"] == "NotFound"
    about["validation_file"] = None
    none = (await jobs.act(deps, Held(), asked))[0]
    assert "no validation half" in none["notice"]["message"]
